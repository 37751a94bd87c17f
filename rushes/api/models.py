"""The JSON that the API answers with, as models, so that OpenAPI documents it.

Times are RFC 3339 UTC, durations seconds, rates bits per second, sizes bytes. Fields are added, never renamed.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rushes.api.origins import serialized_origin
from rushes.model import CoverageEntry, Label, Partial, Verdict
from rushes.noun import Reason
from rushes.options import Clip, ClipField, MarkField, Placement, PlaybackField
from rushes.options import Playback as Playing
from rushes.plan import Receipt
from rushes.states import AssetState, Publication, StepState, TicketState
from rushes.tracks import Loudness


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SourceView(View):
    filename: str
    size: int
    version: int
    container: str | None = None
    sha256: str | None = None
    duration: float | None = None
    bitrate: int | None = None
    width: int | None = Field(default=None, description="Of the coded picture, before rotation and pixel shape")
    height: int | None = None
    display_width: int | None = Field(default=None, description="As seen: upright, square pixels")
    display_height: int | None = None
    rotation: int | None = Field(default=None, description="Degrees clockwise to turn the coded picture upright")
    fps: float | None = None
    vfr: bool | None = None
    frames: int | None = None
    video_codec: str | None = None
    video_profile: str | None = None
    bit_depth: int | None = None
    hdr: str | None = Field(default=None, description="`pq`, `hlg`, or none")
    hdr_format: str | None = Field(default=None, description="hdr10, hdr10+, hlg, dolby-vision")
    dolby_vision: int | None = Field(default=None, description="Its profile")
    interlaced: bool | None = None
    field_order: str | None = Field(default=None, description="`tff`, `bff`: which lines come first")
    declared_duration: float | None = Field(default=None, description="What the container says, believed or not")
    provenance: dict[str, str] = Field(
        default_factory=dict, description="Where facts of the video come from, by their names"
    )
    personal: tuple[str, ...] = Field(
        default=(), description="Kinds of personal metadata in the file; none is in an output"
    )
    audio_codec: str | None = None
    audio_channels: int | None = None
    audio_sample_rate: int | None = None
    streams: int | None = None
    warnings: tuple[str, ...] = ()


class WatermarkView(Placement):
    """What is laid on the picture, and where. Sizes are shares of the picture's."""

    name: str


class OptionsView(View):
    """What was asked for when the asset was created, beyond its profile."""

    clip: Clip | None = None
    watermark: WatermarkView | None = None
    playback: Playing = Field(default="public", description="`signed`: nothing is played without a token")


class LazyRungView(View):
    name: str
    codec: str
    short_side: int


class LazyView(View):
    """What its profile leaves to be made until somebody wants to see the video."""

    state: str = Field(description="none, available, wanted, making, made")
    missing: tuple[LazyRungView, ...] = Field(description="What the build that plays could have besides")
    plays: int = Field(description="Seen before it was wanted")
    requested_at: str | None
    by: str | None = Field(description="api, play, origin, segment")


class EncodeView(View):
    """An encode after the first."""

    number: int
    profile: str
    state: str = Field(description="waiting, running, done, failed, cancelled")
    requested_at: str


class AnalysisView(View):
    """What the ladder was made from."""

    features: dict[str, float] = Field(description="Measured of the content")
    receipts: tuple[Receipt, ...] = Field(description="Why each rendition is what it is: trials, prediction, reason")


class LintView(View):
    """What the stream checker said of the newest build that it has looked at."""

    build: int
    passed: bool = Field(description="No `must` rule failed; what has not passed is not published")
    checked: int = Field(description="Rules that had something to look at")
    musts: tuple[str, ...] = Field(description="Rules that failed, by identifier")
    shoulds: tuple[str, ...]
    url: str | None = Field(description="The certificate, with every finding; null while the asset is not published")


class CostView(View):
    cpu_seconds: float = Field(default=0.0, description="Of all attempts, wasted ones too")
    avoided_cpu_seconds: float = Field(default=0.0, description="What copied results would have cost")
    bytes_stored: float = Field(default=0.0, description="Of the source and the newest build")
    by_kind: dict[str, float] = Field(default_factory=dict, description="CPU seconds by kind of step")


class EarlyView(View):
    """What the first bytes say, while the rest is still on its way: not verified, and replaced by `source`."""

    container: str
    duration: float | None = None
    width: int | None = Field(default=None, description="Of the coded picture, before rotation")
    height: int | None = None
    rotation: int = Field(default=0, description="Degrees clockwise to turn the coded picture upright")
    video_codec: str | None = None
    audio_codec: str | None = None


class PrivatePlayback(View):
    """What the asset's owner may watch before, or without, publication. The addresses are secrets."""

    hls: str
    dash: str | None = Field(description="Null while a first look grows, and of what is encrypted for HLS alone")
    clearkey: str | None = Field(default=None, description="See `playback.clearkey`")
    poster: str | None
    thumbhash: str | None = Field(default=None, description="Of the poster; see `playback.thumbhash`")
    storyboard: str | None
    expires: str


class Playback(View):
    """Public addresses; null while the asset is not published."""

    hls: str | None = None
    dash: str | None = Field(
        default=None, description="Null too while a first look plays, and of what is encrypted for HLS alone (aes-128)"
    )
    clearkey: str | None = Field(
        default=None, description="Of protected media: where players that use the browser's ClearKey ask for keys"
    )
    mp4: str | None = Field(default=None, description="One file, to download or to play where nothing else can be")
    poster: str | None = None
    thumbhash: str | None = Field(
        default=None, description="A blurred stand-in for the poster: ThumbHash, about 20 bytes in base64"
    )
    storyboard: str | None = Field(default=None, description="WebVTT that names tiles of the sprite")
    preview: str | None = None
    private: PrivatePlayback | None = None


class RenditionView(View):
    name: str
    codec: str
    width: int
    height: int
    fps: float | None
    bitrate: int = Field(description="Average of the whole track")
    peak_bitrate: int = Field(description="Highest rate of any stretch of 0.5 to 1.5 target durations")
    segments: int
    vmaf: float | None = Field(default=None, description="As measured after the encode; as predicted where it was not")
    hdr: str | None = Field(default=None, description="`pq`, `hlg`, or none")


class TrackView(View):
    type: str = Field(description="video, audio, text, image")
    name: str
    language: str | None
    codec: str
    channels: int | None = None
    kind: str = Field(description="main, alternate, captions, storyboard")
    duration: float
    loudness: Loudness | None = Field(default=None, description="Of sound that was measured")
    url: str | None = Field(description="Media playlist; null while the asset is not published")


class TranscriptView(View):
    language: str | None
    engine: str
    trusted: bool
    cues: int
    url: str | None = Field(description="WebVTT; null while the asset is not published")
    json_url: str | None


class StepJson(View):
    key: str
    kind: str = Field(description="A name that is not known here is that of a newer release")
    pool: str
    state: StepState
    required: bool
    progress: float = Field(description="0 to 1")
    attempts: int
    started_at: str | None
    finished_at: str | None
    cpu_seconds: float = Field(description="Of all attempts")
    avoided_cpu_seconds: float = Field(default=0.0, description="What it would have cost, had it not been done before")
    reason: Reason | None


class OperatorView(View):
    """What concerns an operator of another's asset: its work, and not what its creator made of it."""

    id: str
    tenant: str
    state: AssetState
    publication: Publication
    reason: Reason | None = Field(description="Why it failed")
    class_: str = Field(serialization_alias="class", description="fast, normal, enrich, bulk")
    steps: tuple[StepJson, ...]


class AssetView(View):
    """The catalog's record of one asset."""

    id: str
    tenant: str
    title: str
    metadata: dict[str, str]
    state: AssetState
    publication: Publication
    reason: Reason | None = Field(description="Why it failed, in words for its creator")
    created_at: str
    uploaded_at: str | None
    playable_at: str | None
    ready_at: str | None
    published_at: str | None
    deleted_at: str | None
    profile: str = Field(description="What its newest complete build was made by")
    policy: str
    options: OptionsView
    encodes: tuple[EncodeView, ...] = Field(description="Those asked for after the first, oldest first")
    lazy: LazyView
    duration: float | None
    early: EarlyView | None = Field(
        default=None, description="Known while it is still uploaded; null from the probe on"
    )
    source: SourceView | None
    partial: Partial | None = Field(description="How much of the source could not be decoded")
    playback: Playback
    build: int
    published_build: int
    renditions: tuple[RenditionView, ...]
    tracks: tuple[TrackView, ...]
    labels: tuple[Label, ...]
    coverage: tuple[CoverageEntry, ...]
    verdict: Verdict | None
    transcript: TranscriptView | None
    lint: LintView | None = Field(description="Null until a build was checked, and of older assets")
    analysis: AnalysisView | None = Field(description="Null where the profile aims at no quality")
    notes: tuple[Reason, ...] = Field(description="Optional parts that are missing, and why")
    steps: tuple[StepJson, ...]
    cost: CostView
    revision: int


class TakenDown(AssetView):
    """The record of an asset that is not public any more."""

    purge: tuple[str, ...] = Field(description="Paths that caches have to forget; `*` stands for whatever follows")


class EventView(View):
    seq: int
    id: str
    type: str
    asset: str
    at: str
    data: dict[str, Any]


Item = TypeVar("Item")


class Page(View, Generic[Item]):
    items: tuple[Item, ...]
    next: str | None = Field(description="Cursor of the next page; null on the last one")


_MediaType = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,63}/(\*|[a-z0-9][a-z0-9.+-]{0,63})$")]
_Key = Annotated[str, Field(min_length=1, max_length=64)]
_Value = Annotated[str, Field(max_length=1024)]
_MAX_AGE = 7 * 86_400.0


class UploadAddress(BaseModel):
    """What a one-time upload address shall allow. Limits hold beside those of the settings and the profile."""

    model_config = ConfigDict(extra="forbid")

    expires_in: float = Field(default=3600.0, ge=1.0, le=_MAX_AGE, description="Seconds in which uploads may begin")
    cors_origin: str | list[str] | None = Field(
        default=None, description="Web sites whose pages may upload: `https://app.example.com`. Left out: all"
    )
    max_bytes: int | None = Field(default=None, ge=1)
    max_duration: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Seconds of video")
    types: list[_MediaType] = Field(
        default_factory=list, max_length=32, description="`video/mp4`, `video/*`. Left out: all that can be read"
    )
    count: int = Field(default=1, ge=1, le=1000, description="How many uploads it may make")
    title: str = Field(default="", max_length=500, description="Of the assets; goes before what the client says")
    metadata: dict[_Key, _Value] = Field(
        default_factory=dict, max_length=50, description="Of the assets; goes before what the client says"
    )
    profile: str | None = Field(default=None, max_length=255)
    policy: str | None = Field(default=None, max_length=255)
    clip: ClipField = Field(default=None, description="The stretch of the upload that is delivered")
    watermark: MarkField = Field(
        default=None, description="Laid on the picture: the name it was stored under, and where"
    )
    playback: PlaybackField = Field(default="public", description="`signed`: nothing is played without a token")

    @field_validator("cors_origin")
    @classmethod
    def _origins(cls, value: str | list[str] | None) -> list[str]:
        given = [value] if isinstance(value, str) else value or []
        if len(given) > 32:
            raise ValueError("at most 32 origins")
        return [serialized_origin(origin) for origin in given]

    @property
    def origins(self) -> list[str]:
        return [*self.cors_origin] if isinstance(self.cors_origin, list) else []


class TicketLimits(View):
    max_bytes: int | None
    max_duration: float | None = Field(description="Seconds")
    types: tuple[str, ...]
    cors_origin: tuple[str, ...]


class TicketUploadView(View):
    id: str
    state: str = Field(description="open, finished, terminated")
    length: int | None
    asset: str
    asset_state: AssetState
    reason: Reason | None = Field(description="Why the asset failed, in words for its creator")


class TicketView(View):
    """A one-time upload address."""

    id: str
    url: str | None = Field(
        description="The endpoint for the creator's client: a secret. Told when it is made, and only then"
    )
    state: TicketState
    created_at: str
    expires_at: str = Field(description="When it makes no upload any more; those it has made go on")
    cancelled_at: str | None
    count: int = Field(description="Uploads it may make")
    used: int = Field(description="Uploads it has made that were not given up")
    limits: TicketLimits
    title: str
    metadata: dict[str, str]
    profile: str | None
    policy: str | None
    options: OptionsView
    asset: str | None = Field(description="The first asset that came of it, else the one that is being uploaded")
    uploads: tuple[TicketUploadView, ...]
    reason: Reason | None = Field(description="Why nothing came of it")
