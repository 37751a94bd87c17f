"""Tracks: what a player is given, piece by piece. Immutable, typed, JSON in and out.

Durations are seconds, rates bits per second, sizes bytes, segment durations ticks of their track's timescale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rushes.noun import Noun, Rate


class Segment(Noun):
    """One delivery piece of a track: file name relative to the track's prefix, ticks, bytes."""

    name: str
    ticks: int
    size: int
    keyframe_size: int = 0
    """Video: bytes from the start of the segment to the end of its first sample, which is an IDR. For I-frame playlists."""
    offset: int | None = None
    """Where it begins in the file `name`, of a track in a single file; None: the file is this segment."""


Scheme = Literal["aes-128", "cbcs"]
"""Whole segments for HLS (RFC 8216bis section 4.4.4.4), or samples for everything (ISO/IEC 23001-7 section 10.4)."""


class Protection(Noun):
    """How a track is encrypted; the key itself is nowhere beside the media."""

    scheme: Scheme
    kid: str
    """32 hexadecimal digits."""
    iv: str
    """32 hexadecimal digits; with `cbcs` the same for all samples."""


class Loudness(Noun):
    """How loud a source's sound is (EBU R 128), as it is mixed for delivery, and what was done to it."""

    integrated: float | None = None
    """LUFS of the whole track; None for silence and what is too short to be measured."""
    range: float = 0.0
    """LU."""
    true_peak: float | None = None
    """dBTP."""
    gain: float = 0.0
    """dB that were added."""
    limited: bool = False
    """Peaks were held down."""


class Track(Noun):
    """One delivered track: an init segment and media segments below `prefix` (text tracks have no init)."""

    name: str
    """Unique within an asset: `720p`, `audio`, `audio-de`, `captions-en`, `source` for a remuxed source."""
    kind: Literal["video", "audio", "text", "image"]
    prefix: str
    init: str | None = "init.mp4"
    init_size: int = 0
    index_size: int = 0
    """Of the segment index (`sidx`) behind the init segment, of a track in a single file."""
    codecs: str
    """RFC 6381, read from the real sample entry: `avc1.64001f`, `mp4a.40.2`, `wvtt`."""
    timescale: int
    segments: tuple[Segment, ...]
    start_ticks: int = 0
    """tfdt of the first segment."""
    language: str | None = None
    width: int | None = None
    height: int | None = None
    fps: Rate | None = None
    rotation: Literal[0, 90, 180, 270] = 0
    hdr: Literal["pq", "hlg"] | None = None
    """As in Rung."""
    channels: int | None = None
    sample_rate: int | None = None
    vmaf: float | None = None
    """Of a picture whose quality was measured: the mean over a few stretches of it, seen as the plan says (`Viewing`)."""
    loudness: Loudness | None = None
    """Of sound that was measured."""
    default: bool = False
    characteristics: tuple[str, ...] = ()
    """Of text: uniform type identifiers as in HLS (RFC 8216bis section 4.4.6.1, CHARACTERISTICS)."""
    tiles: tuple[int, int] | None = None
    """Of images: columns and rows of small pictures on each segment; width and height are those of one of them."""
    tile_ticks: int = 0
    """Of images: how long one small picture stands for."""
    protection: Protection | None = None
    """None: in the clear."""

    @property
    def ticks(self) -> int:
        return sum(segment.ticks for segment in self.segments)

    @property
    def duration(self) -> float:
        return self.ticks / self.timescale

    @property
    def in_one_file(self) -> bool:
        """Init segment, index and segments are byte ranges of one object."""
        return any(segment.offset is not None for segment in self.segments)

    @property
    def bytes(self) -> int:
        return self.init_size + self.index_size + sum(segment.size for segment in self.segments)


def has_dash(tracks: Sequence[Track]) -> bool:
    """Whether players of DASH can be given these tracks: whole encrypted segments are for HLS only."""
    return not any(track.protection and track.protection.scheme == "aes-128" for track in tracks)
