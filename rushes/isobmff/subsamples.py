"""Which bytes of a sample are encrypted and which stay readable (ISO/IEC 23001-7 section 9.5). Pure.

Of pictures in NAL units, the lengths, the NAL headers and the slice headers stay readable (section 9.5.2.5: a player that does
not decrypt can still find its way); the slice data are protected. Of sound, all is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from rushes.isobmff.avc_slices import AvcHeaders
from rushes.isobmff.boxes import Box, BoxError, iter_boxes
from rushes.isobmff.fields import Fields
from rushes.isobmff.hevc_slices import HevcHeaders
from rushes.isobmff.nal import configuration

Range = tuple[int, int]
"""A subsample: bytes that stay clear, and bytes behind them that are protected."""
Ranges = Callable[[bytes], list[Range] | None]
"""Of a sample; None: all of it is protected."""
MOST_RANGES = 42
"""In one sample: the size of their description is a byte (`saiz`), two bytes for their number and six for each."""
_MOST_CLEAR = 0xFFFF
_VISUAL_FIELDS = 78


class _Headers(Protocol):
    def clear(self, unit: bytes) -> int | None: ...


def ranges_of(sample_entry: bytes) -> Ranges:
    """How the samples of a track are divided, by its (clear) sample entry. Raises BoxError for codecs that are not known."""
    kind = sample_entry[4:8]
    if kind in (b"avc1", b"avc3"):
        known = configuration(sample_entry)
        return _nal_ranges(AvcHeaders(known.sets), known.length)
    if kind in (b"hvc1", b"hev1"):
        length, sets = _hevc_sets(sample_entry)
        return _nal_ranges(HevcHeaders(sets), length)
    if kind in (b"mp4a", b"Opus", b"ac-3", b"ec-3", b"fLaC"):
        return lambda sample: None
    raise BoxError(f"we do not know which bytes of {kind.decode('latin-1')!r} may be encrypted")


def _hevc_sets(sample_entry: bytes) -> tuple[int, list[bytes]]:
    """Bytes of the length before each NAL unit, and the parameter sets of `hvcC` (ISO/IEC 14496-15 section 8.3.3.1)."""
    content = _configuration(sample_entry, "hvcC")
    fields = Fields.of(sample_entry, content).skip(21)
    length, sets = (fields.one("B") & 3) + 1, []
    for _ in range(fields.one("B")):
        fields.skip(1)
        sets += [fields.raw(fields.one("H")) for _ in range(fields.one("H"))]
    return length, [each for each in sets if len(each) > 2]


def _configuration(sample_entry: bytes, kind: str) -> Box:
    for found in iter_boxes(sample_entry, 8 + _VISUAL_FIELDS, len(sample_entry)):
        if found.kind == kind:
            return found
    raise BoxError(f"the sample entry has no {kind!r}")


def _nal_ranges(headers: _Headers, length: int) -> Ranges:
    def ranges(sample: bytes) -> list[Range]:
        found, clear = [], 0
        for start, end in _most(list(_protected(headers, length, sample))):
            found += _described(start - clear, end - start)
            clear = end
        return found + _described(len(sample) - clear, 0)

    return ranges


def _protected(headers: _Headers, length: int, sample: bytes) -> Iterator[Range]:
    """Start and end of the slice data."""
    at = 0
    while at < len(sample):
        body = at + length
        at = body + int.from_bytes(sample[at:body], "big")
        if at > len(sample) or at <= body:
            raise BoxError("a sample is no list of NAL units")
        clear = headers.clear(sample[body:at])
        if clear is not None and body + clear < at:
            yield body + clear, at


def _most(spans: list[Range]) -> list[Range]:
    """Where there are more than can be described, the smallest stay clear."""
    largest = set(sorted(spans, key=lambda span: span[1] - span[0])[-(MOST_RANGES // 2) :])
    return [span for span in spans if span in largest]


def _described(clear: int, protected: int) -> list[Range]:
    """The field for clear bytes has 16 bits, so what is longer takes several."""
    whole, rest = divmod(clear, _MOST_CLEAR)
    last = [(rest, protected)] if rest or protected else []
    return [(_MOST_CLEAR, 0)] * whole + last
