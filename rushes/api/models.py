"""The JSON that the API answers with, as models, so that OpenAPI documents it.

Times are RFC 3339 UTC, durations seconds, rates bits per second, sizes bytes. Fields are added, never renamed.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from rushes.model import CoverageEntry, Label, Partial, Verdict
from rushes.noun import Reason
from rushes.states import AssetState, Publication, StepKind, StepState


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
    interlaced: bool | None = None
    audio_codec: str | None = None
    audio_channels: int | None = None
    audio_sample_rate: int | None = None
    streams: int | None = None
    warnings: tuple[str, ...] = ()


class PrivatePlayback(View):
    """What the asset's owner may watch before, or without, publication. The addresses are secrets."""

    hls: str
    dash: str
    poster: str | None
    storyboard: str | None
    expires: str


class Playback(View):
    """Public addresses; null while the asset is not published."""

    hls: str | None = None
    dash: str | None = None
    poster: str | None = None
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


class TrackView(View):
    type: str = Field(description="video, audio, text")
    name: str
    language: str | None
    codec: str
    channels: int | None = None
    kind: str = Field(description="main, alternate, captions")
    duration: float
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
    kind: StepKind
    pool: str
    state: StepState
    required: bool
    progress: float = Field(description="0 to 1")
    attempts: int
    started_at: str | None
    finished_at: str | None
    cpu_seconds: float = Field(description="Of all attempts")
    reason: Reason | None


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
    profile: str
    policy: str
    duration: float | None
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
    notes: tuple[Reason, ...] = Field(description="Optional parts that are missing, and why")
    steps: tuple[StepJson, ...]
    cost: dict[str, float]
    revision: int


class EventView(View):
    seq: int
    id: str
    type: str
    asset: str
    at: str
    data: dict[str, Any]


class Why(View):
    asset: str
    why: str


Item = TypeVar("Item")


class Page(View, Generic[Item]):
    items: tuple[Item, ...]
    next: str | None = Field(description="Cursor of the next page; null on the last one")
