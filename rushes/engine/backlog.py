"""How long workers need for what their pools have to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hands:
    """One living worker."""

    pools: frozenset[str]
    cores: float


def cores_for(pool: str, work: Mapping[str, float], workers: Sequence[Hands]) -> float:
    """Cores that a pool has for itself, where each worker shares its own among its pools by their work: what has more to do
    gets more of it, so that all of them come to their end together."""
    return sum(one.cores * _share(pool, work, one) for one in workers if pool in one.pools)


def _share(pool: str, work: Mapping[str, float], worker: Hands) -> float:
    total = sum(work.get(name, 0.0) for name in worker.pools)
    return work.get(pool, 0.0) / total if total > 0 else 1.0


def backlog_seconds(pool: str, work: Mapping[str, float], workers: Sequence[Hands]) -> float:
    """Seconds until the work of a pool is done; `work` in CPU seconds by pool. Without a worker as if there were one core, for
    what scales from nothing needs a number that is neither nothing nor endless."""
    mine = work.get(pool, 0.0)
    cores = cores_for(pool, work, workers)
    return mine / cores if cores > 0 else mine
