"""What a simulated fleet is made of while it runs: assets under way, workers and their slots. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

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
    lanes: tuple[Lane, ...]


@dataclass(eq=False)
class Desk:
    """Slots of the workers of a group that serve the same pools."""

    pools: tuple[str, ...]
    slots: int
    express: int
    idle: deque[Host] = field(default_factory=deque)
    """A worker, once for each free slot."""
    served: dict[Host, Counter[str]] = field(default_factory=dict)
    """Steps that run there by tenant, where some slots are express."""

    def look(self, host: Host) -> Look:
        """What a free slot of this worker looks for: the last ones only for tenants with next to nothing in the others."""
        served = self.served.get(host)
        if not served or self.slots - served.total() > self.express:
            return Look(self.pools)
        return Look(self.pools, frozenset(tenant for tenant, count in served.items() if count >= self.express))

    def begin(self, host: Host, tenant: str) -> None:
        if self.express:
            self.served.setdefault(host, Counter())[tenant] += 1

    def end(self, host: Host, tenant: str) -> None:
        if not self.express:
            return
        served = self.served[host]
        served[tenant] -= 1
        if not served[tenant]:
            del served[tenant]
        if not served:
            del self.served[host]


class Crew:
    """The living workers of a group."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.desks = [Desk(*share) for share in group.shares]
        self.hosts: dict[Host, None] = {}
        self.coming = 0
        """Workers that were asked for and are not there yet."""
        self.calm_since = 0.0
