"""What the slice headers of H.265 depend on: the parameter sets (Rec. ITU-T H.265 sections 7.3.2 to 7.3.4, 7.3.7, 7.4.8). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.isobmff.bits import Bits
from rushes.isobmff.boxes import BoxError

_MOST_SETS, _MOST_PICTURES = 64, 16
_PROFILES = (1, 2, 3, 4)
"""Main, Main 10, Main Still Picture, range extensions. Scalable, multi-view and screen content have other slice headers."""
Deltas = tuple[tuple[int, bool], ...]
"""Distances in the order of pictures, and whether this picture itself refers to that one."""


@dataclass(frozen=True)
class References:
    """A short-term reference picture set (section 7.4.8): pictures before and after."""

    before: Deltas = ()
    after: Deltas = ()

    @property
    def used(self) -> int:
        return sum(used for _, used in (*self.before, *self.after))


@dataclass(frozen=True)
class SequenceSet:
    chroma: int
    """ChromaArrayType."""
    separate: bool
    blocks: int
    """Coding tree blocks of a picture."""
    order_bits: int
    offset: bool
    """Sample adaptive offset."""
    short: tuple[References, ...]
    long: tuple[bool, ...] | None
    """Of the long-term candidates, whether the picture refers to them; None: there are no long-term references."""
    motion: bool


@dataclass(frozen=True)
class PictureSet:
    sequence: int
    dependent: bool
    output: bool
    extra: int
    cabac: bool
    references: tuple[int, int]
    chroma_offsets: bool
    weighted: bool
    weighted_both: bool
    entry_points: bool
    across: bool
    override: bool
    unfiltered: bool
    modification: bool
    extension: bool
    offset_list: bool


def sequence_set(bits: Bits) -> tuple[int, SequenceSet]:
    """Number and content. Raises BoxError."""
    bits.u(4)
    layers = bits.u(3)
    bits.u(1)
    _profile(bits, layers)
    number, chroma = bits.ue(), bits.ue()
    separate = chroma == 3 and bits.flag()
    width, height = bits.ue(), bits.ue()
    bits.skip_ue(4 if bits.flag() else 0)
    bits.skip_ue(2)
    order_bits = bits.ue() + 4
    bits.skip_ue(3 * (layers + 1 if bits.flag() else 1))
    block = bits.ue() + 3 + bits.ue()
    bits.skip_ue(4)
    if bits.flag() and bits.flag():
        _scaling(bits)
    bits.u(1)
    offset = bits.flag()
    if bits.flag():
        bits.u(8)
        bits.skip_ue(2)
        bits.u(1)
    short = _short_sets(bits)
    long = tuple(_candidate(bits, order_bits) for _ in range(min(bits.ue(), 32))) if bits.flag() else None
    blocks = -(-width >> block) * -(-height >> block)
    return number, SequenceSet(
        0 if separate else chroma, separate, blocks, order_bits, offset, short, long, bits.flag()
    )


def _profile(bits: Bits, layers: int) -> None:
    bits.u(3)
    profile = bits.u(5)
    if profile not in _PROFILES:
        raise BoxError(f"the H.265 profile {profile} is not known to players")
    bits.u(80)
    bits.u(8)
    there = [(bits.flag(), bits.flag()) for _ in range(layers)]
    bits.u(2 * (8 - layers) if layers else 0)
    for profiled, levelled in there:
        bits.u(88 * profiled + 8 * levelled)


def _candidate(bits: Bits, order_bits: int) -> bool:
    bits.u(order_bits)
    return bits.flag()


def _short_sets(bits: Bits) -> tuple[References, ...]:
    count = bits.ue()
    if count > _MOST_SETS:
        raise BoxError("more reference picture sets than there may be")
    found: list[References] = []
    for number in range(count):
        found.append(short_set(bits, found, number, count))
    return tuple(found)


def short_set(bits: Bits, known: Sequence[References], number: int, count: int) -> References:
    """`st_ref_pic_set(number)` of `count` in the sequence; one in a slice header has the number `count`."""
    if not (number and bits.flag()):
        negative, positive = bits.ue(), bits.ue()
        if negative + positive > _MOST_PICTURES:
            raise BoxError("a reference picture set has more than 16 pictures")
        return References(_explicit(bits, negative, -1), _explicit(bits, positive, 1))
    back = bits.ue() + 1 if number == count else 1
    sign = bits.flag()
    delta = (bits.ue() + 1) * (-1 if sign else 1)
    if back > number:
        raise BoxError("a reference picture set refers to one that is not there")
    return _predicted(bits, known[number - back], delta)


def _explicit(bits: Bits, count: int, sign: int) -> Deltas:
    found, at = [], 0
    for _ in range(count):
        at += sign * (bits.ue() + 1)
        found.append((at, bits.flag()))
    return tuple(found)


def _predicted(bits: Bits, base: References, delta: int) -> References:
    """Derived from another set (formulas 7-61 and 7-62): its pictures seen from here, and the one it belonged to."""
    old = [distance for distance, _ in (*base.before, *base.after)]
    marks = []
    for distance in [*(each + delta for each in old), delta]:
        used = bits.flag()
        if used or bits.flag():
            marks.append((distance, used))
    before = sorted((mark for mark in marks if mark[0] < 0), key=lambda mark: -mark[0])
    after = sorted((mark for mark in marks if mark[0] > 0), key=lambda mark: mark[0])
    return References(tuple(before), tuple(after))


def _scaling(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.ue()
                continue
            bits.skip_ue(min(64, 1 << (4 + (size << 1))) + (1 if size > 1 else 0))


def picture_set(bits: Bits) -> tuple[int, PictureSet]:
    """Number and content. Raises BoxError."""
    number, sequence = bits.ue(), bits.ue()
    dependent, output, extra = bits.flag(), bits.flag(), bits.u(3)
    bits.u(1)
    cabac, references = bits.flag(), (bits.ue() + 1, bits.ue() + 1)
    bits.ue()
    bits.u(1)
    skip = bits.flag()
    bits.skip_ue(1 if bits.flag() else 0)
    bits.skip_ue(2)
    chroma_offsets, weighted, weighted_both = bits.flag(), bits.flag(), bits.flag()
    bits.u(1)
    tiles, waves = bits.flag(), bits.flag()
    if tiles:
        _tiles(bits)
    across, override, unfiltered = bits.flag(), False, False
    if bits.flag():
        override, unfiltered = bits.flag(), bits.flag()
        bits.skip_ue(0 if unfiltered else 2)
    if bits.flag():
        _scaling(bits)
    modification = bits.flag()
    bits.ue()
    extension = bits.flag()
    return number, PictureSet(
        sequence, dependent, output, extra, cabac, references, chroma_offsets, weighted, weighted_both, tiles or waves,
        across, override, unfiltered, modification, extension, _offset_list(bits, skip=skip),
    )  # fmt: skip


def _tiles(bits: Bits) -> None:
    columns, rows = bits.ue(), bits.ue()
    bits.skip_ue(0 if bits.flag() else min(columns + rows, 1000))
    bits.u(1)


def _offset_list(bits: Bits, *, skip: bool) -> bool:
    """chroma_qp_offset_list_enabled_flag of the range extension."""
    if not bits.flag():
        return False
    ranged, others = bits.flag(), bits.u(3)
    bits.u(4)
    if others:
        raise BoxError("extensions of H.265 for views and screens are not known to players")
    if not ranged:
        return False
    bits.skip_ue(1 if skip else 0)
    bits.u(1)
    return bits.flag()
