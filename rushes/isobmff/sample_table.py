"""The sample table (`stbl`) of a plain MP4 or MOV file (ISO/IEC 14496-12 section 8.5 to 8.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise, repeat

from rushes.isobmff.boxes import Box, BoxError, Data, find, need
from rushes.isobmff.fields import Fields
from rushes.isobmff.samples import Budget, Sample, as_signed


def read_sample_table(data: Data, stbl: Box, budget: Budget) -> list[Sample]:
    """All samples in decoding order; an empty list for the empty table of a fragmented file. Raises BoxError."""
    sizes = _sizes(data, stbl, budget)
    if not sizes:
        return []
    durations = _runs(data, need(data, stbl, "stts"), len(sizes))
    offsets = _offsets(data, stbl, len(sizes))
    sync = _sync_numbers(data, stbl)
    samples: list[Sample] = []
    dts = 0
    rows = zip(sizes, durations, offsets, _positions(data, stbl, sizes), strict=True)
    for number, (size, duration, offset, position) in enumerate(rows, 1):
        samples.append(Sample(dts, offset, duration, position, size, sync is None or number in sync))
        dts += duration
    return samples


def first_position(data: Data, stbl: Box) -> int | None:
    """Where the first sample lies; None where there are none."""
    wide = find(data, stbl, "co64")
    table = wide or find(data, stbl, "stco")
    if table is None:
        return None
    fields = Fields.of(data, table).skip(4)
    return fields.one("Q" if wide else "I") if fields.one("I") else None


def _sizes(data: Data, stbl: Box, budget: Budget) -> Sequence[int]:
    fields = Fields.of(data, need(data, stbl, "stsz"))
    fields.skip(4)
    fixed, count = fields.unpack("II")
    budget.take(count)
    return [fixed] * count if fixed else fields.array("I", count)


def _runs(data: Data, source: Box, count: int, *, signed: bool = False) -> list[int]:
    """Run-length pairs (how many, value) spelled out to exactly `count` values."""
    fields = Fields.of(data, source).skip(4)
    flat = fields.array("I", 2 * fields.one("I"))
    values = [as_signed(value) for value in flat[1::2]] if signed else flat[1::2]
    spelled = list(islice(chain.from_iterable(map(repeat, values, flat[::2])), count))
    if len(spelled) < count:
        raise BoxError(f"{source.kind!r} describes {len(spelled)} samples of {count}")
    return spelled


def _offsets(data: Data, stbl: Box, count: int) -> list[int]:
    ctts = find(data, stbl, "ctts")
    return _runs(data, ctts, count, signed=True) if ctts else [0] * count


def _sync_numbers(data: Data, stbl: Box) -> frozenset[int] | None:
    """One-based numbers of the sync samples; None where every sample is one."""
    stss = find(data, stbl, "stss")
    if stss is None:
        return None
    fields = Fields.of(data, stss).skip(4)
    return frozenset(fields.array("I", fields.one("I")))


def _positions(data: Data, stbl: Box, sizes: Sequence[int]) -> list[int]:
    positions: list[int] = []
    chunks = _chunk_offsets(data, stbl)
    for position, count in zip(chunks, _samples_per_chunk(data, stbl, len(chunks)), strict=True):
        at = position
        for size in sizes[len(positions) : len(positions) + count]:
            positions.append(at)
            at += size
    if len(positions) < len(sizes):
        raise BoxError(f"the chunks place {len(positions)} samples of {len(sizes)}")
    return positions


def _chunk_offsets(data: Data, stbl: Box) -> tuple[int, ...]:
    wide = find(data, stbl, "co64")
    fields = Fields.of(data, wide or need(data, stbl, "stco")).skip(4)
    return fields.array("Q" if wide else "I", fields.one("I"))


def _samples_per_chunk(data: Data, stbl: Box, chunks: int) -> Iterator[int]:
    """For each chunk in order, how many samples it holds."""
    fields = Fields.of(data, need(data, stbl, "stsc")).skip(4)
    flat = fields.array("I", 3 * fields.one("I"))
    runs = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
    starts = [first for first, _, _ in runs]
    if runs and (starts[0] != 1 or any(a >= b for a, b in pairwise(starts))):
        raise BoxError("'stsc' does not count its chunks upwards from 1")
    if any(description != 1 for _, _, description in runs):
        raise BoxError("the track changes its sample description")
    ends = [*starts[1:], chunks + 1][: len(runs)]
    for (first, count, _), end in zip(runs, ends, strict=True):
        yield from repeat(count, max(0, min(end, chunks + 1) - first))
    if not runs:
        yield from repeat(0, chunks)
