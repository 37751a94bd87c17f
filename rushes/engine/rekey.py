"""Changing the key of a protected asset: one build more, of the clear tracks that the newest was made of. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.engine.checking import checked
from rushes.engine.rounds import marked, round_of
from rushes.engine.specs import NORMAL, step
from rushes.model import StepSpec
from rushes.states import StepKind

NAME = "package.rekey"


def rekey(version: int, newest: str, verdicts: Sequence[str]) -> list[StepSpec]:
    """`version`: of the new key. `newest`: the step that made the newest build, in whose encode the new one is made; what it was
    made for is what it stays. The asset is not the worse for it if this fails."""
    number = round_of(newest)

    def name(plain: str) -> str:
        return marked(plain, number) if number > 1 else plain

    package, publish = name(f"{NAME}.{version}"), name(f"publish.rekey.{version}")
    steps = [
        step(package, StepKind.PACKAGE, newest, priority=NORMAL, cost=0.5, required=False, phase="rekey"),
        step(publish, StepKind.PUBLISH, package, *verdicts, priority=NORMAL, required=False, phase="rekey"),
    ]
    return checked(steps)
