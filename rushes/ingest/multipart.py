"""What is known of an upload that goes straight into a multipart upload, and what that is called. Pure.

A *state* is one immutable object: it names the parts that count, by what the store gave for them, and holds the *tail*,
the bytes behind them that do not fill a part yet. Part `n` always has the bytes from `(n - 1) * part_size`. States are
called `uploads/{upload}/{epoch}-{serial}-{offset}-{mark}`: the one that sorts last is the truth. One that *grows* has
`-grows` behind that: full parts that follow those it names count as soon as they are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
_GROWS = "grows"


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
    grows: bool = False

    @classmethod
    def parse(cls, key: str) -> Name | None:
        """None for a key that is no state's."""
        upload, _, rest = key.removeprefix(ROOT).partition("/")
        fields = rest.split("-")
        grows = fields[4:] == [_GROWS]
        if not key.startswith(ROOT) or not is_id(upload) or len(fields) != 4 + grows:
            return None
        if not all(map(str.isdigit, fields[:3])):
            return None
        epoch, serial, offset = map(int, fields[:3])
        return cls(upload, epoch, serial, offset, fields[3], grows)

    def __str__(self) -> str:
        name = f"{prefix(self.upload)}{self.epoch:016d}-{self.serial:06d}-{self.offset}-{self.mark}"
        return f"{name}-{_GROWS}" if self.grows else name

    def next(self, state: State, epoch: int = 0) -> Name:
        """Of the state that follows; a higher epoch starts its own count."""
        new = epoch > self.epoch
        serial = 1 if new else self.serial + 1
        of = mark(state.target.multipart)
        return Name(self.upload, epoch if new else self.epoch, serial, state.offset, of, state.grows)


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
    grows: bool = False
    """Whether parts behind these count as well, once they are there. Only as long as nobody but the process that
    started the multipart upload has sent any to it, and all of what it sent was right."""

    @property
    def offset(self) -> int:
        return self.target.covered(len(self.receipts)) + len(self.tail)

    @property
    def is_whole(self) -> bool:
        return self.offset == self.target.length

    def encode(self) -> bytes:
        head = {**asdict(self.target), "etags": self.receipts, "tail": len(self.tail), "owns": self.owns}
        if self.grows:
            head["grows"] = True
        return b"\n".join((json.dumps(head, separators=(",", ":")).encode(), self.tail))

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Raises DamagedState."""
        line, _, tail = data.partition(b"\n")
        try:
            head: dict[str, Any] = json.loads(line)
            receipts, size = tuple(map(_receipt, head.pop("etags"))), head.pop("tail")
            owns, grows = head.pop("owns", False), head.pop("grows", False)
            state = cls(Target(**head), receipts, tail, owns, grows)
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


def grown(state: State, found: Mapping[int, tuple[int, Receipt]]) -> State:
    """A state that grows, with the parts that are in the store by number as (size, receipt). Those count that follow
    what the state names, whole and without a gap; the first of them begins with the tail's bytes."""
    receipts = list(state.receipts)
    while (part := found.get(len(receipts) + 1)) and part[0] == state.target.size_of(len(receipts) + 1):
        receipts.append(part[1])
    return state if len(receipts) == len(state.receipts) else replace(state, receipts=tuple(receipts), tail=b"")


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
