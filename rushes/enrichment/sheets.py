"""The plan of the sheets: the storyboard as players of HLS and DASH take it, in pictures of one size and one grid. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from rushes.enrichment.sheet import INTERVALS, MOST_TILES, Sheet, tile

SIDE = 5
"""Columns, and rows, of a full sheet: some tens of kilobytes, which a player has before somebody misses them."""
MOST_ON_SHEETS = 480
"""Tiles where only key pictures are decoded, which costs little: one every 10 seconds of 80 minutes."""


@dataclass(frozen=True)
class Sheets:
    """`count` tiles in sheets of `columns` x `rows`; tile n stands for `interval` seconds from n * interval on, to the end of
    the presentation: it may go on a little after the last picture."""

    columns: int
    rows: int
    count: int
    interval: int
    duration: Fraction

    @property
    def tiles(self) -> int:
        """On a full sheet."""
        return self.columns * self.rows

    def times(self) -> list[float]:
        """When each tile is taken: in the middle of what it stands for."""
        ends = [min(self.duration, Fraction((number + 1) * self.interval)) for number in range(self.count)]
        return [float(number * self.interval + end) / 2 for number, end in enumerate(ends)]

    def numbers(self) -> list[range]:
        """The tiles of each sheet."""
        return [range(at, min(at + self.tiles, self.count)) for at in range(0, self.count, self.tiles)]

    def ticks(self, timescale: int) -> list[int]:
        """What each sheet stands for. All but the last are full."""
        full, whole = self.tiles * self.interval * timescale, ceil(self.duration * timescale)
        return [min(full, whole - at) for at in range(0, whole, full)]

    def canvas(self, size: tuple[int, int]) -> Sheet:
        """A full sheet of a picture of that (width, height), to paint on."""
        width, height = tile(size)
        return Sheet(width, height, self.columns, self.tiles, float(self.interval), float(self.tiles * self.interval))


def plan_sheets(duration: Fraction, segment: float) -> Sheets:
    """The sheets of a presentation of `duration` seconds whose longest segment has `segment` seconds. What is taken more often
    than once a segment has to be decoded whole, so there are fewer of those."""
    interval = next((step for step in INTERVALS if _suits(step, duration, segment)), ceil(duration / MOST_ON_SHEETS))
    count = max(1, ceil(duration / int(interval)))
    columns = min(SIDE, count)
    return Sheets(columns, min(SIDE, ceil(count / columns)), count, int(interval), duration)


def _suits(step: float, duration: Fraction, segment: float) -> bool:
    most = MOST_ON_SHEETS if step >= segment else MOST_TILES
    return duration <= int(step) * most
