"""The workers of a simulated fleet, and the rules they keep. Pure nouns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rushes.states import Pool

LIGHT = (Pool.IO.value, Pool.PUBLISH.value)
"""Pools with slots of their own in every worker that serves them (`workers`)."""
_SPEC = re.compile(r"(?P<pools>[a-z+]+)=(?:(?P<least>\d+)\.\.)?(?P<count>\d+)(?:x(?P<cores>\d+))?(?::(?P<slots>\d+))?")


@dataclass(frozen=True)
class Group:
    """Workers that are alike."""

    pools: tuple[str, ...]
    count: int
    """Workers; where their number follows the work, at most."""
    cores: float = 4.0
    slots: int = 0
    """Heavy steps at a time; 0: one a core."""
    light: int = 5
    express: int = 2
    """Light slots that are kept for tenants with fewer steps than this in them (`workers.slots`)."""
    pulls: int = 4
    least: int | None = None
    """Workers that stay when there is nothing to do; None: all of them."""

    @property
    def name(self) -> str:
        return "all" if len(self.pools) == len(Pool) else "+".join(self.pools)

    @property
    def heavy(self) -> int:
        """Slots of its heavy steps."""
        return self.slots or max(1, int(self.cores))

    @property
    def shares(self) -> list[tuple[tuple[str, ...], int, int]]:
        """Pools, slots and express slots of each of a worker's dispatchers."""
        light = tuple(pool for pool in self.pools if pool in LIGHT)
        pulls = tuple(pool for pool in self.pools if pool == Pool.PULL.value)
        heavy = tuple(pool for pool in self.pools if pool not in LIGHT and pool != Pool.PULL.value)
        shares = [(light, self.light, self.express), (pulls, self.pulls, 0), (heavy, self.heavy, 0)]
        return [share for share in shares if share[0]]


def parse_group(text: str) -> Group:
    """`video=400x8`: 400 workers of 8 cores for that pool; `io+publish=20x4`; `video=0..400x8:4`: as many as the work asks for,
    with 4 slots each; `all=1x4`. Raises ValueError with a sentence."""
    found = _SPEC.fullmatch(text)
    if not found:
        raise ValueError(
            f"{text!r} is no group of workers. Write for example video=400x8, io+publish=20x4 or all=1x4:4."
        )
    names = found["pools"].split("+") if found["pools"] != "all" else [pool.value for pool in Pool]
    unknown = [name for name in names if name not in set(Pool)]
    if unknown:
        raise ValueError(f"There is no pool {', '.join(unknown)}; there are {', '.join(Pool)}, and all.")
    cores = float(found["cores"] or 4)
    if not cores:
        raise ValueError(f"{text!r}: a worker has at least one core.")
    least = int(found["least"]) if found["least"] else None
    return Group(tuple(names), int(found["count"]), cores, int(found["slots"] or 0), least=least)


@dataclass(frozen=True)
class Rules:
    """What holds for all workers. Seconds, unless it says otherwise; the defaults are those of the settings."""

    lease: float = 20.0
    heartbeat: float = 5.0
    drain: float = 20.0
    age: float = 900.0
    bell: float = 0.01
    """From ready to claimed by an idle worker."""
    engine: float = 0.005
    """CPU seconds that the worker and the database spend on a step, on the worker's machine."""
    child: float = 0.2
    """CPU seconds until a child has its imports done."""
    startup: float = 90.0
    """From the wish for a worker to its first claim."""
    loss: float = 0.0
    """Share of the workers that a provider takes back within an hour."""
    notice: float = 30.0
    """That it gives; 0: they are gone at once."""
    scale_every: float = 15.0
    scale_to: float = 60.0
    """Backlog that a group whose number follows the work aims at."""
    calm: float = 300.0
    """A group that is too large for so long becomes smaller."""
