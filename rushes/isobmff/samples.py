"""Samples: the coded pictures and sound frames of a track, and how many of them we agree to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rushes.isobmff.boxes import BoxError

MAX_SAMPLES = 4_000_000  # four hours of 60 fps video and four AAC tracks stay below it


class Sample(NamedTuple):
    """One coded picture or sound frame. Times are ticks of the track's timescale, positions bytes of the file."""

    dts: int
    offset: int
    """Signed: presentation time minus `dts`."""
    duration: int
    position: int
    size: int
    sync: bool

    @property
    def pts(self) -> int:
        return self.dts + self.offset


def as_signed(offset: int) -> int:
    """A 32-bit composition offset as a signed number.

    Version 0 tables are unsigned on paper; writers store negative offsets in them all the same, and no real one
    reaches 2^31.
    """
    return offset - (1 << 32) if offset >> 31 else offset


@dataclass
class Budget:
    """How many samples a file may still claim. Every one of them costs it at least a byte."""

    left: int

    @classmethod
    def of(cls, size: int) -> Budget:
        return cls(min(size, MAX_SAMPLES))

    def take(self, count: int) -> None:
        if count > self.left:
            raise BoxError(f"{count} samples claimed; a file of this size may have {self.left} more")
        self.left -= count
