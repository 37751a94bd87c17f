"""One media segment: `styp`, one `moof`, one `mdat` (ISO/IEC 23000-19 section 7.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack

from rushes.isobmff.boxes import Data, box, full_box
from rushes.isobmff.samples import Sample

_SYNC, _NON_SYNC = 0x02000000, 0x01010000
_STYP = box("styp", b"msdh", pack(">I", 0), b"msdh", b"cmfs")
_TFHD_FLAGS = 0x20000 | 0x8 | 0x20  # default-base-is-moof, default duration, default flags
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _OFFSET = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800


def media_segment(data: Data, samples: Sequence[Sample], number: int) -> tuple[bytes, int]:
    """The segment's bytes, and how many of them reach to the end of its first sample.

    Sample times are those of the delivered track; positions and sizes say where in `data` their bytes lie.
    """
    start = samples[0].dts
    base = _moof(samples, number, start, 0)
    moof = _moof(samples, number, start, len(base) + 8)
    payload = [data[at : at + size] for at, size in _extents(samples)]
    whole = b"".join((_STYP, moof, box("mdat", *payload)))
    return whole, len(_STYP) + len(moof) + 8 + samples[0].size


def _moof(samples: Sequence[Sample], number: int, start: int, data_offset: int) -> bytes:
    uniform = {sample.sync for sample in samples[1:]}
    flags = _SYNC if uniform == {True} or len(samples) == 1 else _NON_SYNC
    tfhd = full_box("tfhd", 0, _TFHD_FLAGS, pack(">III", 1, samples[0].duration, flags))
    tfdt = full_box("tfdt", 1, 0, pack(">Q", start))
    trun = _trun(samples, data_offset, mixed=len(uniform) > 1)
    return box("moof", full_box("mfhd", 0, 0, pack(">I", number)), box("traf", tfhd, tfdt, trun))


def _trun(samples: Sequence[Sample], data_offset: int, *, mixed: bool) -> bytes:
    """Only the columns that differ between samples are written, beside the sizes."""
    flags, columns = _DATA_OFFSET, []
    if len({sample.duration for sample in samples}) > 1:
        flags |= _DURATION
        columns.append([sample.duration for sample in samples])
    flags |= _SIZE
    columns.append([sample.size for sample in samples])
    if mixed:
        flags |= _FLAGS
        columns.append([_SYNC if sample.sync else _NON_SYNC for sample in samples])
    else:
        flags |= _FIRST_FLAGS
    if any(sample.offset for sample in samples):
        flags |= _OFFSET
        columns.append([sample.offset & 0xFFFFFFFF for sample in samples])
    first = b"" if mixed else pack(">I", _SYNC if samples[0].sync else _NON_SYNC)
    cells = [cell for row in zip(*columns, strict=True) for cell in row]
    rows = pack(f">{len(cells)}I", *cells)
    return full_box("trun", 1, flags, pack(">Ii", len(samples), data_offset), first, rows)


def _extents(samples: Iterable[Sample]) -> list[tuple[int, int]]:
    """Where the samples lie, neighbours joined: fewer, larger reads."""
    extents: list[tuple[int, int]] = []
    for sample in samples:
        if extents and sum(extents[-1]) == sample.position:
            extents[-1] = (extents[-1][0], extents[-1][1] + sample.size)
        else:
            extents.append((sample.position, sample.size))
    return extents
