"""How fast this host does what was estimated, beside others: a host that is slow in itself does not take what others would do
in half the time. Pure.

By CPU seconds, not by the clock: neighbours on a busy machine make a step last longer, but hardly dearer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

ENOUGH = 5
"""Steps before a worker's speed is believed."""
SHORTEST = 1.0
"""CPU seconds below which a step says little of its host."""
_WEIGHT = 0.2
"""Of the newest step."""
PEERS = 2
"""Others that must have been measured before their median means anything."""


@dataclass(frozen=True)
class Speed:
    """Estimated by measured CPU seconds, as a geometric mean that forgets."""

    steps: int = 0
    log: float = 0.0

    def after(self, estimate: float, measured: float) -> Speed:
        """One more step. Short ones, and those with no estimate, are left out."""
        if estimate < SHORTEST or measured <= 0.0:
            return self
        found = math.log(estimate / measured)
        weight = max(_WEIGHT, 1 / (self.steps + 1))
        return Speed(self.steps + 1, self.log + weight * (found - self.log))

    @property
    def value(self) -> float:
        """0: not known yet."""
        return math.exp(self.log) if self.steps >= ENOUGH else 0.0


@dataclass(frozen=True)
class Peer:
    """Another living worker."""

    pools: frozenset[str]
    speed: float
    works: bool
    """It takes work."""


def slowness(mine: float, pools: Sequence[str], peers: Sequence[Peer], share: float) -> str:
    """Why a worker is too slow to go on; empty where it is not, where nobody knows, or where a pool would be left without
    anybody who is faster."""
    alike = [peer for peer in peers if peer.speed > 0.0 and not peer.pools.isdisjoint(pools)]
    if not (mine > 0.0 and share > 0.0) or len(alike) < PEERS:
        return ""
    usual = median(peer.speed for peer in alike)
    if mine >= share * usual:
        return ""
    fast = [peer for peer in alike if peer.works and peer.speed >= share * usual]
    if not all(any(pool in peer.pools for peer in fast) for pool in pools):
        return ""
    return f"slow_host: {mine:.2f} beside a median of {usual:.2f}"
