"""What a simulated fleet did: times to playable and ready, waits, use of machines, what it costs. Pure."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rushes.engine.simulate.arrivals import Arrival
from rushes.engine.simulate.fleet import Group
from rushes.engine.simulate.host import Host
from rushes.engine.simulate.shape import Task
from rushes.noun import Noun

HOUR = 3600.0
NEVER = -1.0
POINTS = (0.5, 0.95, 0.99)


class Times(Noun):
    """Seconds from the last byte."""

    count: int
    p50: float
    p95: float
    p99: float
    worst: float


class Use(Noun):
    """What a group of workers did."""

    group: str
    most: int
    """Workers at a time."""
    core_hours: float
    used: float
    """Share of them in which something ran."""
    steps: int
    cpu_hours: float
    """Of steps that came to their end."""
    wasted_cpu_hours: float
    """Of those that lost their worker."""
    cost: float


class Wait(Noun):
    """From ready to claimed, seconds."""

    pool: str
    level: int
    steps: int
    mean: float
    worst: float


class Report(Noun):
    uploads: int
    unfinished: int
    hours: float
    """Simulated, to the end of the last step."""
    playable: Times
    ready: Times
    by_label: dict[str, Times]
    """Times to ready of parts of the uploads."""
    by_tenant: dict[str, Times]
    """The same of tenants that were named."""
    groups: tuple[Use, ...]
    waits: tuple[Wait, ...]
    cost: float
    cost_per_thousand: float
    wasted: float
    """Share of the CPU seconds."""


def percentile(ordered: Sequence[float], point: float) -> float:
    """The least value that so many are not above (nearest rank)."""
    return ordered[max(0, -int(-point * len(ordered) // 1) - 1)] if ordered else 0.0


def times(values: Iterable[float]) -> Times:
    ordered = sorted(value for value in values if value != NEVER)
    p50, p95, p99 = (percentile(ordered, point) for point in POINTS)
    return Times(count=len(ordered), p50=p50, p95=p95, p99=p99, worst=ordered[-1] if ordered else 0.0)


@dataclass(slots=True)
class _Tally:
    count: int = 0
    total: float = 0.0
    most: float = 0.0


@dataclass(slots=True)
class _Ledger:
    """Of a group."""

    now: int = 0
    most: int = 0
    alive: float = 0.0
    busy: float = 0.0
    steps: int = 0
    cpu: float = 0.0
    wasted: float = 0.0


class Log:
    """What is written down while a fleet runs; in arrays, for there may be millions."""

    def __init__(self, groups: Sequence[Group], tenants: Sequence[str] = ()) -> None:
        """`tenants`: those whose times are told apart."""
        self._groups = tuple(groups)
        self._named: dict[str, array[int]] = {tenant: array("L") for tenant in tenants}
        """Numbers of their uploads."""
        self._playable, self._ready = array("d"), array("d")
        self._labels: dict[str, int] = {}
        self._label = array("I")
        self._ledgers = {id(group): _Ledger() for group in groups}
        self._waits: dict[tuple[str, int], _Tally] = defaultdict(_Tally)
        self._end = 0.0
        self._open = 0

    def arrived(self, number: int, found: Arrival) -> None:
        self._playable.append(NEVER)
        self._ready.append(NEVER)
        self._label.append(self._labels.setdefault(found.shape.name, len(self._labels)))
        if found.tenant in self._named:
            self._named[found.tenant].append(number)

    def reached(self, number: int, seconds: float, *, ready: bool) -> None:
        if ready:
            self._ready[number] = seconds
        if self._playable[number] == NEVER:
            self._playable[number] = seconds

    def playable_of(self, number: int) -> float:
        """Seconds of one upload, by the order in which they came."""
        return self._playable[number]

    def claimed(self, task: Task, waited: float) -> None:
        tally = self._waits[task.pool, task.level]
        tally.count += 1
        tally.total += waited
        tally.most = max(tally.most, waited)

    def ended(self, group: Group, task: Task, cpu: float) -> None:
        ledger = self._ledgers[id(group)]
        ledger.steps += 1
        ledger.cpu += cpu

    def wasted(self, group: Group, cpu: float) -> None:
        self._ledgers[id(group)].wasted += cpu

    def host_came(self, group: Group) -> None:
        ledger = self._ledgers[id(group)]
        ledger.now += 1
        ledger.most = max(ledger.most, ledger.now)

    def host_left(self, group: Group, host: Host, now: float) -> None:
        ledger = self._ledgers[id(group)]
        ledger.now -= 1
        ledger.alive += (now - host.born) * host.cores
        ledger.busy += host.busy

    def close(self, now: float, open_: int) -> None:
        self._end, self._open = now, open_

    def report(self, price: float) -> Report:
        """`price` of a core for an hour, in any currency."""
        groups = tuple(_use(group, self._ledgers[id(group)], price) for group in self._groups)
        cost, count = sum(use.cost for use in groups), len(self._ready)
        wasted, cpu = sum(use.wasted_cpu_hours for use in groups), sum(use.cpu_hours for use in groups)
        return Report(
            uploads=count, unfinished=self._open, hours=self._end / HOUR,
            playable=times(self._playable), ready=times(self._ready),
            by_label={
                name: times(self._ready[at] for at in range(count) if self._label[at] == number)
                for name, number in sorted(self._labels.items())
            },
            by_tenant={name: times(self._ready[at] for at in mine) for name, mine in self._named.items()},
            groups=groups,
            waits=tuple(
                Wait(pool=pool, level=level, steps=one.count, mean=one.total / one.count, worst=one.most)
                for (pool, level), one in sorted(self._waits.items())
            ),
            cost=cost, cost_per_thousand=1000 * cost / max(1, count), wasted=wasted / max(1e-9, cpu + wasted),
        )  # fmt: skip


def _use(group: Group, ledger: _Ledger, price: float) -> Use:
    hours = ledger.alive / HOUR
    return Use(
        group=group.name, most=ledger.most, core_hours=hours, used=ledger.busy / ledger.alive if ledger.alive else 0.0,
        steps=ledger.steps, cpu_hours=ledger.cpu / HOUR, wasted_cpu_hours=ledger.wasted / HOUR, cost=hours * price,
    )  # fmt: skip
