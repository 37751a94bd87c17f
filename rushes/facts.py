"""What is known of a Source: where it lies and what a probe found in it. Durations in seconds, rates in bits per second."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from rushes.noun import Noun, Rate


class VideoFacts(Noun):
    """One video stream as probed. Width and height are those of the coded picture, before rotation and SAR."""

    index: int
    codec: str
    profile: str | None = None
    width: int
    height: int
    sar: Rate = Fraction(1)
    rotation: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that a viewer must turn the coded picture to see it upright."""
    flip: bool = False
    """Mirrored horizontally after the rotation."""
    pix_fmt: str = "yuv420p"
    bit_depth: int = 8
    fps: Rate
    vfr: bool = False
    duration: float | None = None
    start: float = 0.0
    frames: int | None = None
    bitrate: int | None = None
    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    full_range: bool = False
    hdr: Literal["pq", "hlg"] | None = None
    interlaced: bool = False

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as seen: square pixels, upright. Never less than 1."""
        width, height = max(1, round(self.width * self.sar)), self.height
        return (height, width) if self.rotation in (90, 270) else (width, height)


class AudioFacts(Noun):
    index: int
    codec: str
    profile: str | None = None
    channels: int
    sample_rate: int
    language: str | None = None
    """BCP-47, or none where the file does not say."""
    bitrate: int | None = None
    duration: float | None = None
    start: float = 0.0
    default: bool = False


class SourceFacts(Noun):
    """What is known of a Source after the probe."""

    container: str
    """Our own name, from the magic bytes: mp4, webm, mpegts, avi, flv, ogg, gif, mp3, wav, flac, aac, mpegps, asf."""
    demuxer: str
    """The one demuxer ffmpeg is allowed to use on it."""
    size: int
    sha256: str | None = None
    duration: float
    bitrate: int | None = None
    video: VideoFacts | None = None
    audio: tuple[AudioFacts, ...] = ()
    streams: int = 0
    tags: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    keyframes: tuple[float, ...] = ()
    """Times of the first keyframes of the chosen video stream, from the container's index where it has one."""


class EarlyFacts(Noun):
    """What the first bytes of an upload say of it, before the rest is there; nothing of it is verified."""

    container: str
    """As in SourceFacts."""
    duration: float | None = None
    width: int | None = None
    """Of the coded picture, before rotation."""
    height: int | None = None
    rotation: Literal[0, 90, 180, 270] = 0
    video_codec: str | None = None
    audio_codec: str | None = None


class SourceRef(Noun):
    """Where the immutable original lies."""

    key: str
    version: int = 1
    size: int
    filename: str = ""
    sha256: str | None = None
    """Known once the checksum step has read the whole file."""
