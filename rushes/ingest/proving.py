"""Whether a whole file is what its client said it is (`Repr-Digest`, RFC 9530), once all its bytes are in the store.

The bytes came by several requests, perhaps through several servers, so no running hash has seen them all: they are read
back once, in pieces. Only uploads whose clients gave a digest pay for that.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from rushes.errors import REASONS, RushesError
from rushes.ingest.checksum import hasher
from rushes.noun import Reason
from rushes.storage.store import ObjectStore

PIECE = 2**20
"""Bytes read at a time."""
WRONG = Reason(code="digest_mismatch", message=REASONS["digest_mismatch"])


class WrongDigest(RushesError):
    """The upload has failed: which of its bytes are wrong cannot be told."""

    status = 400

    def __init__(self, wrong: Mapping[str, bytes]) -> None:
        super().__init__(WRONG.code, WRONG.message)
        self.wrong = dict(wrong)
        """Algorithm -> the digest that was given."""


def prove(objects: ObjectStore, key: str, digests: Mapping[str, bytes]) -> None:
    """`digests` by the names in `checksum.SIZES`; none need no reading. Blocks. Raises WrongDigest, StoreError."""
    if not digests:
        return
    found = measure(objects, key, digests)
    wrong = {name: given for name, given in digests.items() if not hmac.compare_digest(given, found[name])}
    if wrong:
        raise WrongDigest(wrong)


def measure(objects: ObjectStore, key: str, algorithms: Iterable[str]) -> dict[str, bytes]:
    """The digests of an object, by reading it once. Blocks. Raises StoreError."""
    hashers = {algorithm: hasher(algorithm) for algorithm in algorithms}
    stream = objects.open(key)
    try:
        while piece := stream.read(PIECE):
            for each in hashers.values():
                each.update(piece)
    finally:
        stream.close()
    return {algorithm: each.digest() for algorithm, each in hashers.items()}
