"""What a game day promises, and what it measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

OVERHEAD = 15.0
"""Seconds beyond a lease within which a dead worker's step runs elsewhere: 35 s at the shipped lease of 20 s."""
WITHOUT_BELL = 10.0
"""Seconds within which work goes on after the doorbell has forgotten everything."""


@dataclass(frozen=True)
class Bound:
    what: str
    limit: float
    measured: float
    """Seconds, or a count; as in `unit`."""
    unit: str = "s"

    @property
    def held(self) -> bool:
        return self.measured <= self.limit


@dataclass
class Bounds:
    """Gathers them while a fault runs."""

    found: list[Bound] = field(default_factory=list)

    def within(self, what: str, limit: float, seconds: float) -> None:
        self.found.append(Bound(what, limit, seconds))

    def at_most(self, what: str, limit: int, count: int) -> None:
        self.found.append(Bound(what, limit, count, ""))

    def true(self, what: str, said: object) -> None:
        """What either is or is not."""
        self.found.append(Bound(what, 0, 0 if said else 1, "wrong"))

    @property
    def held(self) -> bool:
        return all(bound.held for bound in self.found)

    def lines(self) -> list[str]:
        return [_line(bound) for bound in self.found]


def _line(bound: Bound) -> str:
    mark = "held  " if bound.held else "BROKEN"
    if bound.unit == "wrong":
        return f"{mark}  {bound.what}"
    unit = f" {bound.unit}" if bound.unit else ""
    return f"{mark}  {bound.what}: {bound.measured:.4g}{unit}, bound {bound.limit:.4g}{unit}"


def broken(bounds: Sequence[Bound]) -> list[str]:
    return [_line(bound) for bound in bounds if not bound.held]
