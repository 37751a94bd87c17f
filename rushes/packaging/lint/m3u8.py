"""Reads an m3u8 file, whatever is in it (RFC 8216bis section 4). Pure; what cannot be read becomes a flaw, never an exception."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from rushes.packaging.lint.numbers import address, decimal, whole
from rushes.packaging.lint.stream import Key, Piece, Playlist, Ref, Tag

MOST_LINES = 400_000
LONGEST_LINE = 65_536
_ATTRIBUTE = re.compile(r'\s*([^=,"\s]+)\s*=\s*("[^"]*"|[^",]*)\s*(?:,|$)')
_LISTS = frozenset(
    [
        "EXT-X-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-IMAGE-STREAM-INF",
        "EXT-X-KEY",
        "EXT-X-SESSION-KEY",
        "EXT-X-MAP",
        "EXT-X-TILES",
        "EXT-X-START",
        "EXT-X-SESSION-DATA",
        "EXT-X-DEFINE",
        "EXT-X-SERVER-CONTROL",
        "EXT-X-DATERANGE",
        "EXT-X-CONTENT-STEERING",
    ]
)


def parse(uri: str, where: str, data: bytes) -> Playlist:
    """The playlist in `data`, which was read from `uri`; `where` is what to call it."""
    text = data.decode("utf-8", "replace")
    flaws = [] if data.decode("utf-8", "ignore").encode() == data else ["it is not UTF-8"]
    if text.startswith("\ufeff"):
        flaws.append("it begins with a byte order mark")
        text = text[1:]
    lines = text.split("\n")  # no other sign ends a line (section 4.1), though Unicode has several
    if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        flaws.append(f"it has more than {MOST_LINES} lines, or one of more than {LONGEST_LINE} characters")
        lines = [line[:LONGEST_LINE] for line in lines[:MOST_LINES]]
    reader = _Reader(uri, where, flaws)
    for number, line in enumerate(lines, 1):
        reader.take(number, line.strip())
    return Playlist(uri, where, text, tuple(reader.tags), tuple(reader.pieces), tuple(flaws))


def attributes(text: str) -> tuple[dict[str, str], tuple[str, ...], bool]:
    """An attribute list (section 4.2), the names that stand in it twice, and whether all of it could be read."""
    found: dict[str, str] = {}
    doubles: list[str] = []
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None or match.end() == at:
            return found, tuple(doubles), False
        if match[1] in found:
            doubles.append(match[1])
        found.setdefault(match[1], match[2].strip())
        at = match.end()
    return found, tuple(doubles), True


def plain(value: str | None) -> str:
    """A quoted string without its quotes."""
    return (value or "").strip('"')


@dataclass
class _Reader:
    uri: str
    where: str
    flaws: list[str]
    tags: list[Tag] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    init: Ref | None = None
    keys: dict[str, Key] = field(default_factory=dict)
    tiles: Mapping[str, str] | None = None
    seconds: Fraction | None = None
    span: str = ""
    cut: bool = False
    gap: bool = False
    ends: dict[str, int] = field(default_factory=dict)
    """Where the last byte range of a file ended."""

    def take(self, number: int, line: str) -> None:
        if line.startswith("#EXT"):
            self._tag(number, line)
        elif line and not line.startswith("#"):
            self._address(number, line)

    def _tag(self, number: int, line: str) -> None:
        name, _, value = line[1:].partition(":")
        found, doubles, whole_list = attributes(value) if name in _LISTS else ({}, (), True)
        if not whole_list:
            self.flaws.append(f"line {number}: the attributes of {name} cannot be read")
        tag = Tag(name, value, number, found, doubles)
        self.tags.append(tag)
        self._effect(tag)

    def _effect(self, tag: Tag) -> None:
        match tag.name:
            case "EXTINF":
                self.seconds = decimal(tag.value.split(",", 1)[0].strip())
                if self.seconds is None:
                    self.flaws.append(f"line {tag.line}: {tag.value[:40]!r} is no duration")
                    self.seconds = Fraction(0)
            case "EXT-X-BYTERANGE":
                self.span = tag.value
            case "EXT-X-MAP":
                self.init = self._map(tag)
            case "EXT-X-KEY":
                if tag.attributes.get("METHOD") == "NONE":
                    self.keys.clear()
                else:
                    self.keys[tag.attributes.get("KEYFORMAT", "")] = Key(tag.attributes)
            case "EXT-X-TILES":
                self.tiles = tag.attributes
            case "EXT-X-DISCONTINUITY":
                self.cut = True
            case "EXT-X-GAP":
                self.gap = True

    def _map(self, tag: Tag) -> Ref | None:
        uri = address(self.uri, plain(tag.attributes.get("URI")))
        span = plain(tag.attributes.get("BYTERANGE"))
        if not span:
            return Ref(uri)
        length, _, start = span.partition("@")
        return Ref(uri, whole(start or "0") or 0, whole(length) or 0)

    def _address(self, number: int, line: str) -> None:
        if self.tags and self.tags[-1].name == "EXT-X-STREAM-INF" and not self.tags[-1].uri:
            last = self.tags[-1]
            self.tags[-1] = Tag(last.name, last.value, last.line, last.attributes, last.doubles, line)
            return
        if self.seconds is None:
            self.flaws.append(f"line {number}: an address without a tag that says what it is")
            return
        ref = self._ref(number, address(self.uri, line))
        where = f"{self.where} segment {len(self.pieces)} ({ref.name})"
        self.pieces.append(
            Piece(ref, self.seconds, where, self.init, tuple(self.keys.values()), self.cut, self.gap, tiles=self.tiles)
        )
        self.seconds, self.span, self.cut, self.gap = None, "", False, False

    def _ref(self, number: int, uri: str) -> Ref:
        if not self.span:
            return Ref(uri)
        length, _, start = self.span.partition("@")
        size, begin = whole(length.strip()), whole(start.strip()) if start else self.ends.get(uri)
        if size is None or begin is None:
            self.flaws.append(f"line {number}: the byte range {self.span[:40]!r} says no bytes")
            size, begin = size or 0, begin or 0
        self.ends[uri] = begin + size
        return Ref(uri, begin, size)


def addresses(playlist: Playlist) -> Iterator[tuple[str, str]]:
    """Every address in it as it is written, and where."""
    for number, line in enumerate(playlist.text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield f"{playlist.where} line {number}", line.strip()
    for tag in playlist.tags:
        if "URI" in tag.attributes:
            yield f"{playlist.where} line {tag.line}", plain(tag.attributes["URI"])
