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
        """While a step runs. Gives whether it is of the first of its tenant's assets: the steps of further ones give way, those
        that make one video playable beside each other do not."""
        mine = (tenant, asset)
        self._running[mine] += 1
        try:
            yield next(one for one in self._running if one[0] == tenant) == mine
        finally:
            self._running[mine] -= 1
            self._running += Counter()  # forgets those with none
