"""What a simulated fleet is made of while it runs: assets under way, workers and their slots. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from rushes.engine.classes import Class
from rushes.engine.lanes import Lane, Look
from rushes.engine.simulate.fleet import Group
from rushes.engine.simulate.host import Host
from rushes.engine.simulate.shape import Shape


@dataclass(eq=False, slots=True)
class Life:
    """An asset under way."""

    number: int
    tenant: str
    shape: Shape
    at: float
    waits: list[int]
    left: int
    planned: list[float]
    """When its phases were planned."""
    mood: float
    """How slow all of its steps are, in standard deviations."""
    lanes: tuple[Lane, ...]


@dataclass(eq=False)
class Desk:
    """Slots of the workers of a group that serve the same pools."""

    pools: tuple[str, ...]
    slots: int
    express: int
    idle: deque[Host] = field(default_factory=deque)
    """A worker, once for each free slot."""
    served: dict[Host, Counter[tuple[str, bool]]] = field(default_factory=dict)
    """Steps that run there by tenant, and whether they are urgent; where some slots are express."""

    def look(self, host: Host) -> Look:
        """What a free slot of this worker looks for (`workers.slots.terms`): the last ones only for urgent steps of tenants with
        next to no urgent ones in the others."""
        served = self.served.get(host)
        if not served or self.slots - served.total() > self.express:
            return Look(self.pools)
        many = frozenset(tenant for (tenant, urgent), count in served.items() if urgent and count >= self.express)
        return Look(self.pools, many, least=int(Class.FAST))

    def begin(self, host: Host, lane: Lane) -> None:
        if self.express:
            self.served.setdefault(host, Counter())[_sort(lane)] += 1

    def end(self, host: Host, lane: Lane) -> None:
        if not self.express:
            return
        served, sort = self.served[host], _sort(lane)
        served[sort] -= 1
        if not served[sort]:
            del served[sort]
        if not served:
            del self.served[host]


def _sort(lane: Lane) -> tuple[str, bool]:
    return lane.key.tenant, lane.key.level == Class.FAST


class Crew:
    """The living workers of a group."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.desks = [Desk(*share) for share in group.shares]
        self.hosts: dict[Host, None] = {}
        self.coming = 0
        """Workers that were asked for and are not there yet."""
        self.calm_since = 0.0
