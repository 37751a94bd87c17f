"""A bounded reader of big-endian fields: what lies beyond the end of a box is a BoxError, not a neighbour's bytes."""

from __future__ import annotations

from struct import calcsize, unpack_from

from rushes.isobmff.boxes import Box, BoxError, Data


class Fields:
    """Reads fields one after the other from `start` and stops at `end`."""

    def __init__(self, data: Data, start: int, end: int) -> None:
        self._data = data
        self._at = start
        self._end = end

    @classmethod
    def of(cls, data: Data, source: Box) -> Fields:
        return cls(data, source.body, source.end)

    @property
    def at(self) -> int:
        return self._at

    @property
    def left(self) -> int:
        return self._end - self._at

    def skip(self, count: int) -> Fields:
        if not 0 <= count <= self.left:
            raise BoxError(f"{count} bytes wanted at {self._at}; {self.left} are left in the box")
        self._at += count
        return self

    def raw(self, count: int) -> bytes:
        start = self._at
        self.skip(count)
        return self._data[start : start + count]

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Fields by a `struct` layout without its byte order: `IHH`."""
        start = self._at
        self.skip(calcsize(">" + layout))
        return unpack_from(">" + layout, self._data, start)

    def one(self, code: str) -> int:
        return self.unpack(code)[0]

    def version_flags(self) -> tuple[int, int]:
        word = self.one("I")
        return word >> 24, word & 0xFFFFFF

    def array(self, code: str, count: int) -> tuple[int, ...]:
        """`count` values of one code; a count that the box cannot hold is refused before anything is allocated."""
        if count * calcsize(">" + code) > self.left:
            raise BoxError(f"{count} entries claimed at {self._at}; the box has {self.left} bytes left")
        return self.unpack(f"{count}{code}")
