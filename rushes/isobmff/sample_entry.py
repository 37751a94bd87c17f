"""Sample entries (`stsd`): what a decoder has to know, read from ISO and QuickTime files and written the ISO way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack

from rushes.isobmff.boxes import Box, BoxError, Data, box, iter_boxes
from rushes.isobmff.codecs import CONFIGURATION, codecs_of
from rushes.isobmff.descriptors import AudioObject, read_esds
from rushes.isobmff.fields import Fields

HDR = frozenset({16, 18})
"""Transfer characteristics: PQ and HLG."""
_VISUAL_FIELDS, _SOUND_FIELDS = 78, 28
_QUICKTIME_SOUND = {0: 28, 1: 44, 2: 64}  # QuickTime File Format, "Sound Sample Descriptions": version -> bytes
_KEPT = {"colr", "pasp", "clap", "mdcv", "clli", "btrt", "dOps", "dfLa", "dac3", "dec3", "vpcC", "dvcC", "dvvC"}
_SQUARE = box("pasp", pack(">II", 1, 1))


@dataclass(frozen=True)
class SampleEntry:
    """One sample description. `content` is the whole box, clean enough for CMAF where the format is a known one."""

    kind: str
    content: bytes
    codecs: str
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0
    sar: tuple[int, int] = (1, 1)


def read_sample_entry(data: Data, stsd: Box, handler: str) -> SampleEntry:
    """The first description of a track. Raises BoxError when there is none or it is broken."""
    entries = iter_boxes(data, Fields.of(data, stsd).skip(8).at, stsd.end)
    entry = next(entries, None)
    if entry is None:
        raise BoxError("'stsd' is empty")
    if handler == "vide":
        return _visual(data, entry)
    if handler == "soun":
        return _sound(data, entry)
    return SampleEntry(entry.kind, data[entry.start : entry.end], "")


def transfer_of(content: bytes) -> int | None:
    """What a picture's sample entry says of its transfer characteristics (`colr`; ITU-T H.273 table 3), if anything."""
    found = dict(_inner_boxes(content, 8 + _VISUAL_FIELDS, len(content))).get("colr")
    if found is None or content[found.body : found.body + 4] != b"nclx":
        return None
    return Fields.of(content, found).skip(6).one("H")


def _visual(data: Data, entry: Box) -> SampleEntry:
    head = Fields.of(data, entry)
    fields = head.raw(_VISUAL_FIELDS)
    inner = dict(_inner_boxes(data, entry.body + _VISUAL_FIELDS, entry.end))
    kept = _kept(data, entry.kind, inner)
    if "pasp" not in inner:
        kept.append(_SQUARE)
    width, height = Fields(fields, 24, 28).unpack("HH")
    sar = Fields.of(data, inner["pasp"]).unpack("II") if "pasp" in inner else (1, 1)
    return SampleEntry(
        entry.kind,
        box(entry.kind, fields, *kept),
        _codecs(data, entry.kind, inner),
        width,
        height,
        sar=(sar[0], sar[1]) if all(sar) else (1, 1),
    )


def _sound(data: Data, entry: Box) -> SampleEntry:
    head = Fields.of(data, entry)
    fields = head.raw(_SOUND_FIELDS)
    version = Fields(fields, 8, 10).one("H")
    if version not in _QUICKTIME_SOUND:
        raise BoxError(f"sound description of version {version}")
    channels, rate = Fields(fields, 16, 18).one("H"), Fields(fields, 24, 26).one("H")
    inner = dict(_inner_boxes(data, entry.body + _QUICKTIME_SOUND[version], entry.end))
    if "wave" in inner:
        inner.update(_inner_boxes(data, inner["wave"].body, inner["wave"].end))
    audio = _aac(data, inner) if entry.kind == "mp4a" else AudioObject(0)
    channels, rate = audio.channels or channels, audio.sample_rate or rate
    # Version 0 with 16 bits and the real channels and rate: the only form that ISO knows.
    clean = fields[:8] + bytes(8) + pack(">HHHHI", channels, 16, 0, 0, (rate & 0xFFFF) << 16)
    return SampleEntry(
        entry.kind,
        box(entry.kind, clean, *_kept(data, entry.kind, inner)),
        _codecs(data, entry.kind, inner),
        channels=channels,
        sample_rate=rate,
    )


def _inner_boxes(data: Data, start: int, end: int) -> Iterator[tuple[str, Box]]:
    """The boxes of a sample entry. QuickTime may close the list with a 32-bit zero, and that is no box."""
    while end - start >= 8:
        found = next(iter_boxes(data, start, end))
        yield found.kind, found
        start = found.end


def _aac(data: Data, inner: dict[str, Box]) -> AudioObject:
    esds = inner.get("esds")
    return read_esds(data[esds.body : esds.end]) if esds else AudioObject(0)


def _codecs(data: Data, kind: str, inner: dict[str, Box]) -> str:
    configuration = inner.get(CONFIGURATION[kind][0]) if kind in CONFIGURATION else None
    contents = [data[found.body : found.end] if found else None for found in (configuration, inner.get("colr"))]
    return codecs_of(kind, *contents)


def _kept(data: Data, kind: str, inner: dict[str, Box]) -> list[bytes]:
    """The configuration first, then the boxes that say how to show it; the rest is QuickTime's or the writer's own."""
    names = [CONFIGURATION[kind][0]] if kind in CONFIGURATION else []
    names += [name for name in inner if name in _KEPT and name not in names]
    return [_iso(data[inner[name].start : inner[name].end]) for name in names if name in inner]


def _iso(content: bytes) -> bytes:
    """QuickTime's `nclc` colour box lacks the range byte of ISO's `nclx` (ISO/IEC 14496-12 section 12.1.5)."""
    if content[4:12] == b"colrnclc" and len(content) == 18:
        return box("colr", b"nclx", content[12:18], b"\0")
    return content
