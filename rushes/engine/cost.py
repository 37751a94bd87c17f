"""What a step takes, as planned and as its kind of work was seen to take before. Pure.

The graph reckons CPU seconds from pixels, frames, codec and preset (`engine.effort`). What steps really took corrects that by a
factor for each class of work: codec, preset, size of the picture, order of magnitude. A class that was seen too seldom goes by
a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rushes.model import StepSpec
from rushes.noun import Noun
from rushes.states import StepKind

SEEN_ENOUGH = 5
"""Attempts after which a class speaks for itself."""
MEMORY = 20
"""Attempts over which an average reaches: a change of machines or tools is learned in about as many."""
WIDEST = 50.0
"""A factor beyond this, or below its inverse, is no lesson but an accident."""
LEAST = 0.05
"""CPU seconds: no step takes less (`engine.specs`)."""
SOON = 0.001
"""Seconds: no step takes less time."""


class Learned(Noun):
    """What a class of work was seen to take."""

    n: int = 0
    factor: float = 1.0
    """CPU seconds taken by those planned, exponentially weighted."""
    spread: float = 0.0
    """Mean absolute deviation of the factor."""
    parallel: float = 0.0
    """CPU seconds by wall seconds: their harmonic mean, so that it gives the mean of wall times. 0: unknown."""


class Estimate(Noun):
    cpu: float
    """Seconds."""
    wall: float
    """Seconds, on a machine like those that were learned from."""
    spread: float
    """CPU seconds by which it is wrong on average; as much as `cpu` where nothing was learned."""
    n: int = 0
    """Attempts it was learned from."""


@dataclass(frozen=True)
class Seen:
    """One attempt that came to its end by work of its own."""

    kind: StepKind
    params: Mapping[str, Any]
    planned: float
    """CPU seconds, as the graph reckoned them."""
    cpu: float
    wall: float


def classes_of(kind: StepKind, params: Mapping[str, Any], planned: float) -> tuple[str, ...]:
    """Keys of a step's classes of work, narrowest first: `encode/h264/veryfast/1080/c3`, `encode/h264/veryfast`, `encode`."""
    size = f"c{_magnitude(planned)}"
    rungs = (params.get("ladder") or {}).get("rungs") if isinstance(params.get("ladder"), Mapping) else None
    if not rungs:
        return (f"{kind.value}/{size}", kind.value)
    top = rungs[0]
    wide = f"{kind.value}/{top.get('codec', 'h264')}/{top.get('preset', 'veryfast')}"
    lines = min(top.get("width", 0), top.get("height", 0))
    return (f"{wide}/{lines}x{len(rungs)}/{size}", wide, kind.value)


def _magnitude(planned: float) -> int:
    """Powers of four from the least on: small work has its fixed part, which large work has not."""
    return round(math.log(max(LEAST, planned) / LEAST, 4))


def known(keys: Iterable[str], learned: Mapping[str, Learned]) -> Learned:
    """The narrowest class that was seen often enough; one without lessons if there is none."""
    found = (learned[key] for key in keys if key in learned)
    return next((one for one in found if one.n >= SEEN_ENOUGH), Learned())


def estimate(
    kind: StepKind, params: Mapping[str, Any], learned: Mapping[str, Learned], planned: float = 1.0
) -> Estimate:
    """`planned`: CPU seconds as the graph reckoned them (`StepSpec.cost`)."""
    found = known(classes_of(kind, params, planned), learned)
    cpu = max(LEAST, planned * found.factor)
    spread = planned * found.spread if found.n else cpu
    wall = planned * found.factor if found.n else cpu  # the least is charged, not waited for
    return Estimate(cpu=cpu, wall=max(SOON, wall / (found.parallel or 1.0)), spread=spread, n=found.n)


def weighed(specs: Iterable[StepSpec], learned: Mapping[str, Learned]) -> list[StepSpec]:
    """Planned steps with what such work was seen to cost."""
    return [_weighed(spec, estimate(spec.kind, spec.params, learned, spec.cost)) for spec in specs]


def _weighed(spec: StepSpec, found: Estimate) -> StepSpec:
    if not found.n:
        return spec
    return spec.model_copy(update={"cost": found.cpu, "factor": found.cpu / spec.cost})


def lessons(seen: Seen) -> dict[str, Learned]:
    """What one attempt says of each of its classes."""
    ratio = min(WIDEST, max(1 / WIDEST, seen.cpu / max(LEAST, seen.planned)))
    parallel = max(1 / WIDEST, seen.cpu / seen.wall) if seen.wall > 0 and seen.cpu > 0 else 0.0
    one = Learned(n=1, factor=ratio, parallel=parallel)
    return dict.fromkeys(classes_of(seen.kind, seen.params, seen.planned), one)


def after(learned: Learned, lesson: Learned) -> Learned:
    """A class after one attempt more: an average of the first few, then an exponential one."""
    share = 1 / min(learned.n + 1, MEMORY)
    wrong = abs(lesson.factor - learned.factor) if learned.n else 0.0
    parallel = _mean(learned.parallel, lesson.parallel, share) if learned.parallel else lesson.parallel
    return Learned(
        n=learned.n + 1,
        factor=learned.factor + share * (lesson.factor - learned.factor),
        spread=learned.spread + share * (wrong - learned.spread),
        parallel=parallel if lesson.parallel else learned.parallel,
    )


def _mean(known: float, new: float, share: float) -> float:
    """Harmonic; one half of the attempts at a tenth of a core and the other at a whole one make a fifth, not a half."""
    return 1 / ((1 - share) / known + share / new) if new else known
