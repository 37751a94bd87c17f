"""What steps would take alone, from what they took beside others: played again where they ran, they come out as they were. Pure.

Of most steps nobody has seen how long they take alone, and on a machine with other work nobody can. But the simulator knows what
ran beside them, so it finds out: it plays the uploads of a trace on the workers that it was recorded on, sees how much longer than
recorded the steps of each class took, and takes that off, some times over.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable

from rushes.engine.simulate.shape import SEEN_ENOUGH, Costs, Pace

ROUNDS = 8
MOST_TOGETHER = 0.9


class Walls:
    """How long steps took: logarithms of their seconds by those planned."""

    def __init__(self) -> None:
        self._logs: dict[str, list[float]] = defaultdict(list)
        self._steps: dict[str | int, list[tuple[tuple[str, ...], float]]] = defaultdict(list)

    def add(self, asset: str | int, classes: tuple[str, ...], share: float) -> None:
        """`share`: its seconds by the CPU seconds that were planned."""
        value = math.log(max(1e-4, share))
        for key in classes:
            self._logs[key].append(value)
        self._steps[asset].append((classes, value))

    def count(self, key: str) -> int:
        return len(self._logs.get(key, ()))

    def mean(self, key: str) -> float:
        """Geometric."""
        return math.exp(statistics.fmean(self._logs[key]))

    def wobble(self, key: str) -> float:
        return statistics.pstdev(self._logs[key])

    def together(self) -> float:
        """The correlation within an asset: of each two of its steps, by how many standard deviations they are off their classes."""
        means = {key: (statistics.fmean(logs), statistics.pstdev(logs)) for key, logs in self._logs.items()}
        total = pairs = 0.0
        for steps in self._steps.values():
            off = [one for one in (self._off(step, means) for step in steps) if one is not None]
            total += sum(off) ** 2 - sum(one * one for one in off)
            pairs += len(off) * (len(off) - 1)
        return min(MOST_TOGETHER, max(0.0, total / pairs)) if pairs else 0.0

    def _off(self, step: tuple[Iterable[str], float], means: dict[str, tuple[float, float]]) -> float | None:
        key = next((key for key in step[0] if self.count(key) >= SEEN_ENOUGH), None)
        if key is None or means[key][1] < 1e-6:
            return None
        return (step[1] - means[key][0]) / means[key][1]


def fitted(costs: Costs, replay: Callable[[Costs], Walls]) -> Costs:
    """`replay` plays the uploads of a trace with these costs, where they were recorded."""
    told = costs.together
    paces = {key: pace.model_copy(update={"wobble": pace.seen_wobble}) for key, pace in costs.paces.items()}
    found = Costs(costs.learned, paces, told)
    for _ in range(ROUNDS):
        walls = replay(found)
        paces = {key: _nearer(pace, walls, key) for key, pace in found.paces.items()}
        together = min(MOST_TOGETHER, max(0.0, found.together + told - walls.together()))
        found = Costs(costs.learned, paces, together)
    return found


def _nearer(pace: Pace, walls: Walls, key: str) -> Pace:
    if not pace.seen or walls.count(key) < SEEN_ENOUGH:
        return pace
    wall = min(pace.seen, pace.wall * pace.seen / walls.mean(key))
    spread = pace.wobble**2 + pace.seen_wobble**2 - walls.wobble(key) ** 2
    return pace.model_copy(update={"wall": wall, "wobble": min(pace.seen_wobble, math.sqrt(max(0.0, spread)))})
