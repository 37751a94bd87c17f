"""A fleet in simulated time: the lanes of `engine.lanes`, the graph of `engine.graph`, workers that share their cores. Pure.

Discrete events in a heap; the same seed gives the same run. Nothing here decides whose turn it is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from rushes.engine.fair import Share
from rushes.engine.lanes import Key, Lane, Lanes, Look
from rushes.engine.simulate.arrivals import Arrival
from rushes.engine.simulate.crew import Crew, Desk, Life
from rushes.engine.simulate.fleet import Group, Rules
from rushes.engine.simulate.host import Host, Part
from rushes.engine.simulate.household import BRISK, Household
from rushes.engine.simulate.report import Log
from rushes.engine.simulate.shape import Shape, Task
from rushes.engine.simulate.turnover import Turnover

PLACES = 12
"""Bits of a step's number that are its place in its shape."""


class Run:
    def __init__(
        self,
        groups: Sequence[Group],
        rules: Rules,
        share: Callable[[str], Share],
        seed: int = 0,
        tenants: Sequence[str] = (),
    ) -> None:
        """`tenants`: those whose times are told apart."""
        self.now = 0.0
        self.rules = rules
        self.random = Random(seed)  # noqa: S311 - a simulation has to be repeatable
        self.lanes = Lanes(share, age=rules.age)
        self.log = Log(groups, tenants)
        self.crews = [Crew(group) for group in groups]
        self.desks: dict[str, list[tuple[Crew, Desk]]] = defaultdict(list)
        """By pool."""
        for crew in self.crews:
            for desk in crew.desks:
                for pool in desk.pools:
                    self.desks[pool].append((crew, desk))
        self._lives: dict[int, Life] = {}
        self._numbers, self._order = count(), count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._places: dict[tuple[int, str], tuple[Lane, ...]] = {}
        self._homes: dict[int, tuple[Crew, Desk, Host]] = {}
        """Where a step runs."""
        self._ready_at: dict[int, float] = {}
        self.waiting: dict[str, float] = defaultdict(float)
        """CPU seconds of the steps that are ready, by pool."""
        self._expecting = True
        self._births = count(-1, -1)
        self.watch: Callable[[int, Task, float], None] | None = None
        """Told of each step that has ended: its upload, and the seconds since its claim."""

    def after(self, seconds: float, act: Callable[..., None], *about: Any) -> None:  # noqa: ANN401 - whatever `act` takes
        heappush(self._events, (self.now + seconds, next(self._order), act, about))

    def play(self, arrivals: Iterable[Arrival], until: float = float("inf")) -> Log:
        """Until everything is done that arrived, or until that time."""
        Turnover(self).begin()
        self._expect(iter(arrivals))
        while not self.is_over and self._events and self._events[0][0] <= until:
            self.now, _, act, about = heappop(self._events)
            act(*about)
        for crew in self.crews:
            for host in list(crew.hosts):
                self.log.host_left(crew.group, host, self.now)
        self.log.close(self.now, len(self._lives))
        return self.log

    @property
    def is_over(self) -> bool:
        """Nobody comes any more, and nothing is under way."""
        return not (self._expecting or self._lives)

    def _expect(self, coming: Iterator[Arrival]) -> None:
        found = next(coming, None)
        if found is None:
            self._expecting = False
            return
        self.after(found.at - self.now, self._arrive, found, coming)

    # -- assets --------------------------------------------------------------------------------------------------------

    def _arrive(self, found: Arrival, coming: Iterator[Arrival]) -> None:
        shape, number = found.shape, next(self._numbers)
        life = Life(
            number, found.tenant, shape, self.now, list(shape.waits), len(shape.tasks), [self.now, 0.0, 0.0],
            self.random.gauss(0.0, 1.0) if shape.together else 0.0, self._lanes_of(shape, found.tenant),
        )  # fmt: skip
        self._lives[number] = life
        self.log.arrived(number, found)
        self._ring({self._enter(life, place) for place in shape.first})
        self._expect(coming)

    def _lanes_of(self, shape: Shape, tenant: str) -> tuple[Lane, ...]:
        found = self._places.get((id(shape), tenant))
        if found is None:
            found = tuple(self.lanes.lane(Key(task.pool, task.level, tenant)) for task in shape.tasks)
            self._places[id(shape), tenant] = found
        return found

    def _enter(self, life: Life, place: int) -> str:
        """The step is ready. Gives its pool."""
        task, step = life.shape.tasks[place], life.number << PLACES | place
        self._ready_at[step] = self.now
        self.waiting[task.pool] += task.estimate
        self.lanes.enter(life.lanes[place], (life.planned[task.phase] + task.within, step), self.now)
        return task.pool

    def _done(self, life: Life, place: int) -> set[str]:
        """A step of it has ended; gives the pools that have more to do."""
        shape, task, woken = life.shape, life.shape.tasks[place], set()
        if task.triggers:
            life.planned[task.triggers] = self.now
        if place == shape.playable or place == shape.ready:
            self.log.reached(life.number, self.now - life.at, ready=place == shape.ready)
        for other in task.then:
            life.waits[other] -= 1
            if not life.waits[other]:
                woken.add(self._enter(life, other))
        life.left -= 1
        if not life.left:
            del self._lives[life.number]
        return woken

    # -- workers -------------------------------------------------------------------------------------------------------

    def hire(self, crew: Crew) -> Host:
        """A worker more, from now on."""
        host = Host(crew.group.cores, self.now, Household(crew.group.heavy))
        crew.hosts[host] = None
        self.log.host_came(crew.group)
        for desk in crew.desks:
            desk.idle.extend([host] * desk.slots)
        for desk in crew.desks:
            self._serve(crew, desk)
        return host

    def _ring(self, pools: Iterable[str]) -> None:
        for pool in sorted(pools):
            for crew, desk in self.desks[pool]:
                self._serve(crew, desk)

    def _serve(self, crew: Crew, desk: Desk) -> None:
        """Its free slots look for work."""
        stuck: list[Host] = []
        vain: set[Look] = set()
        while desk.idle and not all(map(self.lanes.is_quiet, desk.pools)):
            host = desk.idle.popleft()
            if not host.open:
                continue
            look = desk.look(host)
            lane = None if look in vain else self.lanes.pick(look, self.now, self.random.random())
            if lane is not None:
                self._start(crew, desk, host, lane)
                continue
            stuck.append(host)
            if not look.without and not look.least:
                break  # there is nothing for anybody
            vain.add(look)
        desk.idle.extendleft(reversed(stuck))

    def _start(self, crew: Crew, desk: Desk, host: Host, lane: Lane) -> None:
        step = int(self.lanes.claim(lane, self.now, self._estimate))
        task, life = self._task(step), self._lives[step >> PLACES]
        self.waiting[task.pool] -= task.estimate
        self.log.claimed(task, self.now - self._ready_at.pop(step))
        household = host.household
        rank = household.hurry(life.tenant, life.number) if task.rank == BRISK else task.rank
        cold = 0.0 if task.inline or household.children[rank].take() else self.rules.child
        scale = self._luck(task)
        cpu = task.cpu * scale
        wall = max(self._wall(task, life, scale), cpu / host.cores) + self.rules.bell + cold
        host.start(Part(step, cpu + self.rules.engine + cold, wall, rank, cpu), self.now)
        self._homes[step] = (crew, desk, host)
        desk.begin(host, lane)
        self._watch(host)

    def _task(self, step: int) -> Task:
        return self._lives[step >> PLACES].shape.tasks[step & (1 << PLACES) - 1]

    def _estimate(self, step: str | int) -> float:
        return self._task(int(step)).estimate

    def _luck(self, task: Task) -> float:
        """What this one takes by what its kind takes; the mean of all is 1."""
        return self.random.gammavariate(task.spread**-2, task.spread**2) if task.spread > 0.01 else 1.0

    def _wall(self, task: Task, life: Life, scale: float) -> float:
        """Seconds that this one takes alone."""
        if not task.wobble:
            return task.wall * scale
        shared = life.shape.together
        chance = math.sqrt(shared) * life.mood + math.sqrt(1 - shared) * self.random.gauss(0.0, 1.0)
        return task.wall * math.exp(task.wobble * chance)

    def _watch(self, host: Host) -> None:
        """See to it that we are there when the next of its steps ends."""
        end = host.next_end()
        if end is None:
            host.scheduled = -1.0
            host.epoch += 1
        elif abs(end - host.scheduled) > 1e-9:
            host.scheduled = end
            host.epoch += 1
            heappush(self._events, (end, next(self._order), self._look, (host, host.epoch)))

    def _look(self, host: Host, epoch: int) -> None:
        if epoch != host.epoch:
            return
        host.scheduled = -1.0
        for part in host.ended(self.now):
            if part.step < 0:
                host.household.children[part.rank].warmed()
            else:
                self._finish(host, part)
        self._watch(host)

    def _finish(self, host: Host, part: Part) -> None:
        crew, desk, _ = self._homes.pop(part.step)
        life, place = self._lives[part.step >> PLACES], part.step & (1 << PLACES) - 1
        task = life.shape.tasks[place]
        self.lanes.end(life.lanes[place], task.estimate, part.actual)
        self.log.ended(crew.group, task, part.actual)
        desk.end(host, life.lanes[place])
        self._free(host, task, part, life)
        woken = self._done(life, place)
        desk.idle.append(host)
        self._ring({*woken, task.pool})
        self._serve(crew, desk)

    def _free(self, host: Host, task: Task, part: Part, life: Life) -> None:
        """Its child is there for others, and those that are missing begin."""
        if self.watch:
            self.watch(life.number, task, self.now - part.began - self.rules.bell)
        if task.rank == BRISK:
            host.household.rest(life.tenant, life.number)
        if task.inline:
            return
        for _ in range(host.household.children[part.rank].put_back()):
            child = max(self.rules.child, 1e-3)
            host.start(Part(next(self._births), child, child, part.rank, 0.0), self.now)

    # -- losses --------------------------------------------------------------------------------------------------------

    def give_back(self, host: Host, step: int, delay: float) -> None:
        """A step loses its worker; it is ready again after `delay`, and what went into it is lost."""
        crew, desk, _ = self._homes.pop(step)
        desk.end(host, self._lives[step >> PLACES].lanes[step & (1 << PLACES) - 1])
        spent = host.drop(step, self.now)
        self.log.wasted(crew.group, spent)
        self.after(delay, self._again, step, spent)

    def _again(self, step: int, spent: float) -> None:
        life, place = self._lives[step >> PLACES], step & (1 << PLACES) - 1
        self.lanes.end(life.lanes[place], life.shape.tasks[place].estimate, spent)
        self._ring({self._enter(life, place)})

    def dismiss(self, crew: Crew, host: Host) -> None:
        """The worker is not there any more."""
        host.open = False
        crew.hosts.pop(host, None)
        self.log.host_left(crew.group, host, self.now)
