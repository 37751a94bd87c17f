"""What is known of a Source: where it lies and what a probe found in it. Durations in seconds, rates in bits per second."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from rushes.noun import Noun, Rate

Claim = Literal["measured", "bitstream", "index", "container", "assumed"]
"""Where a fact comes from, the most reliable first: from the decoded or counted media, the coded pictures themselves, the
container's index of samples, its plain word, or from nothing but custom."""


class Mastering(Noun):
    """The display that HDR was graded on (SMPTE ST 2086), as the file says; phones write nonsense here."""

    red: tuple[float, float]
    """CIE 1931 x and y."""
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]
    least: float
    """Nits."""
    most: float


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
    cut_off: float = 0.0
    """Seconds that the file declares beyond that and does not have, because it breaks off."""
    start: float = 0.0
    frames: int | None = None
    bitrate: int | None = None
    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    full_range: bool = False
    hdr: Literal["pq", "hlg"] | None = None
    hdr_format: Literal["hdr10", "hdr10+", "hlg", "dolby-vision"] | None = None
    """What a screen would call it; Dolby Vision where there is any, on whatever base."""
    dolby_vision: int | None = None
    """Its profile where the container names it: 5 has no base that others can show, 8 has one."""
    mastering: Mastering | None = None
    light: tuple[int, int] | None = None
    """Brightest pixel and brightest picture in nits (CTA-861.3), as the file says."""
    interlaced: bool = False
    field_order: Literal["tff", "bff"] | None = None
    """Which lines come first, where it was measured."""
    edits: int = 0
    """Stretches that an edit list shows; 0: there is none."""

    @property
    def average(self) -> Fraction:
        """Pictures a second over the whole length; `fps` is faster where a rate varies."""
        if not (self.vfr and self.frames and self.duration):
            return self.fps
        return Fraction(self.frames / self.duration)

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
    secondary: bool = False
    """A commentary, or a description for people who do not see or hear well."""
    empty: bool = False
    """Not one packet of it is in the file."""


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
    declared_duration: float | None = None
    """What the container says, believed or not."""
    restarts: int = 0
    """How often the clock of a transport stream began anew."""
    provenance: dict[str, Claim] = Field(default_factory=dict)
    """Where the facts of the video come from, by their names."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Without what is personal, unless the profile keeps that."""
    personal: tuple[str, ...] = ()
    """What personal metadata the file carries: `location`, `device`, `time`, `person`, `note`, `telemetry`, `other`. None
    of it is in an output."""
    warnings: tuple[str, ...] = ()
    keyframes: tuple[float, ...] = ()
    """Times of the first keyframes of the chosen video stream, from the container's index where it has one."""
    indexed: bool = False
    """The container says where the key pictures of the whole file are: by the sample tables of a plain MP4, or by cues."""


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
