"""Bits of coded pictures: the raw byte sequence of a NAL unit without its emulation prevention (Rec. ITU-T H.264 section 7.3.1,
H.265 section 7.3.1.1), read field by field with the codes of their sections 9.1 and 9.2. Pure."""

from __future__ import annotations

import re

from rushes.isobmff.boxes import BoxError

_PREVENTION = re.compile(rb"\x00\x00\x03")


class Bits:
    """Reads from the beginning; what lies behind the end is a BoxError."""

    def __init__(self, escaped: bytes) -> None:
        """`escaped`: as it stands in the NAL unit, which may go on behind it."""
        plain = _PREVENTION.sub(b"\0\0", escaped)
        self._escaped = escaped
        self._value = int.from_bytes(plain)
        self._left = self._size = len(plain) * 8

    def u(self, count: int) -> int:
        """`count` bits as an unsigned number."""
        if count > self._left:
            raise BoxError("a header of the coded picture breaks off")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.u(1) == 1

    def ue(self) -> int:
        """Exp-Golomb, unsigned."""
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > 32:
            raise BoxError("a header of the coded picture has a number of more than 32 bits")
        self.u(zeros)
        return self.u(zeros + 1) - 1

    def se(self) -> int:
        """Exp-Golomb, signed."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def skip_ue(self, count: int) -> None:
        for _ in range(count):
            self.ue()

    @property
    def at(self) -> int:
        """Bits that were read."""
        return self._size - self._left

    def escaped_bytes(self, plain: int) -> int:
        """How many bytes of the NAL unit hold its first `plain` bytes without the emulation prevention."""
        added = 0
        for found in _PREVENTION.finditer(self._escaped):
            if found.end() - 1 - added >= plain:
                break
            added += 1
        return plain + added
