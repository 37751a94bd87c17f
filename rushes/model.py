"""The nouns: immutable, typed, JSON in and out. No room defines a second form of one of these.

Durations are seconds, rates bits per second, sizes bytes, segment durations ticks of their track's timescale.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field

from rushes.facts import EarlyFacts, SourceFacts, SourceRef
from rushes.noun import Noun, Rate, Reason
from rushes.states import Action, AssetState, Coverage, Pool, Publication, StepKind, StepState

# -- Plan -------------------------------------------------------------------------------------------------------------


class Grid(Noun):
    """The asset's segment grid: cut times that every track obeys. Frame `n` starts at `n / fps` seconds."""

    fps: Rate
    gop_frames: int
    segment_frames: int

    @property
    def timescale(self) -> int:
        """Ticks per second in which one frame lasts `frame_ticks`, exactly; at least 10,000, as players are used to."""
        return self.fps.numerator * self._fineness

    @property
    def frame_ticks(self) -> int:
        return self.fps.denominator * self._fineness

    @property
    def _fineness(self) -> int:
        return 1 if self.fps.numerator >= 10_000 else 1000

    @property
    def segment_seconds(self) -> Fraction:
        return self.segment_frames / self.fps


class Rung(Noun):
    """One target of the Ladder. Width and height are even and upright."""

    name: str
    width: int
    height: int
    codec: Literal["h264"] = "h264"
    crf: int
    max_bitrate: int
    buffer_bits: int


class Ladder(Noun):
    """The plan: rungs from best to lowest, all on one grid."""

    rungs: tuple[Rung, ...]
    grid: Grid


# -- Results of steps -------------------------------------------------------------------------------------------------


class Segment(Noun):
    """One delivery piece of a track: file name relative to the track's prefix, ticks, bytes."""

    name: str
    ticks: int
    size: int
    keyframe_size: int = 0
    """Video: bytes from the start of the segment to the end of its first sample, which is an IDR. For I-frame playlists."""


class Track(Noun):
    """One delivered track: an init segment and media segments below `prefix` (text tracks have no init)."""

    name: str
    """Unique within an asset: `720p`, `audio`, `audio-de`, `captions-en`, `source` for a remuxed source."""
    kind: Literal["video", "audio", "text"]
    prefix: str
    init: str | None = "init.mp4"
    init_size: int = 0
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
    channels: int | None = None
    sample_rate: int | None = None
    default: bool = False

    @property
    def ticks(self) -> int:
        return sum(segment.ticks for segment in self.segments)

    @property
    def duration(self) -> float:
        return self.ticks / self.timescale

    @property
    def bytes(self) -> int:
        return self.init_size + sum(segment.size for segment in self.segments)


class PullResult(Noun):
    """The source is there, as the object that the upload was to become."""

    kind: Literal["pull"] = "pull"
    upload: str
    size: int
    filename: str = ""


class ProbeResult(Noun):
    kind: Literal["probe"] = "probe"
    facts: SourceFacts
    ladder: Ladder


class ChecksumResult(Noun):
    kind: Literal["checksum"] = "checksum"
    sha256: str


class TracksResult(Noun):
    """What remux, encode and audio give."""

    kind: Literal["tracks"] = "tracks"
    tracks: tuple[Track, ...]
    provisional: bool = False
    """A fast-lane result that a later build replaces."""
    decoded_seconds: float | None = None
    missing_seconds: float = 0.0
    """How much of the declared duration could not be decoded; over 0 the asset is partial."""
    decode_errors: int = 0


class PackageResult(Noun):
    kind: Literal["package"] = "package"
    build: int
    tracks: tuple[Track, ...]
    complete: bool
    """The whole ladder is in it; a provisional build is not complete."""
    bytes: int


class ImageArtifact(Noun):
    key: str
    width: int
    height: int
    time: float | None = None
    score: float | None = None


class PosterResult(Noun):
    kind: Literal["poster"] = "poster"
    poster: ImageArtifact


class StoryboardResult(Noun):
    kind: Literal["storyboard"] = "storyboard"
    sprite: ImageArtifact
    vtt_key: str
    tile_width: int
    tile_height: int
    columns: int
    count: int
    interval: float


class Cue(Noun):
    start: float
    end: float
    text: str
    trusted: bool = True


class TranscriptResult(Noun):
    kind: Literal["transcript"] = "transcript"
    language: str | None
    engine: str
    """`faster-whisper/small`, `pocketsphinx/en-us`."""
    trusted: bool
    """Drafts are not: they stay in the record and become captions only where the profile asks."""
    cues: tuple[Cue, ...]
    vtt_key: str
    json_key: str


class Label(Noun):
    name: str
    parents: tuple[str, ...] = ()
    score: float
    start: float
    end: float
    detector: str
    version: str


class CoverageEntry(Noun):
    detector: str
    version: str | None = None
    state: Coverage
    frames: int = 0
    reason: str | None = None


class LabelsResult(Noun):
    kind: Literal["labels"] = "labels"
    labels: tuple[Label, ...]
    coverage: tuple[CoverageEntry, ...]


class Verdict(Noun):
    action: Action
    policy: str
    """`strict@1`: name and version."""
    rules: tuple[str, ...]
    """Identifiers of the rules that led to the action, the decisive one first."""


class VerdictResult(Noun):
    kind: Literal["verdict"] = "verdict"
    verdict: Verdict


class PublishResult(Noun):
    kind: Literal["publish"] = "publish"
    build: int
    """The build that the pointer names now."""


class CleanupResult(Noun):
    kind: Literal["cleanup"] = "cleanup"
    objects: int


class Skipped(Noun):
    """A step that had nothing to do."""

    kind: Literal["skipped"] = "skipped"
    reason: Reason


Result = Annotated[
    PullResult
    | ProbeResult
    | ChecksumResult
    | TracksResult
    | PackageResult
    | PosterResult
    | StoryboardResult
    | TranscriptResult
    | LabelsResult
    | VerdictResult
    | PublishResult
    | CleanupResult
    | Skipped,
    Field(discriminator="kind"),
]


# -- Steps ------------------------------------------------------------------------------------------------------------


class StepSpec(Noun):
    """A step as the graph function plans it."""

    key: str
    """Unique within one source version of an asset: `encode.0`, `package.ready`."""
    kind: StepKind
    pool: Pool
    params: dict[str, Any] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    required: bool = True
    priority: int = 0
    cost: float = 1.0
    """Estimated CPU seconds."""


class StepView(Noun):
    """A step as the catalog shows it."""

    id: str
    key: str
    kind: StepKind
    pool: Pool
    state: StepState
    required: bool
    progress: float
    attempts: int
    started_at: float | None = None
    finished_at: float | None = None
    reason: Reason | None = None
    cpu_seconds: float = 0.0


# -- Asset ------------------------------------------------------------------------------------------------------------


class Partial(Noun):
    """Says that, and how much of, a source could not be decoded."""

    missing_seconds: float
    decode_errors: int


class Asset(Noun):
    """The durable thing. Times are seconds since the epoch here and RFC 3339 at the surface."""

    id: str
    tenant: str
    title: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    state: AssetState = AssetState.UPLOADING
    publication: Publication = Publication.PRIVATE
    reason: Reason | None = None
    created_at: float
    uploaded_at: float | None = None
    playable_at: float | None = None
    ready_at: float | None = None
    published_at: float | None = None
    deleted_at: float | None = None
    profile: str = "default"
    policy: str = "development"
    source: SourceRef | None = None
    early: EarlyFacts | None = None
    """Known while it is still uploaded; `facts` replace it."""
    facts: SourceFacts | None = None
    partial: Partial | None = None
    build: int = 0
    """The newest complete set of manifests; 0 is none yet."""
    published_build: int = 0
    tracks: tuple[Track, ...] = ()
    """The tracks of `build`."""
    poster: ImageArtifact | None = None
    storyboard: StoryboardResult | None = None
    transcript: TranscriptResult | None = None
    labels: tuple[Label, ...] = ()
    coverage: tuple[CoverageEntry, ...] = ()
    verdict: Verdict | None = None
    priority: int = 0
    """Added to that of its steps: what is imported gives way to what people wait for."""
    notes: tuple[Reason, ...] = ()
    """Optional parts that were skipped or failed, with the reason: `transcript skipped: no model`."""
    revision: int = 0
    """Rises with every change; the ETag."""
