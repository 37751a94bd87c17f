"""What is known of an upload that goes straight into a multipart upload, and what that is called. Pure.

A *state* is one immutable object: it names the parts that count, by what the store gave for them, and holds the *tail*,
the bytes behind them that do not fill a part yet. Part `n` always has the bytes from `(n - 1) * part_size`. States are
called `uploads/{upload}/{epoch}-{serial}-{offset}-{mark}`: the one that sorts last is the truth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rushes.keys import is_id

ROOT = "uploads/"
MIB = 2**20
USUAL_PART = 8 * MIB
"""Bytes. Smaller parts mean more requests, larger ones more memory; and many clients send chunks of this size."""
LEAST_PART = 5 * MIB
"""What S3 takes, but for the last part (Amazon S3 User Guide, "Multipart upload limits")."""
MOST_PARTS = 10_000
"""What S3 takes; the same source."""


class DamagedState(ValueError):
    """The bytes are not those of a state."""


def part_size(length: int, smallest: int = USUAL_PART) -> int:
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
    """Of an older holder of the lock it is lower, so that a late write of it never comes out on top."""
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

    def next(self, state: State, epoch: int = 0) -> Name:
        """Of the state that follows; a higher epoch starts its own count."""
        new = epoch > self.epoch
        serial = 1 if new else self.serial + 1
        return Name(self.upload, epoch if new else self.epoch, serial, state.offset, mark(state.target.multipart))


def first_name(upload: str) -> Name:
    """Of the state that a creation stores: it sorts below all others, so that creating again does no harm."""
    return Name(upload, 0, 0, 0, mark(""))


def prefix(upload: str) -> str:
    return f"{ROOT}{upload}/"


@dataclass(frozen=True)
class Target:
    """Where an upload goes."""

    key: str
    length: int | None
    """None until the client has said it."""
    part_size: int
    """May change until there is a multipart upload, and never after."""
    multipart: str
    """Empty until a writer has a part to send."""

    def size_of(self, number: int) -> int:
        """Bytes of a part, counted from 1; the last one may be shorter."""
        whole = self.part_size
        return whole if self.length is None else min(whole, self.length - (number - 1) * whole)

    def covered(self, parts: int) -> int:
        """Bytes of so many parts, from the first on."""
        return parts * self.part_size if self.length is None else min(parts * self.part_size, self.length)


class Receipt(NamedTuple):
    """What the store gave for a part."""

    etag: str
    crc32: str = ""
    """In base 64, as S3 writes it; empty where it was not asked for."""


@dataclass(frozen=True)
class State:
    target: Target
    receipts: tuple[Receipt, ...]
    """Of the parts that count, from the first on."""
    tail: bytes | bytearray = b""
    owns: bool = False
    """Whether the object at the target's key, if there is one, is a part that others are joined from, and nobody
    else's: it goes when the upload goes."""

    @property
    def offset(self) -> int:
        return self.target.covered(len(self.receipts)) + len(self.tail)

    @property
    def is_whole(self) -> bool:
        return self.offset == self.target.length

    def encode(self) -> bytes:
        head = {**asdict(self.target), "etags": self.receipts, "tail": len(self.tail), "owns": self.owns}
        return b"\n".join((json.dumps(head, separators=(",", ":")).encode(), self.tail))

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Raises DamagedState."""
        line, _, tail = data.partition(b"\n")
        try:
            head: dict[str, Any] = json.loads(line)
            receipts, size, owns = tuple(map(_receipt, head.pop("etags"))), head.pop("tail"), head.pop("owns", False)
            state = cls(Target(**head), receipts, tail, owns)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedState(str(error)) from error
        if len(tail) != size:
            raise DamagedState(f"{len(tail)} bytes of tail instead of {size}")
        return state


def _receipt(found: str | Sequence[str]) -> Receipt:
    """The ETag alone: a state of an earlier version."""
    return Receipt(found) if isinstance(found, str) else Receipt(*found)


def agreeing(state: State, found: Sequence[tuple[int, str, int]]) -> int:
    """How many parts of a state, from the first on, are in the store as (number, ETag, size) and are the same."""
    there = {number: (plain(etag), size) for number, etag, size in found}
    for number, receipt in enumerate(state.receipts, 1):
        if there.get(number) != (plain(receipt.etag), state.target.size_of(number)):
            return number - 1
    return len(state.receipts)


def plain(etag: str) -> str:
    """Some servers quote an ETag in one answer and not in another."""
    return etag.strip('"')


def joint_etag(etags: Sequence[str]) -> str:
    """What S3 and those who do as it does call an object of these parts; empty where ETags are no MD5 sums."""
    try:
        sums = b"".join(bytes.fromhex(plain(etag)) for etag in etags)
    except ValueError:
        return ""
    return f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(etags)}"


class Slice(NamedTuple):
    """Bytes `start` to `stop` of the source of this index."""

    source: int
    start: int
    stop: int


def slices(lengths: Sequence[int], size: int) -> Iterator[list[Slice]]:
    """Cut sources that follow each other into parts of `size` bytes; the last one may be shorter. In order."""
    part, room = list[Slice](), size
    for source, length in enumerate(lengths):
        at = 0
        while at < length:
            stop = min(length, at + room)
            part.append(Slice(source, at, stop))
            room -= stop - at
            at = stop
            if not room:
                yield part
                part, room = [], size
    if part:
        yield part
