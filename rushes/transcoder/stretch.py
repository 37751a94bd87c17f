"""A stretch of the normalised picture, cut from the original to the frame. Pure.

Every command counts frames from the source's time zero and keeps those of its stretch, so that a picture has the same
number, and is the same picture, whether the source is read from its beginning or from a key picture before the stretch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from rushes.facts import SourceFacts
from rushes.plan import Chunk, Grid, Ladder

PREROLL_SECONDS = 1
"""Decoding begins at a key picture at least so long, and REORDERED frames, before the stretch. It makes good for containers
that are sought by decoding time, for pictures before an open group's key picture, and for what a deinterlacer compares."""
REORDERED = 16
"""Frames that a decoder may hold back (ITU-T H.264 section A.3.1, H.265 section A.4)."""
STATS_FORMAT = "{ptsi} {tbi}"
"""Of `-stats_enc_pre_fmt`: the source's timestamp of the picture that a frame was made from, and its unit."""
_LINE = re.compile(r"^(-?\d+) (\d+)/(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Stretch:
    """Frames of the source's normalised picture, from `first` on; `frames` None is to the end."""

    grid: Grid
    first: int = 0
    frames: int | None = None
    seek: Fraction | None = None
    """Seconds after time zero at or before which decoding begins; None: from the beginning."""
    at: int = 0
    """The frame of the asset that its first frame is: another number where the asset is a clip of its source."""

    @classmethod
    def of(cls, chunk: Chunk, in_source: Chunk, ladder: Ladder, facts: SourceFacts) -> Stretch:
        """`chunk` of the asset, and the same in frames of the source. Where the container does not say where key pictures
        are, all that lies before is decoded."""
        fps = ladder.grid.fps
        rate = facts.video.average if facts.video else fps
        start = in_source.first / fps - PREROLL_SECONDS - REORDERED / max(Fraction(1), rate)
        seek = start if facts.indexed and start > 0 else None
        return cls(ladder.grid, in_source.first, in_source.frames, seek, chunk.first)

    def from_the_beginning(self) -> Stretch:
        return replace(self, seek=None)

    @property
    def is_whole(self) -> bool:
        return self.first == 0 and self.frames is None

    @property
    def begins(self) -> Fraction:
        """Seconds after time zero at which its first frame is shown."""
        return self.first / self.grid.fps

    @property
    def before(self) -> float:
        """Seconds that are decoded before its first frame, as far as that can be known."""
        return float(self.begins - (self.seek or 0))

    def input_options(self) -> list[str]:
        """Before `-i`. Timestamps stay those of the whole source, and nothing that was decoded is dropped by time: a
        picture that began long before may be the one that is shown when the stretch begins."""
        if self.seek is None:
            return []
        return ["-copyts", "-start_at_zero", "-noaccurate_seek", "-ss", f"{float(self.seek):.6f}"]

    def filters(self) -> list[str]:
        """Behind the filter that makes the rate constant, which fills everything before the first picture with it: so
        frames are counted from time zero wherever decoding began. A hundred thousand filled ones take 0.05 s."""
        if self.is_whole:
            return []
        end = "" if self.frames is None else f":end_frame={self.first + self.frames}"
        return [f"trim=start_frame={self.first}{end}", "setpts=PTS-STARTPTS"]


@dataclass(frozen=True)
class Shown:
    """From which pictures of the source the frames of a stretch were made: their times in seconds, frame by frame."""

    times: tuple[Fraction, ...]

    @classmethod
    def read(cls, stats: str) -> Shown:
        """From what ffmpeg wrote by STATS_FORMAT."""
        lines = (tuple(map(int, match.groups())) for match in _LINE.finditer(stats))
        return cls(tuple(Fraction(ticks * numerator, denominator) for ticks, numerator, denominator in lines))

    def begins_late(self, stretch: Stretch) -> bool:
        """Whether the first frame shows a picture that belongs to a later one: decoding began too late. What is read from
        the source's beginning does so only where the source itself begins late."""
        half = Fraction(1, 2) / stretch.grid.fps
        return stretch.seek is not None and bool(self.times) and self.times[0] > stretch.begins + half

    def held(self, stretch: Stretch, longest: Fraction) -> int:
        """Frames that show a picture which should have made room for another one `longest` seconds before."""
        fps = stretch.grid.fps
        return sum((stretch.first + number) / fps - time > longest for number, time in enumerate(self.times))
