"""How a step is planned: its pool by its kind, its priority class. Pure."""

from __future__ import annotations

from rushes.engine.kinds import KINDS
from rushes.model import StepSpec
from rushes.states import StepKind

FAST, NORMAL, ENRICH = 20, 10, 0
"""Priority classes: what makes an asset playable goes before what completes it, and that before what adorns it."""


def step(
    key: str, kind: StepKind, *after: str, priority: int = 0, cost: float = 0.3, required: bool = True, **params: object
) -> StepSpec:
    """`cost` in CPU seconds; `params` are the step's own."""
    return StepSpec(
        key=key,
        kind=kind,
        pool=KINDS[kind].pool,
        params=params,
        after=after,
        required=required,
        priority=priority,
        cost=max(0.05, cost),
    )
