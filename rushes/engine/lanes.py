"""Lanes of ready steps and whose turn it is: in memory what `catalog.queue` does in SQL. Pure.

The simulator runs on it, and a story test holds both to the same choices. Every rule is here once (`engine.fair` has the
arithmetic); statements in SQL refer to the methods of the same names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from rushes.engine import fair
from rushes.engine.fair import Share
from rushes.engine.version import GRAPH

Head = tuple[float, str | int]
"""Deadline and id of a ready step: the least of a lane goes first."""


class Key(NamedTuple):
    pool: str
    level: int
    """`engine.classes.Class`."""
    tenant: str
    version: int = GRAPH


@dataclass(eq=False, slots=True)
class Lane:
    """Ready steps of one key."""

    key: Key
    tag: float = 0.0
    """CPU seconds given so far, by weight."""
    open: bool = False
    """Seen with something in it. A lane whose last step was claimed stays open until a look finds it empty."""
    since: float = 0.0
    """When it was served last, or opened."""
    ready: dict[str | int, float] = field(default_factory=dict)
    """Deadlines by ids."""
    heads: list[Head] = field(default_factory=list)
    """A heap of them, with some that are not ready any more."""


Entry = tuple[float, float, str, int]
"""A lane in a heap of its pool and class: tag, when it was served last, tenant, version. It counts while the first two hold."""


class Look(NamedTuple):
    """What a worker looks for."""

    pools: tuple[str, ...]
    without: frozenset[str] = frozenset()
    """Tenants whose steps are left to others."""
    version: int = GRAPH
    """Newest graph that it knows."""
    least: int = 0
    """The lowest class that it looks for, but for an aged turn."""


_ANY = Look((), version=1 << 30)


def _equal(_: str) -> Share:
    return Share()


class Lanes:
    """`share` of a tenant: its weight, and the steps of one pool that it may have running. `age`: seconds after which a lane that
    was not served gets a share of the claims."""

    def __init__(self, share: Callable[[str], Share] = _equal, *, age: float = 900.0) -> None:
        self._share, self._age = share, age
        self._lanes: dict[Key, Lane] = {}
        self._open: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        """Heaps of those that are open, by pool and class."""
        self._shut: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        """And of the others, by the negative of their tags: the greatest first."""
        self._levels: dict[str, tuple[tuple[int, list[Entry]], ...]] = defaultdict(tuple)
        """Classes of a pool, the highest first, with their heaps."""
        self._waiting: dict[str, dict[Lane, None]] = defaultdict(dict)
        """Open lanes by pool, the one that was served longest ago first."""
        self._running: dict[tuple[str, str], int] = defaultdict(int)
        """Steps that run, by pool and tenant."""
        self._filled: set[tuple[str, str]] = set()
        """Those that have as many of them as they may."""

    def lane(self, key: Key) -> Lane:
        found = self._lanes.get(key)
        if found is None:
            found = self._lanes[key] = Lane(key)
            levels = {*(level for level, _ in self._levels[key.pool]), key.level}
            self._levels[key.pool] = tuple((one, self._open[key.pool, one]) for one in sorted(levels, reverse=True))
        return found

    # -- comes and goes ------------------------------------------------------------------------------------------------

    def enter(self, lane: Lane, head: Head, now: float) -> None:
        """A step has become ready."""
        if not lane.open:
            lane.tag = fair.entered(lane.tag, self.floor(lane.key.pool, lane.key.level))
            lane.open, lane.since = True, now
            self._tagged(lane)
            self._waiting[lane.key.pool][lane] = None
        lane.ready[head[1]] = head[0]
        heappush(lane.heads, head)

    def leave(self, lane: Lane, step: str | int) -> None:
        """A step is not ready any more, though nobody claimed it: it was cancelled."""
        lane.ready.pop(step, None)

    def floor(self, pool: str, level: int) -> float:
        """The least tag of the lanes of a pool and class that are open and may be served; where there is none, the greatest
        of all that were."""
        found = self._least(pool, self._open[pool, level], level, _ANY)
        return found.tag if found else self._greatest(pool, level)

    def _greatest(self, pool: str, level: int) -> float:
        heap = self._shut[pool, level]
        while heap and not self._is_shut(pool, level, heap[0]):
            heappop(heap)
        filled = max((entry[0] for entry in self._open[pool, level]), default=0.0)
        return max(-heap[0][0], filled) if heap else filled

    def _is_shut(self, pool: str, level: int, entry: Entry) -> bool:
        lane = self._lanes[Key(pool, level, *entry[2:])]
        return not lane.open and lane.tag == -entry[0]

    def _tagged(self, lane: Lane) -> None:
        """Its tag has changed, or it was opened or closed."""
        pool, level, tenant, version = lane.key
        if lane.open:
            heappush(self._open[pool, level], (lane.tag, lane.since, tenant, version))
            return
        heap = self._shut[pool, level]
        heappush(heap, (-lane.tag, 0.0, tenant, version))
        if len(heap) > 2 * len(self._lanes) + 100:  # most of them say what was
            heap[:] = sorted({entry for entry in heap if self._is_shut(pool, level, entry)})

    def _close(self, lane: Lane) -> None:
        lane.open = False
        self._tagged(lane)
        self._waiting[lane.key.pool].pop(lane, None)

    # -- whose turn it is ----------------------------------------------------------------------------------------------

    def is_quiet(self, pool: str) -> bool:
        """Whether a look into it would find nothing, and close nothing."""
        return not self._waiting[pool]

    def pick(self, look: Look, now: float, chance: float = 1.0) -> Lane | None:
        """Whose turn it is: the highest class of these pools, there the least tag, of equal ones that which was served longest
        ago. Tags of different pools say nothing of each other: of their lanes that goes first which was served longest ago.
        For a worker that knows graphs up to
        `version`. `chance` in [0, 1) is drawn for each claim. None: there is nothing to do."""
        if fair.is_aged_turn(chance) and (old := self._oldest(look, now)):
            if old.ready:
                return old
            self._close(old)
        while bests := [lane for pool in look.pools if (lane := self._best(pool, look))]:
            found = bests[0] if len(bests) == 1 else min(bests, key=lambda lane: (-lane.key.level, lane.since))
            if found.ready:
                return found
            self._close(found)
        return None

    def _best(self, pool: str, look: Look) -> Lane | None:
        for level, heap in self._levels[pool]:
            if level < look.least:
                return None
            if heap and (found := self._least(pool, heap, level, look)):
                return found
        return None

    def _least(self, pool: str, heap: list[Entry], level: int, look: Look) -> Lane | None:
        """Of the open lanes that may be served."""
        passed, found = [], None
        while heap and found is None:
            tag, since, tenant, theirs = heap[0]
            lane = self._lanes[Key(pool, level, tenant, theirs)]
            if not lane.open or lane.tag != tag or lane.since != since:
                heappop(heap)
            elif theirs > look.version or (pool, tenant) in self._filled or tenant in look.without:
                passed.append(heappop(heap))
            else:
                found = lane
        for entry in passed:
            heappush(heap, entry)
        return found

    def _oldest(self, look: Look, now: float) -> Lane | None:
        """The one that was served longest ago, if that is too long ago."""
        old = [lane for pool in look.pools if (lane := self._oldest_of(pool, now - self._age, look))]
        return min(old, key=lambda lane: lane.since, default=None)

    def _oldest_of(self, pool: str, before: float, look: Look) -> Lane | None:
        for lane in self._waiting[pool]:
            if lane.since >= before:
                return None
            tenant, version = lane.key.tenant, lane.key.version
            if version <= look.version and (pool, tenant) not in self._filled and tenant not in look.without:
                return lane
        return None

    # -- the claim and its end -----------------------------------------------------------------------------------------

    def claim(self, lane: Lane, now: float, estimate: Callable[[str | int], float]) -> str | int:
        """The id of the first step of a lane, which runs now. The lane is charged what it is to cost (CPU seconds)."""
        while True:
            deadline, step = heappop(lane.heads)
            if lane.ready.get(step) == deadline:
                break
        del lane.ready[step]
        pool, tenant, share = lane.key.pool, lane.key.tenant, self._share(lane.key.tenant)
        self._running[pool, tenant] += 1
        if share.running and self._running[pool, tenant] >= share.running:
            self._filled.add((pool, tenant))
        lane.tag, lane.since = fair.charged(lane.tag, estimate(step), share.weight), now
        self._tagged(lane)
        waiting = self._waiting[pool]
        waiting.pop(lane, None)
        waiting[lane] = None
        return step

    def end(self, lane: Lane, estimate: float, actual: float) -> None:
        """An attempt has ended, however: what it really took counts. CPU seconds."""
        place = lane.key.pool, lane.key.tenant
        self._running[place] -= 1
        self._filled.discard(place)
        if actual != estimate:
            lane.tag = fair.corrected(lane.tag, estimate, actual, self._share(lane.key.tenant).weight)
            self._tagged(lane)
