"""A simulated machine: its steps share its cores as threads do. Pure.

One virtual clock for each rank of steps, from those that go first to those that nobody waits for (generalised processor sharing,
Parekh and Gallager 1993). Each advances by the share that its steps get of what they could use, so that a step ends when its clock
has advanced by the seconds it takes alone, and an event costs a logarithm however many run beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush

from rushes.engine.simulate.household import Household

WEIGHTS = (1.0, 0.33, 0.107, 0.015)
"""Of a step beside others by its rank: niceness 0, 5, 10 and 19 (Linux, sched_prio_to_weight)."""
TIE = 1e-9


@dataclass(slots=True)
class Part:
    """A step on a machine, or a child that begins there."""

    step: int
    """Below 0: a child."""
    cpu: float
    wall: float
    """Seconds it takes alone."""
    rank: int
    """`household.BRISK` ..."""
    actual: float
    """CPU seconds that are its own; `cpu` has also what the engine does for it."""
    end: float = 0.0
    """On its virtual clock."""
    began: float = 0.0
    gone: bool = False


@dataclass(slots=True)
class _Clock:
    weight: float
    now: float = 0.0
    rate: float = 1.0
    demand: float = 0.0
    """Cores that its steps could use."""
    heap: list[tuple[float, int, Part]] = field(default_factory=list)


class Host:
    __slots__ = ("at", "born", "busy", "clocks", "cores", "epoch", "household", "open", "parts", "scheduled", "used")

    def __init__(self, cores: float, born: float, household: Household | None = None) -> None:
        self.cores, self.born = cores, born
        self.household = household or Household(1)
        self.open = True
        """Whether it takes more steps."""
        self.at = born
        self.busy = 0.0
        """Core seconds that were used."""
        self.used = 0.0
        self.clocks = tuple(_Clock(weight) for weight in WEIGHTS)
        self.parts: dict[int, Part] = {}
        self.epoch = 0
        self.scheduled = -1.0
        """When its next end was last said to come; each new saying raises `epoch`."""

    def start(self, part: Part, now: float) -> None:
        self._advance(now)
        clock = self.clocks[part.rank]
        part.began, part.end = now, clock.now + part.wall
        heappush(clock.heap, (part.end, part.step, part))
        self.parts[part.step] = part
        clock.demand += part.cpu / part.wall
        self._share()

    def ended(self, now: float) -> list[Part]:
        """Those whose time has come; they are gone from here."""
        self._advance(now)
        found = []
        for clock in self.clocks:
            while clock.heap and (clock.heap[0][2].gone or clock.heap[0][0] <= clock.now + TIE):
                part = heappop(clock.heap)[2]
                if not part.gone:
                    self._remove(part)
                    found.append(part)
        return found

    def drop(self, step: int, now: float) -> float:
        """A step is stopped. Gives the CPU seconds of its own that went into it."""
        self._advance(now)
        part = self.parts[step]
        done = 1 - max(0.0, part.end - self.clocks[part.rank].now) / part.wall
        part.gone = True
        self._remove(part)
        return done * part.actual

    def next_end(self) -> float | None:
        """When a step ends, if nothing changes until then."""
        ends = [self._end_of(clock) for clock in self.clocks if clock.heap]
        return min((end for end in ends if end is not None), default=None)

    def _end_of(self, clock: _Clock) -> float | None:
        while clock.heap and clock.heap[0][2].gone:
            heappop(clock.heap)
        return self.at + max(0.0, clock.heap[0][0] - clock.now) / clock.rate if clock.heap else None

    def _remove(self, part: Part) -> None:
        del self.parts[part.step]
        clock = self.clocks[part.rank]
        clock.demand = max(0.0, clock.demand - part.cpu / part.wall) if self.parts else 0.0
        self._share()

    def _advance(self, now: float) -> None:
        passed = now - self.at
        if passed > 0:
            for clock in self.clocks:
                if clock.heap:
                    clock.now += passed * clock.rate
            self.busy += passed * self.used
            self.at = now

    def _share(self) -> None:
        """Each gets its weight of the cores, and none more than it can use: what the first of them leave is the others'."""
        left = self.cores
        weighed = sum(clock.weight * clock.demand for clock in self.clocks)
        self.used = 0.0
        for clock in self.clocks:
            whole = weighed <= TIE or clock.weight * left >= weighed
            clock.rate = 1.0 if whole else clock.weight * left / weighed
            self.used += clock.rate * clock.demand
            if whole:
                left -= clock.demand
                weighed -= clock.weight * clock.demand
