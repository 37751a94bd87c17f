"""What steps beside each other at one simulated worker have to do with each other: who gives way to whom (`workers.hurry`), and
who finds a child warm (`workers.children`). Pure."""

from __future__ import annotations

from collections import Counter

BRISK, CROWD, PATIENT, BULK = range(4)
"""Ranks of steps: those that somebody waits for; such ones of a tenant's second asset and of further ones, and of who has more
assets under way than another; all others; those that nobody waits for."""
URGENT_SPARE, CROWD_SPARE, PATIENT_SPARE = 3, 2, 2
"""Children that are kept warm, by rank (`workers.attempting`)."""


class Children:
    """Those of one rank, counted."""

    __slots__ = ("coming", "idle", "out", "spare")

    def __init__(self, spare: int, idle: int) -> None:
        self.spare, self.idle = spare, idle
        self.out = self.coming = 0

    def take(self) -> bool:
        """Whether there was a warm one."""
        self.out += 1
        if not self.idle:
            return False
        self.idle -= 1
        return True

    def put_back(self) -> int:
        """Gives how many have to be started so that those to come find one; they are `coming` from now on."""
        self.out -= 1
        if self.idle < self.spare:
            self.idle += 1
        ready = self.idle + self.coming
        missing = max(self.spare - ready - self.out, min(1, self.spare) - ready, 0)
        self.coming += missing
        return missing

    def warmed(self) -> None:
        self.coming -= 1
        self.idle += 1


class Household:
    """Of a worker with so many heavy slots."""

    __slots__ = ("_urgent", "children")

    def __init__(self, slots: int) -> None:
        few = min(slots, PATIENT_SPARE)
        self.children = (
            Children(URGENT_SPARE, URGENT_SPARE),
            Children(CROWD_SPARE, 0),
            Children(few, few),
            Children(few, 0),
        )
        self._urgent: dict[tuple[str, int], int] = {}
        """Urgent steps that run, by tenant and asset, in the order in which their assets began."""

    def hurry(self, tenant: str, asset: int) -> int:
        """An urgent step begins. Gives its rank."""
        mine = (tenant, asset)
        self._urgent[mine] = self._urgent.get(mine, 0) + 1
        assets = Counter(one[0] for one in self._urgent)
        first = next(one for one in self._urgent if one[0] == tenant)
        return BRISK if first == mine and assets[tenant] <= min(assets.values()) else CROWD

    def rest(self, tenant: str, asset: int) -> None:
        """It has ended."""
        left = self._urgent[tenant, asset] - 1
        if left:
            self._urgent[tenant, asset] = left
        else:
            del self._urgent[tenant, asset]
