"""Profiles: what to make of a source. Files in TOML, validated before use, named and versioned on the asset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rushes.noun import Noun


class RungTarget(Noun):
    """A nominal rung. `short_side` pixels; the ladder derives the other side from the source's shape."""

    short_side: int = Field(ge=16, le=4320)
    max_bitrate: int = Field(ge=10_000)


class Limits(Noun):
    """What is refused, before work is spent on it."""

    bytes: int = 20_000_000_000
    duration: float = 4 * 3600.0
    side: int = 8192
    pixels: int = 7680 * 4320
    pixel_frames: float = 2.0e11
    """Width x height x frames. 4K60 for six minutes is 1.8e11."""
    streams: int = 128
    fps: float = 1000.0
    types: tuple[str, ...] = ()
    """Media types that are taken, as `video/mp4` or `video/*`; empty: all that we can read."""


class VideoTargets(Noun):
    rungs: tuple[RungTarget, ...]
    preset: str = "veryfast"
    crf: int = Field(default=23, ge=10, le=40)
    max_fps: int = 60
    gop_seconds: float = 2.0
    segment_gops: int = 2
    threads: int = Field(default=0, ge=0)
    """x264's bytes depend on its threads, so the number is part of the recipe. 0: the engine's fixed default."""


class AudioTargets(Noun):
    bitrate: int = 128_000
    sample_rate: int = 48_000
    channels: int = 2
    tracks: int = 4
    """At most this many languages are kept."""


class EnrichmentTargets(Noun):
    poster: bool = True
    storyboard: bool = True
    transcript: bool = True
    captions: Literal["trusted", "always", "never"] = "trusted"
    labels: bool = True


class Profile(Noun):
    name: str
    version: int
    fast_lane: bool = True
    video: VideoTargets
    audio: AudioTargets = AudioTargets()
    enrichment: EnrichmentTargets = EnrichmentTargets()
    limits: Limits = Limits()

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"
