"""How fast an import may go: objects or bytes in a time. Pure: the clock is the caller's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_RATE = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[kMG]?i?B)?/(?P<time>s|min|h)", re.ASCII)
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "kiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TIMES = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Rate:
    of: Literal["objects", "bytes"]
    per_second: float


def parse_rate(text: str) -> Rate:
    """`30/min`, `2/s`, `20MB/s`, `100GiB/h`. Raises ValueError with a sentence."""
    match = _RATE.fullmatch(text.strip())
    unit = match["unit"] if match else None
    if match is None or (unit is not None and unit not in _UNITS) or float(match["number"]) <= 0:
        raise ValueError("A rate looks like 30/min (objects) or 20MB/s (bytes); times are s, min and h.")
    per_second = float(match["number"]) * (_UNITS[unit] if unit else 1) / _TIMES[match["time"]]
    return Rate("bytes" if unit else "objects", per_second)


class Pacer:
    """Says how long to wait before the next amount may go, so that the rate holds on average, without bursts to catch up."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    def delay(self, amount: float, now: float) -> float:
        """Seconds to wait from `now` (a monotonic clock) before an amount that then counts as gone."""
        start = max(self._free_at, now)
        self._free_at = start + amount / self._per_second
        return start - now
