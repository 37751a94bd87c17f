"""NAL units in samples (ISO/IEC 14496-15 section 4.3.3.1): H.264 pictures without what players do not need of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.isobmff.boxes import BoxError, Data, iter_boxes
from rushes.isobmff.fields import Fields
from rushes.isobmff.samples import Sample

SEI = 6
"""Supplemental enhancement information: timing hints, captions, and whatever the camera wrote, such as places and serial
numbers (Rec. ITU-T H.264 table 7-1)."""
SLICE, IDR = 1, 5
"""Coded slices of other pictures, and of IDR pictures (the same table)."""
PARAMETER_SETS = (7, 8)
"""Of sequences and of pictures (the same table). In `avc1` they are in the sample entry and nowhere else."""
_VISUAL_FIELDS = 78


@dataclass(frozen=True)
class Configuration:
    """What the sample entry says: bytes of the length before each NAL unit, and the parameter sets."""

    length: int
    sets: frozenset[bytes]


def configuration(sample_entry: bytes) -> Configuration:
    """From the `avcC` of a picture's sample entry (ISO/IEC 14496-15 section 5.3.3.1). Raises BoxError."""
    for found in iter_boxes(sample_entry, 8 + _VISUAL_FIELDS, len(sample_entry)):
        if found.kind == "avcC":
            fields = Fields.of(sample_entry, found).skip(4)
            length, sets = (fields.one("B") & 3) + 1, set()
            for mask in (31, 255):  # first those of sequences, then those of pictures
                sets |= {fields.raw(fields.one("H")) for _ in range(fields.one("B") & mask)}
            return Configuration(length, frozenset(sets))
    raise BoxError("the sample entry has no 'avcC'")


def is_idr(data: Data, sample: Sample, length: int) -> bool:
    """Whether a sample is an IDR picture, after which no picture refers to one before it. Raises BoxError."""
    content = data[sample.position : sample.position + sample.size]
    kinds = [content[start + length] & 31 for start, _ in _units(content, length)]
    return IDR in kinds and SLICE not in kinds


def sifted(data: Data, samples: Sequence[Sample], known: Configuration) -> tuple[bytes, list[Sample]]:
    """The samples' bytes one after the other without their SEI and without what is in the sample entry already, and the
    samples as they lie in those bytes.

    Raises BoxError where a sample is no list of NAL units, and where the parameter sets change: some players keep to those of
    the sample entry, and who seeks gets no others. A sample without any other unit is kept as it is.
    """
    pieces: list[bytes] = []
    moved: list[Sample] = []
    at = 0
    for sample in samples:
        content = data[sample.position : sample.position + sample.size]
        kept = _kept(content, known)
        pieces.append(kept)
        moved.append(sample._replace(position=at, size=len(kept)))
        at += len(kept)
    return b"".join(pieces), moved


def _kept(content: bytes, known: Configuration) -> bytes:
    units = _units(content, known.length)
    spans = [(start, end) for start, end in units if _is_needed(content, start + known.length, end, known)]
    if not spans or len(spans) == len(units):
        return content
    return b"".join(content[start:end] for start, end in spans)


def _is_needed(content: bytes, start: int, end: int, known: Configuration) -> bool:
    kind = content[start] & 31
    if kind in PARAMETER_SETS and content[start:end] not in known.sets:
        raise BoxError("the parameter sets change in mid-stream")
    return kind != SEI and kind not in PARAMETER_SETS


def _units(content: bytes, length: int) -> list[tuple[int, int]]:
    """Start (of the length field) and end of each unit."""
    spans: list[tuple[int, int]] = []
    at, size = 0, len(content)
    while at < size:
        body = at + length
        end = body + int.from_bytes(content[at:body], "big")
        if end > size or end <= body:
            raise BoxError("a sample is no list of NAL units")
        spans.append((at, end))
        at = end
    return spans
