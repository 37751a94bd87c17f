"""Profiles: what to make of a source. Files in TOML, validated before use, named and versioned on the asset."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rushes.noun import Noun
from rushes.options import Options


class RungTarget(Noun):
    """A nominal rung. `short_side` pixels; the ladder derives the other side from the source's shape."""

    short_side: int = Field(ge=16, le=4320)
    max_bitrate: int = Field(ge=10_000)
    lazy: bool = False
    """Made when somebody wants to see the video."""


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


Codec = Literal["h264", "hevc", "av1"]
"""Of a picture: ITU-T H.264, H.265, AV1."""


class CodecTarget(Noun):
    """One codec of a profile."""

    codec: Codec
    preset: str
    """The encoder's own: `veryfast` (x264, x265), `10` (SVT-AV1)."""
    crf: float = Field(ge=1, le=63)
    """Where no quality is aimed at."""
    rate: float = Field(default=1.0, gt=0, le=2)
    """Its caps, as a share of the rungs' caps: better codecs need fewer bits."""
    hdr: bool = False
    """Keeps the range of HDR sources, in 10 bits; makes nothing of others."""
    rungs: tuple[int, ...] = ()
    """The short sides that it is used for; empty: all of the profile."""
    lazy: bool = False
    """Made when somebody wants to see the video. Not the first codec."""


class QualityTarget(Noun):
    """What the content-aware ladder aims at."""

    vmaf: float = Field(default=94.0, ge=60, le=99)
    """Of the top rung."""
    model: Literal["phone", "default"] = "phone"
    """Seen from five picture heights (a phone), or by VMAF's first model."""


class VideoTargets(Noun):
    rungs: tuple[RungTarget, ...]
    codecs: tuple[CodecTarget, ...] = Field(min_length=1)
    """The first is what an asset is `ready` with; the others come later, in builds of their own."""
    quality: QualityTarget | None = None
    """None: every rung at its codec's CRF, below its cap."""
    reuse_source: bool = True
    """A source that already is a good rung is that rung."""
    max_fps: int = 60
    gop_seconds: float = 2.0
    segment_gops: int = 2

    @model_validator(mode="after")
    def _plays_everywhere(self) -> VideoTargets:
        if self.codecs[0].hdr:
            raise ValueError("the first codec is what every device plays, so it cannot be an HDR one")
        if any(target.hdr and target.codec == "h264" for target in self.codecs):
            raise ValueError("players know no HDR in H.264; say hevc or av1")
        if len({(target.codec, target.hdr) for target in self.codecs}) < len(self.codecs):
            raise ValueError("a codec is named twice")
        return self

    @model_validator(mode="after")
    def _ready_with_something(self) -> VideoTargets:
        first = self.codecs[0]
        if first.lazy:
            raise ValueError("the first codec is what an asset is ready with, so it cannot be lazy")
        eager = {target.short_side for target in self.rungs if not target.lazy}
        if not (eager & set(first.rungs) if first.rungs else eager):
            raise ValueError("at least one rung of the first codec must not be lazy: an asset is ready with those")
        return self

    @property
    def has_lazy(self) -> bool:
        """Something may be left to be made when somebody wants to see the video."""
        return any(target.lazy for target in self.rungs) or any(target.lazy for target in self.codecs)

    @model_validator(mode="before")
    @classmethod
    def _from_one_codec(cls, values: Any) -> Any:  # noqa: ANN401 - whatever a file or an older asset says
        """Assets that were planned before there were several codecs say `preset` and `crf` of the one."""
        if not isinstance(values, dict) or "codecs" in values or "preset" not in values:
            return values
        rest = {name: value for name, value in values.items() if name not in ("preset", "crf", "threads")}
        return rest | {"codecs": [{"codec": "h264", "preset": values["preset"], "crf": values.get("crf", 23)}]}


AudioCodec = Literal["aac", "opus"]


class AudioTargets(Noun):
    codecs: tuple[AudioCodec, ...] = ("aac",)
    """Every language in each of them. AAC comes first: there is no device without it."""
    opus_bitrate: int = Field(default=96_000, ge=6000, le=510_000)
    """Opus needs about a quarter less than AAC-LC (public listening test of 2014 at 96 kbit/s, Kamedo2)."""
    bitrate: int = 128_000
    """Of AAC."""
    sample_rate: int = 48_000
    channels: int = 2
    tracks: int = 4
    """At most this many languages are kept."""
    loudness: float | None = Field(default=None, ge=-40, le=-5)
    """LUFS that every track is brought to (EBU R 128); None: as loud as it was recorded."""
    true_peak: float = Field(default=-1.0, ge=-9, le=0)
    """dBTP that no peak passes where a loudness is aimed at."""
    silence: bool = False
    """A silent track for sources without sound, for players that need one."""

    @model_validator(mode="after")
    def _heard_everywhere(self) -> AudioTargets:
        if self.codecs[:1] != ("aac",) or len(set(self.codecs)) < len(self.codecs):
            raise ValueError("sound is made as aac, and as opus beside it at the most")
        return self

    def only(self, codec: AudioCodec) -> AudioTargets:
        """The same for one of the codecs. Opus counts in 48,000 samples a second, whatever goes in (RFC 6716 section 2)."""
        if codec == "aac":
            return self.model_copy(update={"codecs": (codec,)})
        return self.model_copy(update={"codecs": (codec,), "bitrate": self.opus_bitrate, "sample_rate": 48_000})


Layout = Literal["segments", "single"]


class OutputTargets(Noun):
    """What is made of the encoded tracks beside the manifests."""

    layout: Layout = "segments"
    """`single`: each track is one file that players read by byte ranges; fewer objects, for stores that count them."""
    protection: Literal["none", "aes-128", "cbcs"] = "none"
    """`aes-128`: HLS only, whole segments. `cbcs`: HLS and DASH, common encryption with ClearKey."""

    mp4: int = Field(default=0, ge=0, le=4320)
    """A single file to download, from the best H.264 rung of at most this short side, without another encode; 0: none."""
    audio_only: bool = False
    """A variant without picture, for listeners and for connections that carry no picture."""


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
    personal_metadata: bool = False
    """Places, devices, times and people that a source names are kept in its record; they are in no output in any case."""
    video: VideoTargets
    audio: AudioTargets = AudioTargets()
    outputs: OutputTargets = OutputTargets()
    enrichment: EnrichmentTargets = EnrichmentTargets()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _protectable(self) -> Profile:
        said, outputs = self.outputs.protection, self.outputs
        if said == "aes-128" and outputs.layout == "single":
            raise ValueError(
                "aes-128 encrypts whole segments, so they cannot be byte ranges; say layout segments, or cbcs"
            )
        if said == "cbcs" and any(target.codec == "av1" for target in self.video.codecs):
            raise ValueError("AV1 is not encrypted by cbcs here; leave av1 out, or say aes-128")
        if said != "none" and outputs.mp4:
            raise ValueError("a file to download would have the protected video in the clear; say mp4 = 0")
        return self

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"


def fitted(profile: Profile, options: Options) -> Profile:
    """A profile for an asset with options: what is cut or marked is no longer the source, so the source is not reused; and a
    watermark, which is a picture for ordinary screens, is not laid on HDR renditions."""
    if options.is_plain:
        return profile
    targets: dict[str, object] = {"reuse_source": False}
    if options.watermark is not None:
        targets["codecs"] = tuple(codec for codec in profile.video.codecs if not codec.hdr) or profile.video.codecs[:1]
    return profile.model_copy(update={"video": profile.video.model_copy(update=targets)})
