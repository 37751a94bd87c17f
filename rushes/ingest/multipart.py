"""What is known of an upload that goes straight into a multipart upload, and what that is called. Pure.

A *state* is one immutable object: it names the parts that count, by their ETags, and holds the *tail*, the bytes behind
them that do not fill a part yet. Part `n` always has the bytes from `(n - 1) * part_size`, whoever writes it. States are
called `uploads/{upload}/{epoch}-{serial}-{offset}-{mark}`: the one that sorts last is the truth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rushes.keys import is_id

ROOT = "uploads/"
MIB = 2**20
SMALLEST_PART = 8 * MIB
"""Bytes. S3 takes parts from 5 MiB; smaller parts mean more requests, larger ones more memory."""
MOST_PARTS = 10_000
"""What S3 takes (Amazon S3 User Guide, "Multipart upload limits")."""


class DamagedState(ValueError):
    """The bytes are not those of a state."""


def part_size(length: int, smallest: int = SMALLEST_PART) -> int:
    """Bytes of all parts but the last: one size for the whole upload, as some stores want it."""
    needed = -(-length // MOST_PARTS)
    return smallest if needed <= smallest else -(-needed // MIB) * MIB


def mark(multipart: str) -> str:
    """Tells in a state's name which multipart upload it belongs to; ids themselves are long and of any characters."""
    return hashlib.sha256(multipart.encode()).hexdigest()[:16]


@dataclass(frozen=True, order=True)
class Name:
    """A state's name; the greatest of an upload is the one that counts."""

    upload: str
    epoch: int
    """Rises with each appender, so that a late write of an older one never comes out on top."""
    serial: int
    """Rises with each state that an appender stores."""
    offset: int
    mark: str

    @classmethod
    def parse(cls, key: str) -> Name | None:
        """None for a key that is no state's."""
        upload, _, rest = key.removeprefix(ROOT).partition("/")
        fields = rest.split("-")
        if not key.startswith(ROOT) or not is_id(upload) or len(fields) != 4 or not all(map(str.isdigit, fields[:3])):
            return None
        epoch, serial, offset = map(int, fields[:3])
        return cls(upload, epoch, serial, offset, fields[3])

    def __str__(self) -> str:
        return f"{prefix(self.upload)}{self.epoch:016d}-{self.serial:06d}-{self.offset}-{self.mark}"

    def next(self, offset: int, epoch: int = 0) -> Name:
        """Of the state that follows; a higher epoch starts its own count."""
        if epoch > self.epoch:
            return Name(self.upload, epoch, 1, offset, self.mark)
        return Name(self.upload, self.epoch, self.serial + 1, offset, self.mark)


def prefix(upload: str) -> str:
    return f"{ROOT}{upload}/"


@dataclass(frozen=True)
class Target:
    """Where an upload goes; the same in all of its states. `multipart` is empty for an upload of no bytes."""

    key: str
    length: int
    part_size: int
    multipart: str

    def size_of(self, number: int) -> int:
        """Bytes of a part, counted from 1; the last one may be shorter."""
        return min(self.part_size, self.length - (number - 1) * self.part_size)


@dataclass(frozen=True)
class State:
    target: Target
    etags: tuple[str, ...]
    """Of the parts that count, from the first on."""
    tail: bytes | bytearray = b""

    @property
    def offset(self) -> int:
        return min(len(self.etags) * self.target.part_size, self.target.length) + len(self.tail)

    def encode(self) -> bytes:
        head = {**asdict(self.target), "etags": self.etags, "tail": len(self.tail)}
        return b"\n".join((json.dumps(head, separators=(",", ":")).encode(), self.tail))

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Raises DamagedState."""
        line, _, tail = data.partition(b"\n")
        try:
            head: dict[str, Any] = json.loads(line)
            etags, size = tuple(head.pop("etags")), head.pop("tail")
            state = cls(Target(**head), etags, tail)
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedState(str(error)) from error
        if len(tail) != size:
            raise DamagedState(f"{len(tail)} bytes of tail instead of {size}")
        return state


def agreeing(state: State, found: Sequence[tuple[int, str, int]]) -> int:
    """How many parts of a state, from the first on, are in the store as (number, ETag, size) and are the same."""
    there = {number: (plain(etag), size) for number, etag, size in found}
    for number, etag in enumerate(state.etags, 1):
        if there.get(number) != (plain(etag), state.target.size_of(number)):
            return number - 1
    return len(state.etags)


def plain(etag: str) -> str:
    """Some servers quote an ETag in one answer and not in another."""
    return etag.strip('"')
