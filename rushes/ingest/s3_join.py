"""One upload from others that lie in the same bucket: the server copies what it can, and only the seams pass through us.

A part of the result that lies within one source, and is large enough, is copied by the server (UploadPartCopy); one over
a seam between two sources is read and sent, one at a time. Every part's bytes follow from the sources alone, so that a
join that was killed goes on with the parts that are there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5

from rushes.ingest.multipart import Receipt, Slice, Target, plain, slices
from rushes.ingest.s3_append import Multiparts
from rushes.ingest.s3_states import missing_upload
from rushes.storage.bucket import Bucket, StoreLacks
from rushes.storage.remote import RemoteStream

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Copies; the server does the work."""


@dataclass(frozen=True)
class Source:
    """Bytes that are joined with others: an object from byte `base` on."""

    upload: str
    key: str
    etag: str
    base: int
    length: int


class Joiner:
    """Joins uploads of one store."""

    def __init__(self, multiparts: Multiparts) -> None:
        self._multiparts, self._bucket = multiparts, multiparts.bucket
        self._believed: bool | None = None
        """Whether copies of parts by the server are right; None until one was compared."""

    def join(self, target: Target, sources: Sequence[Source]) -> tuple[Receipt, ...]:
        """Make all parts of a multipart upload. Raises UploadMissing with the source that is gone, StoreFull."""
        there = {part.number: part for part in self._bucket.parts(target.key, target.multipart)}
        receipts: dict[int, Receipt] = {}
        copies: list[tuple[int, Slice]] = []
        seams: list[tuple[int, list[Slice]]] = []
        for number, part in enumerate(slices([each.length for each in sources], target.part_size), 1):
            if number in there and there[number].size == target.size_of(number):
                receipts[number] = Receipt(there[number].etag, there[number].crc32)
            elif len(part) == 1 and target.size_of(number) >= self._multiparts.least:
                copies.append((number, part[0]))
            else:
                seams.append((number, part))
        if copies and self._believed is None:
            number, piece = copies.pop()
            receipts[number] = self._compared(target, number, sources, piece)
        if not self._believed:
            seams, copies = [*seams, *((number, [piece]) for number, piece in copies)], []
        with ThreadPoolExecutor(AT_ONCE, "copy") as pool:
            under_way = [(number, pool.submit(self._copy, target, number, sources, piece)) for number, piece in copies]
            try:
                for number, part in seams:
                    receipts[number] = self._multiparts.part(target, number, read(self._bucket, sources, part))
                receipts |= {number: future.result() for number, future in under_way}
            finally:
                pool.shutdown(cancel_futures=True)
        return tuple(receipts[number] for number in sorted(receipts))

    def _copy(self, target: Target, number: int, sources: Sequence[Source], piece: Slice) -> Receipt:
        source = sources[piece.source]
        span = range(source.base + piece.start, source.base + piece.stop)
        with missing_upload(source.upload):
            part = self._bucket.copy_part(target.key, target.multipart, number, source.key, source.etag, span)
        return Receipt(part.etag, part.crc32)

    def _compared(self, target: Target, number: int, sources: Sequence[Source], piece: Slice) -> Receipt:
        """The first copy of this process is read as well. A Swift whose middleware stands in another order than its
        documentation wants copies the list of an object's segments in place of its bytes, and says nothing."""
        try:
            receipt = self._copy(target, number, sources, piece)
        except StoreLacks:
            receipt = Receipt("")
        body = read(self._bucket, sources, [piece])
        self._believed = plain(receipt.etag) == md5(body, usedforsecurity=False).hexdigest()
        if self._believed:
            return receipt
        log.warning("%s: the object store's copies of parts cannot be checked; parts are read and sent", target.key)
        return self._multiparts.part(target, number, body)


def read(bucket: Bucket, sources: Sequence[Source], part: Sequence[Slice]) -> bytearray:
    """The bytes of some slices. Raises UploadMissing, StoreError."""
    body = bytearray(sum(piece.stop - piece.start for piece in part))
    at = memoryview(body)
    for piece in part:
        source = sources[piece.source]
        start, stop = source.base + piece.start, source.base + piece.stop
        with missing_upload(source.upload), RemoteStream(bucket, source.key, source.etag, start, stop) as stream:
            while count := stream.readinto(at[: stop - start]):
                at, start = at[count:], start + count
    return body
