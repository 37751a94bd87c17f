"""What was read of a stream: the nouns that the rules look at. Pure.

Addresses are absolute (`https://...`, or `file:///` and a key or path). Times are seconds as exact fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

Attributes = Mapping[str, str]
"""Of a tag, as they stand there, quotes and all."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A whole file, or `length` bytes of it from `start` on."""

    uri: str
    start: int = 0
    length: int | None = None

    @property
    def name(self) -> str:
        """The end of its address, for a person."""
        short = "/".join(self.uri.split("?")[0].split("/")[-2:])
        return short if self.length is None else f"{short}[{self.start}+{self.length}]"


@dataclass(frozen=True)
class Key:
    """EXT-X-KEY."""

    attributes: Attributes

    @property
    def method(self) -> str:
        return self.attributes.get("METHOD", "")


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment as a manifest tells of it."""

    ref: Ref
    seconds: Fraction
    where: str
    init: Ref | None = None
    keys: tuple[Key, ...] = ()
    """By KEYFORMAT, as they stand there: a player takes one that it knows."""
    discontinuity: bool = False
    gap: bool = False
    ticks: int | None = None
    """DASH: S@t, of the timescale that the lane has; None where it is not said."""
    tiles: Attributes | None = None

    @property
    def key(self) -> Key | None:
        return self.keys[0] if self.keys else None


@dataclass(frozen=True)
class Tag:
    """One `#EXT` line: its name without `#`, the rest behind the colon, and that rest as an attribute list."""

    name: str
    value: str
    line: int
    attributes: Attributes
    doubles: tuple[str, ...] = ()
    """Names that stand twice in the list."""
    uri: str = ""
    """Of EXT-X-STREAM-INF: the line behind it."""


@dataclass(frozen=True)
class Playlist:
    """One m3u8 file, whichever kind."""

    uri: str
    where: str
    text: str
    tags: tuple[Tag, ...]
    pieces: tuple[Piece, ...]
    flaws: tuple[str, ...] = ()
    """What could not be read."""

    def all(self, name: str) -> list[Tag]:
        return [tag for tag in self.tags if tag.name == name]

    def first(self, name: str) -> Tag | None:
        return self._firsts.get(name)

    @cached_property
    def _firsts(self) -> Mapping[str, Tag]:
        return {tag.name: tag for tag in reversed(self.tags)}

    @cached_property
    def is_multivariant(self) -> bool:
        return not self._firsts.keys().isdisjoint(("EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF"))

    @cached_property
    def is_media(self) -> bool:
        return not self.is_multivariant

    @cached_property
    def iframes_only(self) -> bool:
        return self.first("EXT-X-I-FRAMES-ONLY") is not None

    @cached_property
    def images_only(self) -> bool:
        return self.first("EXT-X-IMAGES-ONLY") is not None

    @cached_property
    def ended(self) -> bool:
        return self.first("EXT-X-ENDLIST") is not None

    @cached_property
    def target(self) -> int:
        tag = self.first("EXT-X-TARGETDURATION")
        return int(tag.value) if tag and tag.value.isdecimal() and len(tag.value) < 10 else 0

    @cached_property
    def seconds(self) -> Fraction:
        return sum((piece.seconds for piece in self.pieces), Fraction(0))


@dataclass(frozen=True)
class Representation:
    """DASH: one of a set, with what it takes from those above it."""

    where: str
    attributes: Attributes
    """Its own, and those of the set that count for it."""
    pieces: tuple[Piece, ...]
    timescale: int = 1
    offset: int = 0
    """@presentationTimeOffset, ticks."""
    init: Ref | None = None
    index: Ref | None = None
    """SegmentBase: where the `sidx` box is said to be."""
    addressing: str = ""
    """SegmentTemplate, SegmentList, SegmentBase; empty where there is none."""
    timeline: tuple[tuple[int, int], ...] = ()
    """Start and length of each S as written, in ticks; empty without a SegmentTimeline."""
    properties: tuple[Attributes, ...] = ()
    """EssentialProperty and SupplementalProperty."""
    protections: tuple[Attributes, ...] = ()
    channels: tuple[Attributes, ...] = ()
    period: Fraction | None = None
    """Seconds of its period."""

    @property
    def seconds(self) -> Fraction:
        return sum((piece.seconds for piece in self.pieces), Fraction(0))

    @property
    def mime(self) -> str:
        return self.attributes.get("mimeType", "")


@dataclass(frozen=True)
class AdaptationSet:
    where: str
    attributes: Attributes
    members: tuple[Representation, ...]
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """One MPD."""

    uri: str
    where: str
    attributes: Attributes
    sets: tuple[AdaptationSet, ...]
    periods: int = 0
    addresses: tuple[str, ...] = ()
    """As written: BaseURL, media, initialization, sourceURL."""
    flaws: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What of it was left out."""


@dataclass(frozen=True)
class Entry:
    """What the init segment says of its track."""

    handler: str
    kind: str
    """The sample entry: `avc1`, `encv`."""
    codecs: str
    timescale: int
    width: int = 0
    height: int = 0
    """As shown: pixel shape and right angles reckoned in."""
    channels: int = 0
    sample_rate: int = 0
    transfer: int | None = None
    """colr nclx; None without one."""
    boxes: frozenset[str] = frozenset()
    """Inside the sample entry."""
    kid: str = ""
    """tenc: 32 hexadecimal digits."""
    scheme: str = ""
    """schm: `cbcs`."""
    entries: int = 1
    edits: int = 0
    edit_start: int = 0
    """media_time of the first edit that shows something."""


@dataclass(frozen=True)
class Init:
    """An init segment as it was read; `error` says why nothing is known of it."""

    ref: Ref
    size: int = 0
    digest: str = ""
    brands: tuple[str, ...] = ()
    tracks: tuple[Entry, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Fragment:
    """One segment's boxes; `error` says why nothing is known of it."""

    ref: Ref
    tfdt: int | None = None
    ticks: int = 0
    """Of all its samples together, in those of its track."""
    samples: int = 0
    sync: bool = False
    """Its first sample is one from which decoding may begin."""
    fragments: int = 0
    first_end: int = 0
    """Bytes from its start to the end of its first sample."""
    claimed: int = 0
    """Bytes that its boxes say it has; 0 where they do not say."""
    negative: bool = False
    """There are negative composition offsets."""
    kinds: tuple[str, ...] = ()
    """Its boxes, in their order."""
    error: str = ""


@dataclass(frozen=True)
class Index:
    """A `sidx` box."""

    ref: Ref
    timescale: int = 0
    start: int = 0
    """earliest_presentation_time."""
    first: int = 0
    """Position of the first byte that it is about."""
    sizes: tuple[int, ...] = ()
    ticks: tuple[int, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Picture:
    """A JPEG's size."""

    width: int = 0
    height: int = 0
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """What an HTTP server said to one request."""

    what: str
    """`get`, `again` (If-None-Match), `head`, `range`, `beyond`, `preflight`, `missing`, `compressed`."""
    kind: Literal["manifest", "playlist", "segment", "text", "other"]
    uri: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    length: int = 0
    """Bytes of its body."""


@dataclass(frozen=True)
class Stream:
    """All that was gathered."""

    playlists: Mapping[str, Playlist] = field(default_factory=dict)
    """By address; those that were named and could be read."""
    manifest: Manifest | None = None
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    """Bytes by address; None: it is not there. What was not looked for is not in it."""
    inits: Mapping[Ref, Init] = field(default_factory=dict)
    fragments: Mapping[Ref, Fragment] = field(default_factory=dict)
    indexes: Mapping[Ref, Index] = field(default_factory=dict)
    texts: Mapping[Ref, str] = field(default_factory=dict)
    """WebVTT segments."""
    pictures: Mapping[Ref, Picture] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, and why: limits, other origins."""
    missing: tuple[str, ...] = ()
    """Playlists that are named but could not be had."""
    growing: bool = False
    """It is still being made: playlists without an end are right."""
    reckoned: dict[tuple[str, int], int | None] = field(default_factory=dict, compare=False, repr=False)
    """Peaks by lane and target, each reckoned once: several variants share a sound."""

    @property
    def master(self) -> Playlist | None:
        return next((one for one in self.playlists.values() if one.is_multivariant), None)

    @property
    def media(self) -> list[Playlist]:
        return [one for one in self.playlists.values() if one.is_media]
