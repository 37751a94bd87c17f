"""Reads init segments, fragments and segment indexes for the checker, whatever is in them. Pure but for the `fetch` given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from struct import unpack_from

from rushes.isobmff.boxes import Box, BoxError, children, find, iter_boxes, need
from rushes.isobmff.edits import read_edits
from rushes.isobmff.fields import Fields
from rushes.isobmff.fragments import Defaults, Growing, read_fragment, read_trex
from rushes.isobmff.movie import timescale_of
from rushes.isobmff.sample_entry import SampleEntry, read_sample_entry
from rushes.isobmff.samples import Budget
from rushes.packaging.lint.stream import Entry, Fragment, Index, Init, Picture, Ref

Fetch = Callable[[int, int], bytes]
"""(first byte, how many), within the segment -> those that are there."""
HEAD = 16_384
"""Bytes that are asked for first: the boxes before the media of a segment of four seconds have a few thousand."""
MOST_MOOF = 4_000_000
MOST_FRAGMENTS = 256
MOST_BOXES = 4096
"""Of a segment, beside each other; over HTTP each may be a request."""
MOST_INIT = 1_000_000
_SAMPLES = 500_000
_INNER = {"vide": 78, "soun": 28}
"""Bytes of a sample entry before its boxes."""
_TURNED = 0x10000
_MOST_TRACKS = 16


def read_init(ref: Ref, data: bytes) -> tuple[Init, dict[int, Defaults]]:
    """What an init segment says, and what its fragments' samples have where they do not say."""
    known = Init(ref, len(data), hashlib.sha256(data).hexdigest()[:16])
    try:
        top = {found.kind: found for found in iter_boxes(data, 0, len(data))}
        if "moov" not in top:
            return replace(known, error="there is no 'moov' box"), {}
        brands = _brands(data, top["ftyp"]) if "ftyp" in top else ()
        traks = [child for child in children(data, top["moov"]) if child.kind == "trak"][:_MOST_TRACKS]
        entries = tuple(_entry(data, top["moov"], trak) for trak in traks)
        mvex = find(data, top["moov"], "mvex")
        trexes = [read_trex(data, child) for child in children(data, mvex) if child.kind == "trex"] if mvex else []
    except (BoxError, IndexError, ValueError) as error:
        return replace(known, error=str(error)), {}
    return replace(known, brands=brands, tracks=entries), dict(trexes)


def _brands(data: bytes, ftyp: Box) -> tuple[str, ...]:
    body = data[ftyp.body : ftyp.end]
    return tuple(body[at : at + 4].decode("latin-1") for at in (0, *range(8, len(body) - 3, 4)))


def _entry(data: bytes, moov: Box, trak: Box) -> Entry:
    mdia = need(data, trak, "mdia")
    handler = Fields.of(data, need(data, mdia, "hdlr")).skip(8).raw(4).decode("latin-1")
    stsd = need(data, mdia, "minf/stbl/stsd")
    count = Fields.of(data, stsd).skip(4).one("I")
    boxes = list(iter_boxes(data, stsd.body + 8, stsd.end))
    if not boxes:
        raise BoxError("'stsd' is empty")
    inner = dict(_inner(data, boxes[0], handler))
    read = _read(data, boxes[0], handler, inner)
    edits = read_edits(data, find(data, trak, "edts/elst"), timescale_of(data, need(data, moov, "mvhd")))
    width, height = _shown(read, _is_turned(data, trak))
    return Entry(
        handler, boxes[0].kind, read.codecs, timescale_of(data, need(data, mdia, "mdhd")), width, height,
        read.channels, read.sample_rate, _transfer(data, inner.get("colr")), frozenset(inner),
        *_protection(data, inner.get("sinf")), entries=count, edits=edits.count, edit_start=edits.media_time,
    )  # fmt: skip


def _inner(data: bytes, entry: Box, handler: str) -> Iterator[tuple[str, Box]]:
    at = entry.body + _INNER.get(handler, entry.end - entry.body)
    while entry.end - at >= 8:
        found = next(iter_boxes(data, at, entry.end))
        yield found.kind, found
        at = found.end


def _read(data: bytes, entry: Box, handler: str, inner: dict[str, Box]) -> SampleEntry:
    """The description; of an encrypted one as it was in the clear (ISO/IEC 14496-12 section 8.12.2)."""
    kind = data[entry.start + 4 : entry.start + 8]
    frma = find(data, inner["sinf"], "frma") if "sinf" in inner else None
    if frma is not None:
        kind = data[frma.body : frma.body + 4]
    plain = data[entry.start : entry.start + 4] + kind + data[entry.body : entry.end]
    stsd = bytes(8) + plain
    return read_sample_entry(stsd, Box("stsd", 0, 0, len(stsd)), handler)


def _shown(entry: SampleEntry, turned: bool) -> tuple[int, int]:
    width, height = round(entry.width * entry.sar[0] / entry.sar[1]), entry.height
    return (height, width) if turned else (width, height)


def _is_turned(data: bytes, trak: Box) -> bool:
    tkhd = find(data, trak, "tkhd")
    if tkhd is None:
        return False
    version, _ = Fields.of(data, tkhd).version_flags()
    a, b = Fields.of(data, tkhd).skip(52 if version else 40).unpack("2i")
    return a == 0 and abs(b) == _TURNED


def _transfer(data: bytes, colr: Box | None) -> int | None:
    if colr is None or data[colr.body : colr.body + 4] != b"nclx":
        return None
    return Fields.of(data, colr).skip(6).one("H")


def _protection(data: bytes, sinf: Box | None) -> tuple[str, str]:
    """Key identifier and scheme (ISO/IEC 23001-7 section 8.2)."""
    if sinf is None:
        return "", ""
    schm, tenc = find(data, sinf, "schm"), find(data, sinf, "schi/tenc")
    scheme = data[schm.body + 4 : schm.body + 8].decode("latin-1") if schm else ""
    kid = data[tenc.body + 8 : tenc.body + 24].hex() if tenc else ""
    return kid, scheme


def read_fragment_of(ref: Ref, fetch: Fetch, size: int, defaults: dict[int, Defaults]) -> Fragment:
    """The boxes of a segment of `size` bytes, without its media."""
    try:
        return _fragment(ref, fetch, size, defaults)
    except (BoxError, IndexError, ValueError) as error:
        return Fragment(ref, error=str(error))


def _fragment(ref: Ref, fetch: Fetch, size: int, defaults: dict[int, Defaults]) -> Fragment:
    found, at, kinds, head = Fragment(ref), 0, [], fetch(0, min(HEAD, size))
    if head[:1] == b"\x47" and (len(head) <= 188 or head[188:189] == b"\x47"):
        return replace(found, kinds=("mpeg-ts",))
    while at < size and found.fragments < MOST_FRAGMENTS:
        header = head[at : at + 16] if at + 16 <= len(head) else fetch(at, 16)
        kind, length, body = _header(header, size - at)
        kinds.append(kind)
        if len(kinds) > MOST_BOXES:
            raise BoxError(f"more than {MOST_BOXES} boxes")
        if kind == "moof":
            moof = head[at : at + length] if at + length <= len(head) else _whole(fetch, at, length)
            found = _with_moof(found, moof, at, defaults)
        at += length
        if length < body:
            raise BoxError(f"box {kind!r} has {length} bytes")
    return replace(found, kinds=tuple(kinds), claimed=at)


def _whole(fetch: Fetch, at: int, length: int) -> bytes:
    if length > MOST_MOOF:
        raise BoxError(f"a 'moof' of {length} bytes")
    return fetch(at, length)


def _header(data: bytes, left: int) -> tuple[str, int, int]:
    """Kind, bytes as the box says, bytes of its header. What it says may reach behind the end: that is looked at elsewhere."""
    if len(data) < 8:
        raise BoxError(f"{len(data)} stray bytes, too few for a box")
    length, name = unpack_from(">I4s", data)
    kind, body = name.decode("latin-1"), 8
    if not (kind.isascii() and kind.isprintable()):
        raise BoxError("there are no boxes here")
    if length == 1:
        if len(data) < 16:
            raise BoxError(f"box {kind!r} has no room for its 64-bit size")
        length, body = unpack_from(">Q", data, 8)[0], 16
    return kind, length or left, body


def _with_moof(known: Fragment, data: bytes, at: int, defaults: dict[int, Defaults]) -> Fragment:
    """The segment with one fragment more."""
    moof = next(iter_boxes(data, 0, len(data)))
    trafs = [child for child in children(data, moof) if child.kind == "traf"]
    if len(trafs) != 1:
        raise BoxError(f"{len(trafs)} tracks in one fragment")
    number = Fields.of(data, need(data, trafs[0], "tfhd")).skip(4).one("I")
    track = Growing(defaults=defaults.get(number, Defaults()))
    read_fragment(data, moof, {number: track}, Budget(_SAMPLES))
    samples = track.samples
    if number not in defaults and defaults:
        raise BoxError(f"a fragment of track {number}, which the init segment does not have")
    known = replace(
        known, fragments=known.fragments + 1, samples=known.samples + len(samples),
        ticks=known.ticks + sum(sample.duration for sample in samples),
        negative=known.negative or any(sample.offset < 0 for sample in samples),
    )  # fmt: skip
    if known.fragments > 1 or not samples:
        return known
    tfdt = find(data, trafs[0], "tfdt")
    start = samples[0].dts if tfdt is not None else None
    first_end = at + samples[0].position + samples[0].size
    return replace(known, tfdt=start, sync=samples[0].sync, first_end=first_end)


def read_index(ref: Ref, data: bytes) -> Index:
    """A `sidx` box (ISO/IEC 14496-12 section 8.16.3) whose first byte is at `ref.start` of its file."""
    try:
        box = next(iter_boxes(data, 0, len(data)), None)
        if box is None or box.kind != "sidx":
            return Index(ref, error=f"there is {box.kind if box else 'nothing'!r} where 'sidx' was to be")
        fields = Fields.of(data, box)
        version, _ = fields.version_flags()
        _, timescale = fields.unpack("II")
        start, offset = fields.unpack("QQ" if version else "II")
        _, count = fields.unpack("HH")
        rows = fields.array("I", 3 * count)
    except (BoxError, ValueError) as error:
        return Index(ref, error=str(error))
    sizes, ticks = tuple(row & 0x7FFFFFFF for row in rows[::3]), rows[1::3]
    return Index(ref, timescale, start, ref.start + box.end + offset, sizes, tuple(ticks))


def read_jpeg(data: bytes) -> Picture:
    """The size in the frame header (ITU-T T.81 section B.2.2)."""
    at = 2
    if data[:2] != b"\xff\xd8":
        return Picture(error="it is not a JPEG")
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], unpack_from(">H", data, at + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = unpack_from(">HH", data, at + 5)
            return Picture(width, height)
        at += 2 + length
    return Picture(error="its size is not in its first bytes")
