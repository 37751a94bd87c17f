"""The nouns: immutable, typed, JSON in and out. No room defines a second form of one of these.

Durations are seconds, rates bits per second, sizes bytes, segment durations ticks of their track's timescale.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rushes.facts import EarlyFacts, SourceFacts, SourceRef
from rushes.noun import Noun, Reason
from rushes.options import Options
from rushes.plan import Plan, Receipt, Rung
from rushes.states import Action, AssetState, Coverage, Pool, Publication, StepKind, StepState
from rushes.tracks import Track

# -- Results of steps -------------------------------------------------------------------------------------------------


class PullResult(Noun):
    """The source is there, as the object that the upload was to become."""

    kind: Literal["pull"] = "pull"
    upload: str
    size: int
    filename: str = ""


class ProbeResult(Noun):
    kind: Literal["probe"] = "probe"
    facts: SourceFacts
    plan: Plan
    """Where the profile aims at a quality: what is done if the analysis fails."""

    @model_validator(mode="before")
    @classmethod
    def _from_one_ladder(cls, values: Any) -> Any:  # noqa: ANN401 - whatever an older version has stored
        """Probes that were done before there were several codecs planned one ladder."""
        if not isinstance(values, dict) or "plan" in values or "ladder" not in values:
            return values
        rest = {name: value for name, value in values.items() if name != "ladder"}
        return {**rest, "plan": {"ladders": [values["ladder"]]}}


class AnalysisResult(Noun):
    kind: Literal["analysis"] = "analysis"
    plan: Plan
    receipts: tuple[Receipt, ...] = ()
    features: dict[str, float] = Field(default_factory=dict)
    """What was measured of the content: `spatial`, `temporal`, `grain`, `cuts`."""


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
    replaces: bool = False
    """Its tracks stand in for those of the same names: they were encoded again, because they missed what was aimed at."""
    expected_seconds: float | None = None
    """Of one chunk of several: what it was to give. How much is missing is known when all are there (`engine.shortfall`)."""
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
    missing_seconds: float = 0.0
    """As in the tracks it was made of: the largest."""
    decode_errors: int = 0
    """The sum of those of its tracks."""
    growing: bool = False
    """A first look in chunks: its playlists become longer, and there is no DASH manifest."""
    clear: tuple[Track, ...] = ()
    """What protected tracks were made of, where nobody but us can read it; empty where nothing is protected."""
    lazy: tuple[Rung, ...] = ()
    """What is not in it because nobody has wanted to see the video when it was made."""

    @property
    def readable(self) -> tuple[Track, ...]:
        """The tracks for steps that look at pictures or hear sound."""
        return self.clear or self.tracks


class LintResult(Noun):
    """What the stream checker says of a build. A build with failures of `must` rules is not published."""

    kind: Literal["lint"] = "lint"
    build: int
    certificate: str = ""
    """Key of the report in JSON, beside the manifests."""
    checked: int = 0
    """Rules that had something to look at."""
    musts: tuple[str, ...] = ()
    """Rules that failed, by identifier."""
    shoulds: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.musts


class ImageArtifact(Noun):
    key: str
    width: int
    height: int
    time: float | None = None
    score: float | None = None
    thumbhash: str | None = None
    """Of a poster: a blurred stand-in of about 25 bytes, in base64 (Evan Wallace, ThumbHash)."""


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
    """Seconds that each tile stands for."""
    track: Track | None = None
    """The same pictures on sheets of equal size, for players of HLS and DASH; None of older assets."""


class DownloadResult(Noun):
    """One progressive MP4 file with the very bytes of a rung and of the sound."""

    kind: Literal["download"] = "download"
    key: str
    size: int
    width: int
    height: int
    tracks: tuple[str, ...]
    """Names of the tracks in it."""


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
    purge: str = ""
    """Key of the list of paths that caches have to forget, one a line; empty where none has to."""


class Skipped(Noun):
    """A step that had nothing to do."""

    kind: Literal["skipped"] = "skipped"
    reason: Reason


Result = Annotated[
    PullResult
    | ProbeResult
    | AnalysisResult
    | ChecksumResult
    | TracksResult
    | PackageResult
    | LintResult
    | PosterResult
    | StoryboardResult
    | DownloadResult
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
    """Its end is that of the asset; of a later encode (`engine.rounds`), that of the encode."""
    priority: int = 0
    cost: float = 1.0
    """Estimated CPU seconds."""
    factor: float = 1.0
    """Of what the graph reckoned: what such work was seen to take (`engine.cost`)."""
    delay: float = 0.0
    """Seconds after its planning before which it is not begun."""


class StepView(Noun):
    """A step as the catalog shows it."""

    id: str
    key: str
    kind: Annotated[StepKind | str, Field(union_mode="left_to_right")]
    """Any name where a newer release has planned it."""
    pool: Annotated[Pool | str, Field(union_mode="left_to_right")]
    state: StepState
    required: bool
    progress: float
    attempts: int
    started_at: float | None = None
    finished_at: float | None = None
    reason: Reason | None = None
    cpu_seconds: float = 0.0
    avoided_cpu_seconds: float = 0.0
    """What it would have cost, where the result of the same work was there already and was copied."""


# -- Asset ------------------------------------------------------------------------------------------------------------


class Partial(Noun):
    """Says that, and how much of, a source could not be decoded."""

    missing_seconds: float
    decode_errors: int


class Encode(Noun):
    """Another making of an asset that is complete, by another profile. The first one has no record: it is the asset's own."""

    number: int = Field(ge=2)
    """Part of the keys of its steps: `encode.0~2`."""
    profile: str
    """`quality@1`."""
    requested_at: float
    build: int = 0
    """Its own that became the asset's; 0 as long as there is none."""
    given_up: bool = False
    """It was told to stop, so a retry does not take it up."""


class Demand(Noun):
    """Somebody wants to see the video: what was left out of its build is made."""

    plays: int = 0
    """Seen before that; as many as the setting asks for are a demand."""
    requested_at: float | None = None
    by: Literal["", "api", "play", "origin", "segment"] = ""
    """Who: a call, a player's beacon, a playlist or a segment asked of our own origin."""
    encode: int = 1
    """Which encode it is about."""


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
    profile: str = "fast"
    """What its newest complete build was made by."""
    policy: str = "development"
    options: Options = Options()
    encodes: tuple[Encode, ...] = ()
    """Those that were asked for after the first, oldest first."""
    source: SourceRef | None = None
    early: EarlyFacts | None = None
    """Known while it is still uploaded; `facts` replace it."""
    facts: SourceFacts | None = None
    partial: Partial | None = None
    build: int = 0
    """The newest complete set of manifests; 0 is none yet. That of a later encode only once its publication has ended."""
    published_build: int = 0
    growing: int = 0
    """The build whose playlists become longer; 0 where there is none."""
    tracks: tuple[Track, ...] = ()
    """The tracks of `build`."""
    key_version: int = 1
    """Of its media keys; rises when they are changed."""
    oldest_key: int = 1
    """Keys of earlier versions are not given out any more."""
    lazy: tuple[Rung, ...] = ()
    """What `build` could have beside them, once somebody wants to see the video."""
    demand: Demand = Demand()
    lint: LintResult | None = None
    """What the checker said of the newest build that it has looked at; None of older assets."""
    analysis: AnalysisResult | None = None
    """What the ladder was made from; None where the profile aims at no quality."""
    poster: ImageArtifact | None = None
    storyboard: StoryboardResult | None = None
    download: DownloadResult | None = None
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
