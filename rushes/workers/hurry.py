"""Whose urgent steps run at a worker, so that those of a flood give way to who has just one video. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Hurry:
    """Urgent steps that run, by tenant and asset, in the order in which their assets began."""

    def __init__(self) -> None:
        self._running: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def of(self, tenant: str, asset: str) -> Iterator[bool]:
        """While a step runs. Gives whether it goes first: it is of the first of its tenant's assets, and no other tenant has fewer
        of them running. Those that make one video playable beside each other go first together."""
        mine = (tenant, asset)
        self._running[mine] += 1
        try:
            yield self._is_first(mine)
        finally:
            self._running[mine] -= 1
            self._running += Counter()  # forgets those with none

    def _is_first(self, mine: tuple[str, str]) -> bool:
        assets = Counter(tenant for tenant, _ in self._running)
        first = next(one for one in self._running if one[0] == mine[0])
        return first == mine and assets[mine[0]] <= min(assets.values())
