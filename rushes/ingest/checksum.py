"""Checksums of what one request brings, for every protocol: sha1, sha256, sha512, md5 and crc32c."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import google_crc32c

from rushes.errors import RushesError

SIZES = {"sha1": 20, "sha256": 32, "sha512": 64, "md5": 16, "crc32c": 4}
"""Algorithms and the bytes of their digests."""
Digests = Mapping[str, bytes]
"""Algorithm -> digest."""


class ChecksumMismatch(RushesError):
    """What arrived is not what was sent (tus 1.0.0, Checksum: 460). Nothing of it is kept."""

    status = 460

    def __init__(self) -> None:
        super().__init__(
            "checksum_mismatch",
            "The bytes that arrived do not have the checksum of the request. Please send them again.",
        )


class Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True)
class Check:
    """What the body of a request has to come to. `expected` is asked once the body has been read, since it may come
    behind it (trailers); it gives the digest of at least one of `algorithms` and may raise a RushesError."""

    algorithms: tuple[str, ...]
    expected: Callable[[], Digests]

    @classmethod
    def of(cls, digests: Digests) -> Check:
        """Digests that are known already."""
        return cls(tuple(digests), lambda: digests)


class Proof:
    """The check of one request while its body comes. Used by one thread at a time."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._hashers = {algorithm: hasher(algorithm) for algorithm in check.algorithms}

    def update(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            for each in self._hashers.values():
                each.update(piece)

    def verify(self) -> None:
        """The body is there to its end. Raises ChecksumMismatch, or what `expected` raises."""
        for algorithm, digest in self._check.expected().items():
            if not hmac.compare_digest(self._hashers[algorithm].digest(), digest):
                raise ChecksumMismatch


def hasher(algorithm: str) -> Hasher:
    """One of `SIZES`. A crc32c (RFC 9260 appendix A) is four bytes, the highest first."""
    if algorithm == "crc32c":
        checksum: Hasher = google_crc32c.Checksum()  # type: ignore[no-untyped-call] # it carries no types
        return checksum
    return hashlib.new(algorithm, usedforsecurity=False)
