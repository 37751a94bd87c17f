"""Movie fragments: `moof`, `traf`, `trun` (ISO/IEC 14496-12 section 8.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat

from rushes.isobmff.boxes import Box, BoxError, Data, children, need
from rushes.isobmff.fields import Fields
from rushes.isobmff.samples import Budget, Sample, as_signed

NON_SYNC = 0x10000
_BASE_DATA_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS, _BASE_IS_MOOF = 0x1, 0x2, 0x8, 0x10, 0x20, 0x20000
_TRUN_DATA_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_ROW = {0x100: "duration", 0x200: "size", 0x400: "flags", 0x800: "offset"}


@dataclass(frozen=True)
class Defaults:
    """What a sample has where its `trun` does not say: from `trex`, overruled by `tfhd`."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass
class Growing:
    """A track while its fragments are read."""

    samples: list[Sample] = field(default_factory=list)
    defaults: Defaults = Defaults()

    @property
    def next_dts(self) -> int:
        return self.samples[-1].dts + self.samples[-1].duration if self.samples else 0


def read_trex(data: Data, trex: Box) -> tuple[int, Defaults]:
    """(track id, defaults)."""
    track, _description, duration, size, flags = Fields.of(data, trex).skip(4).unpack("5I")
    return track, Defaults(duration, size, flags)


def read_fragment(data: Data, moof: Box, tracks: dict[int, Growing], budget: Budget) -> None:
    """Append the samples of one fragment to those of `tracks` that it knows. Raises BoxError."""
    data_end = moof.start
    for traf in children(data, moof):
        if traf.kind == "traf":
            data_end = _read_traf(data, moof, traf, (tracks, budget, data_end))


def _read_traf(data: Data, moof: Box, traf: Box, state: tuple[dict[int, Growing], Budget, int]) -> int:
    """Returns where the data of this track fragment end, from which an unaddressed next one goes on."""
    tracks, budget, previous_end = state
    header = Fields.of(data, need(data, traf, "tfhd"))
    _, flags = header.version_flags()
    track = tracks.get(header.one("I"), Growing())
    base = header.one("Q") if flags & _BASE_DATA_OFFSET else None
    if base is None:
        base = moof.start if flags & _BASE_IS_MOOF else previous_end
    defaults = _overruled(header, flags, track.defaults)
    dts = track.next_dts
    at = base
    for child in children(data, traf):
        if child.kind == "tfdt":
            dts = _decode_time(data, child)
        elif child.kind == "trun":
            run = list(_read_trun(data, child, (base, at, dts), defaults, budget))
            track.samples.extend(run)
            if run:
                dts, at = run[-1].dts + run[-1].duration, run[-1].position + run[-1].size
    return at


def _overruled(header: Fields, flags: int, defaults: Defaults) -> Defaults:
    if flags & _DESCRIPTION and header.one("I") > 1:
        raise BoxError("the track changes its sample description")
    return Defaults(
        header.one("I") if flags & _DURATION else defaults.duration,
        header.one("I") if flags & _SIZE else defaults.size,
        header.one("I") if flags & _FLAGS else defaults.flags,
    )


def _decode_time(data: Data, tfdt: Box) -> int:
    fields = Fields.of(data, tfdt)
    version, _ = fields.version_flags()
    return fields.one("Q" if version else "I")


def _read_trun(
    data: Data, trun: Box, where: tuple[int, int, int], defaults: Defaults, budget: Budget
) -> Iterator[Sample]:
    base, at, dts = where
    fields = Fields.of(data, trun)
    _, flags = fields.version_flags()
    count = fields.one("I")
    budget.take(count)
    if flags & _TRUN_DATA_OFFSET:
        at = base + fields.one("i")
    first_flags = fields.one("I") if flags & _TRUN_FIRST_FLAGS else None
    present = [name for bit, name in _ROW.items() if flags & bit]
    cells = fields.array("I", count * len(present))
    columns = {name: cells[column :: len(present)] for column, name in enumerate(present)}
    sample_flags = list(columns.get("flags", repeat(defaults.flags, count)))
    if count and first_flags is not None:
        sample_flags[0] = first_flags
    durations = columns.get("duration", repeat(defaults.duration, count))
    sizes = columns.get("size", repeat(defaults.size, count))
    offsets = columns.get("offset", repeat(0, count))
    for duration, size, word, offset in zip(durations, sizes, sample_flags, offsets, strict=True):
        yield Sample(dts, as_signed(offset), duration, at, size, not word & NON_SYNC)
        dts, at = dts + duration, at + size
