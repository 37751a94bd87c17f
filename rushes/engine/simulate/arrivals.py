"""Uploads as they come: recorded, or drawn. Pure: the random numbers are given."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from rushes.engine.simulate.shape import Shape

DAY = 86_400.0
SWING = 0.6
"""By how much the busiest hour is above the mean of the day, and the quietest below."""
EVENING = 20 * 3600.0
"""The busiest time of a day that begins at midnight."""


class Arrival(NamedTuple):
    at: float
    """Seconds; the source is complete."""
    tenant: str
    shape: Shape


class Mix(NamedTuple):
    """What is uploaded: a shape and how often it comes, in any unit."""

    shape: Shape
    share: float


def drawn(rate: float, seconds: float, mix: Sequence[Mix], tenants: int, random: Random) -> Iterator[Arrival]:
    """A Poisson process of `rate` a second on the mean, with the swing of a day; tenants by Zipf's law."""
    shapes, shares = [one.shape for one in mix], list(accumulate(one.share for one in mix))
    names = [f"tenant-{number}" for number in range(1, tenants + 1)]
    crowd = list(accumulate(1 / number for number in range(1, tenants + 1)))
    most, at = rate * (1 + SWING), 0.0
    while True:
        at += random.expovariate(most)
        if at >= seconds:
            return
        if random.random() * most < rate * swing(at, seconds):
            (tenant,) = random.choices(names, cum_weights=crowd)
            (found,) = random.choices(shapes, cum_weights=shares)
            yield Arrival(at, tenant, found)


def swing(at: float, seconds: float) -> float:
    """The rate at a time of the day by its mean. What is shorter than a day has none."""
    return 1 + SWING * math.cos(2 * math.pi * (at - EVENING) / DAY) if seconds >= DAY else 1.0
