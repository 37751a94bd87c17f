"""How long the slice headers of H.264 are (Rec. ITU-T H.264 sections 7.3.2 and 7.3.3). Pure.

Of the parameter sets only that is kept which slice headers depend on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rushes.isobmff.bits import Bits
from rushes.isobmff.boxes import BoxError

HEADER_BYTES = 2048
"""Of a slice, more than any header has: 32 references in two lists, each with weights for three colours, take less."""
_SLICES = (1, 5)
_UNREADABLE = (2, 3, 4, 19, 20, 21)
"""Data partitions, auxiliary pictures, other views: no player of ours knows them."""
_SPS, _PPS, _IDR = 7, 8, 5
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_P, _B, _I, _SP, _SI = range(5)


@dataclass(frozen=True)
class _Sequence:
    chroma: int
    """ChromaArrayType."""
    separate: bool
    frame_num: int
    order_type: int
    order_bits: int
    order_zero: bool
    frames_only: bool


@dataclass(frozen=True)
class _Picture:
    sequence: int
    entropy: bool
    order_present: bool
    references: tuple[int, int]
    weighted: bool
    weighted_both: int
    deblocking: bool
    redundant: bool


class AvcHeaders:
    """Knows the parameter sets of a track; `clear` says how much of a NAL unit has to stay readable."""

    def __init__(self, sets: Iterable[bytes]) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, _Picture] = {}
        for unit in sorted(sets, key=lambda unit: unit[0] & 31):  # sequences first
            self.clear(unit)

    def clear(self, unit: bytes) -> int | None:
        """Bytes from the start of a NAL unit to the end of its slice header; None: it holds no coded picture.

        Raises BoxError for what we cannot read.
        """
        kind = unit[0] & 31
        if kind == _SPS:
            number, sequence = _sequence(Bits(unit[1:]))
            self._sequences[number] = sequence
        elif kind == _PPS:
            number, picture = _picture(Bits(unit[1:]))
            self._pictures[number] = picture
        elif kind in _UNREADABLE:
            raise BoxError(f"NAL units of type {kind} are not known to players")
        if kind not in _SLICES:
            return None
        bits = Bits(unit[1 : 1 + HEADER_BYTES])
        self._slice(bits, kind == _IDR, unit[0] >> 5 & 3)
        return 1 + bits.escaped_bytes(-(-bits.at // 8))

    def _slice(self, bits: Bits, idr: bool, reference: int) -> None:
        bits.ue()
        kind = bits.ue() % 5
        picture = self._pictures.get(bits.ue())
        sequence = self._sequences.get(picture.sequence) if picture else None
        if picture is None or sequence is None:
            raise BoxError("a slice names a parameter set that is not there")
        bits.u(2 if sequence.separate else 0)
        bits.u(sequence.frame_num)
        field = not sequence.frames_only and bits.flag()
        bits.u(1 if field else 0)
        if idr:
            bits.ue()
        _order(bits, sequence, both=picture.order_present and not field)
        bits.skip_ue(1 if picture.redundant else 0)
        if kind in (_P, _SP, _B):
            _references(bits, kind, picture, sequence)
        if reference:
            _marking(bits, idr=idr)
        if picture.entropy and kind not in (_I, _SI):
            bits.ue()
        bits.se()
        if kind in (_SP, _SI):
            bits.u(1 if kind == _SP else 0)
            bits.se()
        if picture.deblocking and bits.ue() != 1:
            bits.skip_ue(2)


def _sequence(bits: Bits) -> tuple[int, _Sequence]:
    profile = bits.u(8)
    bits.u(16)
    number, chroma, separate = bits.ue(), 1, False
    if profile in _WITH_CHROMA:
        chroma = bits.ue()
        separate = chroma == 3 and bits.flag()
        bits.skip_ue(2)
        bits.u(1)
        if bits.flag():
            _scaling(bits, 8 if chroma != 3 else 12)
    frame_num, order_type = bits.ue() + 4, bits.ue()
    order_bits = bits.ue() + 4 if order_type == 0 else 0
    order_zero = order_type == 1 and _cycle(bits)
    bits.ue()
    bits.u(1)
    bits.skip_ue(2)
    found = _Sequence(0 if separate else chroma, separate, frame_num, order_type, order_bits, order_zero, bits.flag())
    return number, found


def _cycle(bits: Bits) -> bool:
    zero = bits.flag()
    bits.skip_ue(2)
    bits.skip_ue(min(bits.ue(), 255))
    return zero


def _scaling(bits: Bits, lists: int) -> None:
    for number in range(lists):
        if not bits.flag():
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _picture(bits: Bits) -> tuple[int, _Picture]:
    number, sequence = bits.ue(), bits.ue()
    entropy, order_present = bits.flag(), bits.flag()
    if bits.ue():
        raise BoxError("slice groups are not known to players")
    references = (bits.ue() + 1, bits.ue() + 1)
    weighted, weighted_both = bits.flag(), bits.u(2)
    bits.skip_ue(3)
    deblocking, _, redundant = bits.flag(), bits.flag(), bits.flag()
    found = _Picture(sequence, entropy, order_present, references, weighted, weighted_both, deblocking, redundant)
    return number, found


def _order(bits: Bits, sequence: _Sequence, *, both: bool) -> None:
    if sequence.order_type == 0:
        bits.u(sequence.order_bits)
        bits.skip_ue(1 if both else 0)
    elif sequence.order_type == 1 and not sequence.order_zero:
        bits.skip_ue(2 if both else 1)


def _references(bits: Bits, kind: int, picture: _Picture, sequence: _Sequence) -> None:
    lists = 2 if kind == _B else 1
    bits.u(lists - 1)  # direct_spatial_mv_pred_flag
    active = picture.references
    if bits.flag():
        first = bits.ue() + 1
        active = (first, bits.ue() + 1 if lists == 2 else 1)
    if max(active) > 32:
        raise BoxError("a slice has more than 32 references")
    for _ in range(lists):
        if bits.flag():
            while bits.ue() != 3:
                bits.ue()
    if picture.weighted_both == 1 if kind == _B else picture.weighted:
        _weights(bits, active[:lists], 2 if sequence.chroma else 0)


def _weights(bits: Bits, active: Iterable[int], colours: int) -> None:
    bits.skip_ue(2 if colours else 1)
    for count in active:
        for _ in range(count):
            bits.skip_ue(2 if bits.flag() else 0)
            if colours:
                bits.skip_ue(4 if bits.flag() else 0)


def _marking(bits: Bits, *, idr: bool) -> None:
    if idr:
        bits.u(2)
    elif bits.flag():
        while operation := bits.ue():
            bits.skip_ue(2 if operation == 3 else 0 if operation == 5 else 1)
