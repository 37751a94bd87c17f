"""A simulated machine: its steps share its cores as threads do. Pure.

Two virtual clocks (generalised processor sharing, Parekh and Gallager 1993): one for steps that go first, one for those that
give way. Each advances by the share that its steps get of what they could use, so that a step ends when its clock has advanced by
the seconds it takes alone, and an event costs a logarithm however many run beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush

GIVING_WAY = 0.1
"""Weight of a patient step beside a brisk one: niceness 10 (Linux, sched_prio_to_weight)."""
TIE = 1e-9


@dataclass(slots=True)
class Part:
    """A step on a machine."""

    step: int
    cpu: float
    wall: float
    """Seconds it takes alone."""
    brisk: bool
    actual: float
    """CPU seconds that are its own; `cpu` has also what the engine does for it."""
    end: float = 0.0
    """On its virtual clock."""
    gone: bool = False


@dataclass(slots=True)
class _Clock:
    now: float = 0.0
    rate: float = 1.0
    demand: float = 0.0
    """Cores that its steps could use."""
    heap: list[tuple[float, int, Part]] = field(default_factory=list)


class Host:
    __slots__ = ("at", "born", "brisk", "busy", "cores", "epoch", "open", "parts", "patient", "scheduled", "used")

    def __init__(self, cores: float, born: float) -> None:
        self.cores, self.born = cores, born
        self.open = True
        """Whether it takes more steps."""
        self.at = born
        self.busy = 0.0
        """Core seconds that were used."""
        self.used = 0.0
        self.brisk, self.patient = _Clock(), _Clock()
        self.parts: dict[int, Part] = {}
        self.epoch = 0
        self.scheduled = -1.0
        """When its next end was last said to come; each new saying raises `epoch`."""

    def start(self, part: Part, now: float) -> None:
        self._advance(now)
        clock = self.brisk if part.brisk else self.patient
        part.end = clock.now + part.wall
        heappush(clock.heap, (part.end, part.step, part))
        self.parts[part.step] = part
        clock.demand += part.cpu / part.wall
        self._share()

    def ended(self, now: float) -> list[Part]:
        """Those whose time has come; they are gone from here."""
        self._advance(now)
        found = []
        for clock in (self.brisk, self.patient):
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
        clock = self.brisk if part.brisk else self.patient
        done = 1 - max(0.0, part.end - clock.now) / part.wall
        part.gone = True
        self._remove(part)
        return done * part.actual

    def next_end(self) -> float | None:
        """When a step ends, if nothing changes until then."""
        ends = [self._end_of(clock) for clock in (self.brisk, self.patient)]
        return min((end for end in ends if end is not None), default=None)

    def _end_of(self, clock: _Clock) -> float | None:
        while clock.heap and clock.heap[0][2].gone:
            heappop(clock.heap)
        return self.at + max(0.0, clock.heap[0][0] - clock.now) / clock.rate if clock.heap else None

    def _remove(self, part: Part) -> None:
        del self.parts[part.step]
        clock = self.brisk if part.brisk else self.patient
        clock.demand = clock.demand - part.cpu / part.wall if self.parts else 0.0
        self._share()

    def _advance(self, now: float) -> None:
        passed = now - self.at
        if passed > 0:
            self.brisk.now += passed * self.brisk.rate
            self.patient.now += passed * self.patient.rate
            self.busy += passed * self.used
            self.at = now

    def _share(self) -> None:
        brisk, patient = self.brisk.demand, self.patient.demand
        if brisk + patient <= self.cores:
            self.brisk.rate = self.patient.rate = 1.0
            self.used = brisk + patient
            return
        least = self.cores * GIVING_WAY * patient / (brisk + GIVING_WAY * patient)
        theirs = min(patient, max(self.cores - brisk, least))
        ours = min(brisk, self.cores - theirs)
        self.patient.rate = theirs / patient if patient > TIE else 1.0
        self.brisk.rate = ours / brisk if brisk > TIE else 1.0
        self.used = self.cores
