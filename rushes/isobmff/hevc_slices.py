"""How long the slice headers of H.265 are (Rec. ITU-T H.265 section 7.3.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rushes.isobmff.bits import Bits
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.hevc_sets import PictureSet, SequenceSet, picture_set, sequence_set, short_set

HEADER_BYTES = 4096
"""Of a slice, more than any header has: the entry points of 8K in rows of 16 lines take 1 KB."""
_SPS, _PPS = 33, 34
_CODED = range(32)
_IDR = (19, 20)
_RANDOM_ACCESS = range(16, 24)
_B, _P, _I = range(3)


class HevcHeaders:
    """Knows the parameter sets of a track; `clear` says how much of a NAL unit has to stay readable."""

    def __init__(self, sets: Iterable[bytes]) -> None:
        self._sequences: dict[int, SequenceSet] = {}
        self._pictures: dict[int, PictureSet] = {}
        for unit in sorted(sets, key=lambda unit: unit[0]):  # sequences first
            self.clear(unit)

    def clear(self, unit: bytes) -> int | None:
        """Bytes from the start of a NAL unit to the end of its slice header; None: it holds no coded picture.

        Raises BoxError for what we cannot read.
        """
        kind = unit[0] >> 1 & 63
        if kind == _SPS:
            number, sequence = sequence_set(Bits(unit[2:]))
            self._sequences[number] = sequence
        elif kind == _PPS:
            number, picture = picture_set(Bits(unit[2:]))
            self._pictures[number] = picture
        if kind not in _CODED:
            return None
        bits = Bits(unit[2 : 2 + HEADER_BYTES])
        self._slice(bits, kind)
        return 2 + bits.escaped_bytes(bits.at // 8 + 1)  # byte_alignment() has one bit at the least

    def _slice(self, bits: Bits, kind: int) -> None:
        first = bits.flag()
        bits.u(1 if kind in _RANDOM_ACCESS else 0)
        picture = self._pictures.get(bits.ue())
        sequence = self._sequences.get(picture.sequence) if picture else None
        if picture is None or sequence is None:
            raise BoxError("a slice names a parameter set that is not there")
        dependent = False
        if not first:
            dependent = picture.dependent and bits.flag()
            bits.u((sequence.blocks - 1).bit_length())
        if not dependent:
            _independent(bits, kind, sequence, picture)
        if picture.entry_points and (count := bits.ue()):
            bits.u(min(count, 10_000) * (bits.ue() + 1))
        if picture.extension:
            bits.u(8 * bits.ue())


def _independent(bits: Bits, kind: int, sequence: SequenceSet, picture: PictureSet) -> None:
    bits.u(picture.extra)
    slice_type = bits.ue()
    bits.u(picture.output + 2 * sequence.separate)
    references, motion = (0, False) if kind in _IDR else _pictures_kept(bits, sequence)
    luma = sequence.offset and bits.flag()
    chroma = bool(sequence.offset and sequence.chroma and bits.flag())
    if slice_type in (_P, _B):
        _prediction(bits, slice_type, (sequence, picture), references, motion=motion)
    bits.se()
    bits.skip_ue(2 if picture.chroma_offsets else 0)
    bits.u(1 if picture.offset_list else 0)
    unfiltered = picture.unfiltered
    if picture.override and bits.flag():
        unfiltered = bits.flag()
        bits.skip_ue(0 if unfiltered else 2)
    bits.u(1 if picture.across and (luma or chroma or not unfiltered) else 0)


def _pictures_kept(bits: Bits, sequence: SequenceSet) -> tuple[int, bool]:
    """How many pictures this one refers to, and whether it takes motion from one of them."""
    bits.u(sequence.order_bits)
    count = len(sequence.short)
    if not bits.flag():
        short = short_set(bits, sequence.short, count, count)
    else:
        number = bits.u((count - 1).bit_length()) if count > 1 else 0
        if number >= count:
            raise BoxError("a slice names a reference picture set that is not there")
        short = sequence.short[number]
    used = short.used + (_long_term(bits, sequence, sequence.long) if sequence.long is not None else 0)
    return used, sequence.motion and bits.flag()


def _long_term(bits: Bits, sequence: SequenceSet, candidates: tuple[bool, ...]) -> int:
    chosen = bits.ue() if candidates else 0
    total, used = chosen + bits.ue(), 0
    for number in range(min(total, 33)):
        if number < chosen:
            at = bits.u((len(candidates) - 1).bit_length()) if len(candidates) > 1 else 0
            used += at < len(candidates) and candidates[at]
        else:
            bits.u(sequence.order_bits)
            used += bits.flag()
        bits.skip_ue(1 if bits.flag() else 0)
    return used


def _prediction(
    bits: Bits, slice_type: int, sets: tuple[SequenceSet, PictureSet], references: int, *, motion: bool
) -> None:
    sequence, picture = sets
    lists = 2 if slice_type == _B else 1
    active = list(picture.references)
    if bits.flag():
        active[:lists] = [bits.ue() + 1 for _ in range(lists)]
    if max(active) > 16:
        raise BoxError("a slice has more than 16 references")
    if picture.modification and references > 1:
        for count in active[:lists]:
            bits.u(count * (references - 1).bit_length() if bits.flag() else 0)
    bits.u(lists - 1)  # mvd_l1_zero_flag
    bits.u(1 if picture.cabac else 0)
    if motion:
        from_second = lists == 2 and not bits.flag()
        bits.skip_ue(1 if active[from_second] > 1 else 0)
    if picture.weighted_both if slice_type == _B else picture.weighted:
        _weights(bits, active[:lists], colour=bool(sequence.chroma))
    bits.ue()


def _weights(bits: Bits, active: Iterable[int], *, colour: bool) -> None:
    bits.skip_ue(2 if colour else 1)
    for count in active:
        luma = [bits.flag() for _ in range(count)]
        chroma = [colour and bits.flag() for _ in range(count)]
        for bright, coloured in zip(luma, chroma, strict=True):
            bits.skip_ue(2 * bright + 4 * coloured)
