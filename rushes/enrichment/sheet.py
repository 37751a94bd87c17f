"""The plan of a storyboard: when each tile is taken and where it lies on the sprite. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from rushes.model import Cue

MOST_TILES = 100
COLUMNS = 10
LONG_SIDE = 160
"""Pixels of a tile's longer side, before rounding to even numbers."""
INTERVALS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(frozen=True)
class Sheet:
    """A grid of `count` tiles, filled row by row; tile n stands for `interval` seconds from n * interval on."""

    tile_width: int
    tile_height: int
    columns: int
    count: int
    interval: float
    duration: float

    @property
    def rows(self) -> int:
        return ceil(self.count / self.columns)

    @property
    def width(self) -> int:
        return self.columns * self.tile_width

    @property
    def height(self) -> int:
        return self.rows * self.tile_height

    def corner(self, number: int) -> tuple[int, int]:
        """Left and top of a tile in pixels."""
        return number % self.columns * self.tile_width, number // self.columns * self.tile_height

    def span(self, number: int) -> tuple[float, float]:
        """Start and end of what a tile stands for, in seconds."""
        end = self.duration if number == self.count - 1 else (number + 1) * self.interval
        return number * self.interval, end

    def times(self) -> list[float]:
        """When each tile is taken: in the middle of what it stands for."""
        return [sum(self.span(number)) / 2 for number in range(self.count)]


def plan(duration: float, size: tuple[int, int]) -> Sheet:
    """The sheet of a clip of `duration` seconds and pictures of that (width, height)."""
    interval = next((step for step in INTERVALS if duration <= step * MOST_TILES), duration / MOST_TILES)
    # A sliver of a last interval (2.002 s at 1 s) gets no tile of its own.
    count = max(1, ceil(duration / interval - 0.1))
    width, height = tile(size)
    return Sheet(width, height, min(COLUMNS, count), count, interval, duration)


def tile(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a tile of the picture's shape; even, at least 2, never larger than the picture."""
    scale = min(1.0, LONG_SIDE / max(size))
    width, height = (max(2, round(side * scale / 2) * 2) for side in size)
    return width, height


def cues(sheet: Sheet, sprite: str) -> list[Cue]:
    """Cues of a thumbnail track: `sprite.jpg#xywh=x,y,w,h` (W3C Media Fragments URI 1.0, section 4.2.2)."""
    found = []
    for number in range(sheet.count):
        start, end = sheet.span(number)
        left, top = sheet.corner(number)
        area = f"{left},{top},{sheet.tile_width},{sheet.tile_height}"
        found.append(Cue(start=start, end=end, text=f"{sprite}#xywh={area}"))
    return found
