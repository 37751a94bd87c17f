"""A Matroska or WebM file by its first bytes. Pure; RFC 8794 (EBML), RFC 9559 (Matroska)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from rushes.errors import StepFailure
from rushes.facts import EarlyFacts
from rushes.ingest.early_bytes import Look, View

_HEADER, _SEGMENT, _INFO, _TRACKS, _ENTRY, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1F43B675
_SCALE, _DURATION, _TYPE, _CODEC, _VIDEO, _WIDTH, _HEIGHT = 0x2AD7B1, 0x4489, 0x83, 0x86, 0xE0, 0xB0, 0xBA
_MOST = 2**20
_MAX_ELEMENTS = 500
"""A track has about 30 of them; nothing else before the tracks need be looked into."""
_PICTURE, _SOUND = 1, 2
_CODECS = {
    "V_VP8": "vp8", "V_VP9": "vp9", "V_AV1": "av1", "V_MPEG4/ISO/AVC": "h264", "V_MPEGH/ISO/HEVC": "hevc",
    "V_MPEG4/ISO/ASP": "mpeg4", "V_THEORA": "theora", "V_MJPEG": "mjpeg", "V_PRORES": "prores", "A_OPUS": "opus",
    "A_VORBIS": "vorbis", "A_AAC": "aac", "A_AC3": "ac3", "A_EAC3": "eac3", "A_FLAC": "flac", "A_MPEG/L3": "mp3",
}  # fmt: skip
_FILLING = (0xEC, 0xBF)
"""Room that is kept free, and checksums: what may lie anywhere."""
_NO_PICTURE = frozenset({_SOUND, 0x11})
"""Sound and subtitles."""


class _Broken(ValueError):
    """Not what the specifications describe; the demuxer may forgive it."""


@dataclass(frozen=True)
class _Element:
    id: int
    body: int
    end: int | None
    """None: its size is unknown, as that of a segment that is written while it is recorded."""


@dataclass
class _Found:
    duration: float | None = None
    tracks: list[dict[int, bytes]] | None = None
    wants: int = 0
    left: int = field(default=_MAX_ELEMENTS)


def look_webm(view: View) -> Look:
    """Raises StepFailure where there are tracks, but none with a picture."""
    found = _Found()
    try:
        _read(view.head, found)
    except _Broken:
        return Look(EarlyFacts(container="webm"))
    if found.tracks is None:
        return Look(EarlyFacts(container="webm"), wants=found.wants)
    kinds = [_number(track.get(_TYPE, b"")) for track in found.tracks]
    if kinds and set(kinds) <= _NO_PICTURE:
        raise StepFailure("no_video_stream")
    return Look(_facts(found.tracks, found.duration))


def _read(data: bytes, found: _Found) -> None:
    header = _element(data, 0)
    if header is None or header.id != _HEADER or header.end is None:
        raise _Broken
    segment = _element(data, header.end)
    if segment is None or segment.id != _SEGMENT:
        raise _Broken
    at = segment.body
    while found.tracks is None and (element := _element(data, at)) is not None:
        found.left -= 1
        if element.id == _CLUSTER or element.end is None or found.left < 0:
            return
        if element.id in (_INFO, _TRACKS) and element.end > len(data):
            found.wants = element.end if element.end <= _MOST else 0
            return
        if element.id == _INFO:
            found.duration = _duration(data, element, found)
        elif element.id == _TRACKS:
            found.tracks = [dict(_track(data, entry, found)) for entry in _entries(data, element, found)]
        at = element.end
    if found.tracks is None and at + 16 > len(data):
        found.wants = at + 16 if at + 16 <= _MOST else 0


def _element(data: bytes, at: int) -> _Element | None:
    """None where its head is not there whole."""
    if at + 12 > len(data):
        return None
    id_length = 9 - data[at].bit_length()
    if id_length > 4:
        raise _Broken
    size_at = at + id_length
    size_length = 9 - data[size_at].bit_length()
    if size_length > 8:
        raise _Broken
    body = size_at + size_length
    value = int.from_bytes(data[size_at:body]) & ~(1 << 7 * size_length)
    end = None if value == (1 << 7 * size_length) - 1 else body + value
    return _Element(int.from_bytes(data[at:size_at]), body, end)


def _children(data: bytes, parent: _Element, found: _Found) -> Iterator[_Element]:
    at, end = parent.body, parent.end or 0
    padded = data[:end] + bytes(12)  # the last elements may be shorter than the longest head
    while at < end:
        child = _element(padded, at)
        found.left -= 1
        if child is None or child.end is None or child.end > end or found.left < 0:
            raise _Broken
        yield child
        at = child.end


def _entries(data: bytes, tracks: _Element, found: _Found) -> Iterator[_Element]:
    for child in _children(data, tracks, found):
        if child.id == _ENTRY:
            yield child
        elif child.id not in _FILLING:
            raise _Broken


def _track(data: bytes, entry: _Element, found: _Found) -> Iterator[tuple[int, bytes]]:
    for child in _children(data, entry, found):
        if child.id == _VIDEO:
            yield from _track(data, child, found)
        else:
            yield child.id, data[child.body : child.end][:64]


def _duration(data: bytes, info: _Element, found: _Found) -> float | None:
    """Seconds (RFC 9559, sections 5.1.2.9 and 5.1.2.10)."""
    values = dict(_track(data, info, found))
    raw, scale = values.get(_DURATION, b""), _number(values.get(_SCALE, b"")) or 1_000_000
    if len(raw) not in (4, 8):
        return None
    (ticks,) = struct.unpack(">f" if len(raw) == 4 else ">d", raw)
    seconds = ticks * scale / 1e9
    return round(seconds, 3) if 0 < seconds < 1e9 else None


def _number(raw: bytes) -> int:
    return int.from_bytes(raw[:8])


def _facts(tracks: list[dict[int, bytes]], duration: float | None) -> EarlyFacts:
    video = next((track for track in tracks if _number(track.get(_TYPE, b"")) == _PICTURE), {})
    audio = next((track for track in tracks if _number(track.get(_TYPE, b"")) == _SOUND), {})
    return EarlyFacts(
        container="webm",
        duration=duration,
        width=_number(video.get(_WIDTH, b"")) or None,
        height=_number(video.get(_HEIGHT, b"")) or None,
        video_codec=_CODECS.get(_text(video.get(_CODEC, b""))),
        audio_codec=_CODECS.get(_text(audio.get(_CODEC, b"")).partition("/2")[0]),
    )


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("ascii", "replace")
