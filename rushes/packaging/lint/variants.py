"""What a multivariant playlist offers: its variants, and the playlists that play together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rushes.packaging.lint.lanes import Lane, entry_of
from rushes.packaging.lint.m3u8 import plain
from rushes.packaging.lint.numbers import address
from rushes.packaging.lint.stream import Playlist, Stream, Tag

GROUPS = {"AUDIO": "AUDIO", "VIDEO": "VIDEO", "SUBTITLES": "SUBTITLES"}
"""Attribute of a variant -> TYPE of the group it names."""


@dataclass(frozen=True)
class Variant:
    master: Playlist
    tag: Tag

    @property
    def where(self) -> str:
        name = self.tag.uri or plain(self.tag.attributes.get("URI"))
        return f"{self.master.where} line {self.tag.line} ({name.rpartition('/')[2]})"

    def get(self, name: str) -> str | None:
        value = self.tag.attributes.get(name)
        return None if value is None else plain(value)

    @property
    def uri(self) -> str:
        return address(self.master.uri, self.tag.uri or plain(self.tag.attributes.get("URI")))


@dataclass(frozen=True)
class Alternate:
    """EXT-X-MEDIA."""

    master: Playlist
    tag: Tag

    @property
    def where(self) -> str:
        return f"{self.master.where} line {self.tag.line} ({self.get('TYPE')} {self.get('NAME')})"

    def get(self, name: str) -> str | None:
        value = self.tag.attributes.get(name)
        return None if value is None else plain(value)

    @property
    def group(self) -> tuple[str, str]:
        return self.get("TYPE") or "", self.get("GROUP-ID") or ""

    @property
    def uri(self) -> str:
        return address(self.master.uri, self.get("URI") or "") if self.get("URI") else ""


@dataclass(frozen=True)
class Group:
    master: Playlist
    kind: str
    name: str
    members: tuple[Alternate, ...]

    @property
    def where(self) -> str:
        return f"{self.master.where} {self.kind} group {self.name!r}"


def masters(stream: Stream) -> list[Playlist]:
    return [stream.master] if stream.master else []


def variants(stream: Stream) -> Iterator[Variant]:
    for master in masters(stream):
        yield from (Variant(master, tag) for tag in master.all("EXT-X-STREAM-INF"))


def iframe_variants(stream: Stream) -> Iterator[Variant]:
    for master in masters(stream):
        yield from (Variant(master, tag) for tag in master.all("EXT-X-I-FRAME-STREAM-INF"))


def image_variants(stream: Stream) -> Iterator[Variant]:
    for master in masters(stream):
        yield from (Variant(master, tag) for tag in master.all("EXT-X-IMAGE-STREAM-INF"))


def alternates(stream: Stream) -> Iterator[Alternate]:
    for master in masters(stream):
        yield from (Alternate(master, tag) for tag in master.all("EXT-X-MEDIA"))


def groups(stream: Stream) -> list[Group]:
    found: dict[tuple[str, str], list[Alternate]] = {}
    for one in alternates(stream):
        found.setdefault(one.group, []).append(one)
    return [Group(members[0].master, kind, name, tuple(members)) for (kind, name), members in found.items()]


def lane_at(stream: Stream, uri: str) -> Lane | None:
    playlist = stream.playlists.get(uri)
    return Lane(playlist.where, playlist.pieces, playlist) if playlist and playlist.is_media else None


def played(variant: Variant, stream: Stream) -> Mapping[str, list[Lane]]:
    """The lanes that play together, by what they are: those of a group are a choice. Where the variant's own playlist is
    one of a group (sound alone), it is named once."""
    found: dict[str, list[Lane]] = {}
    for attribute, kind in GROUPS.items():
        name = variant.get(attribute)
        members = [one for one in alternates(stream) if one.group == (kind, name) and one.uri] if name else []
        there = [lane for one in members if (lane := lane_at(stream, one.uri)) is not None]
        if there:
            found[kind] = there
    own = lane_at(stream, variant.uri)
    uris = {lane.source.uri for group in found.values() for lane in group if isinstance(lane.source, Playlist)}
    if own is not None and variant.uri not in uris:
        found["OWN"] = [own]
    return found


def video_of(variant: Variant, stream: Stream) -> Lane | None:
    """Its own playlist, where that has a picture."""
    own = lane_at(stream, variant.uri)
    entry = entry_of(own, stream) if own else None
    return own if entry and entry.handler == "vide" else None
