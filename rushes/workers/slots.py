"""How many steps a worker does at a time, by pool. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rushes.engine.classes import Class
from rushes.settings import SettingsError
from rushes.states import APART, LIGHT, Pool

"""Pools of short steps; they have slots of their own, so that no encode keeps a fresh upload from being looked at."""
LIGHT_SLOTS = 3
"""The probe, a copy of the source and its checksum run beside each other."""
EXPRESS_SLOTS = 2
"""Light slots for urgent steps of who has next to none of them running here: behind a flood of another tenant, or behind the
checksums of its own last uploads, a fresh one would wait for the end of a step at every step of its own."""


@dataclass(frozen=True)
class Share:
    """Slots that some pools have together."""

    pools: tuple[Pool, ...]
    slots: int
    express: int = 0
    """Of them, those kept for urgent steps of tenants that have fewer urgent ones than this running in this share."""


@dataclass(frozen=True)
class Terms:
    """Who may have the next free slot of a share."""

    without: tuple[str, ...] = ()
    """Not these tenants."""
    least: Class = Class.BULK
    """No lower class."""


def terms(share: Share, running: Sequence[tuple[str, Class]]) -> Terms:
    """`running`: tenant and class of the steps that have its other slots."""
    if share.slots - len(running) > share.express:
        return Terms()
    served = Counter(tenant for tenant, level in running if level is Class.FAST)
    many = sorted(tenant for tenant, count in served.items() if count >= share.express)
    return Terms(tuple(many), Class.FAST)


def shares(pools: Sequence[Pool], slots: int, pulls: int, own: Mapping[Pool, int]) -> list[Share]:
    """`slots` are for all heavy pools together, but for those that have their `own`."""
    found = [Share((pool,), own[pool]) for pool in pools if pool in own]
    rest = [pool for pool in pools if pool not in own]
    light = Share(_of(rest, LIGHT), LIGHT_SLOTS + EXPRESS_SLOTS, EXPRESS_SLOTS)
    pull = Share(_of(rest, (Pool.PULL,)), pulls)
    heavy = Share(tuple(pool for pool in rest if pool not in APART), slots)
    return [share for share in (light, pull, heavy, *found) if share.pools]


def heavy_slots(found: Sequence[Share]) -> int:
    """What a worker is counted by, as what runs in its light ones is not: by it the catalog knows whether one is free, and when
    bulk has to make room. All that it has, where it does light work only."""
    heavy = [share.slots for share in found if not set(share.pools) <= set(APART)]
    return sum(heavy) or sum(share.slots for share in found)


def _of(pools: Sequence[Pool], wanted: Sequence[Pool]) -> tuple[Pool, ...]:
    return tuple(pool for pool in pools if pool in wanted)


def asked(text: str | None) -> dict[str, object]:
    """Settings of `--slots`: `4`, `video=4,speech=1`, or both, `4,speech=1`. None: not given."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    own = [part for part in parts if "=" in part]
    shared = [part for part in parts if "=" not in part]
    return {"slots": ",".join(shared) or None, "pool_slots": ",".join(own) or None}


def own_slots(text: str) -> dict[Pool, int]:
    """`video=4,speech=1`. Raises SettingsError."""
    found: dict[Pool, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        if name not in list(Pool) or not (number.isascii() and number.isdigit() and 1 <= int(number) <= 256):
            raise SettingsError(
                f"RUSHES_POOL_SLOTS: {part!r} is no pool with its slots (1 to 256), such as video=4; pools: {', '.join(Pool)}."
            )
        found[Pool(name)] = int(number)
    return found
