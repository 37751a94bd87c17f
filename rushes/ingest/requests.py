"""What a request wants of an upload, whichever protocol it came by, and the rules that hold for all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rushes.catalog.records import Upload
from rushes.errors import RushesError
from rushes.ingest.checksum import Check

Kind = Literal["whole", "part", "joined"]


@dataclass(frozen=True)
class Creation:
    """An upload that shall begin. `length` None: it will be said later. `body`: bytes of it come with the request."""

    length: int | None
    metadata: Mapping[str, bytes]
    raw_metadata: str
    body: bool
    kind: Kind = "whole"
    parts: tuple[str, ...] = ()
    """Of a joined one: ids of uploads, in order."""
    raw_concat: str = ""
    """The client's `Upload-Concat`."""
    digests: Mapping[str, bytes] = field(default_factory=dict)
    """What the whole has to come to: algorithm -> digest; empty where the client wants to be told."""


@dataclass(frozen=True)
class Append:
    """Bytes for an upload, from `offset` on."""

    offset: int
    size: int | None
    """How many; None where the client does not say (chunked transfer encoding)."""
    length: int | None = None
    """Of the whole upload, if this request says it."""
    complete: bool | None = None
    """True: where this body ends, the upload ends. False: more will come. None: the protocol has no word for it."""
    check: Check | None = None


class OffsetMismatch(RushesError):
    status = 409

    def __init__(self, offset: int, given: int) -> None:
        super().__init__("offset_mismatch", f"The upload has {offset} bytes; the request starts at {given}.")
        self.offset, self.given = offset, given


class LengthMismatch(RushesError):
    """A length that is not what was said before, or less than there is."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__("length_mismatch", message)


class TooLong(RushesError):
    """More bytes than the upload has (RFC 9110 section 15.5.14)."""

    status = 413

    def __init__(self) -> None:
        super().__init__("upload_too_long", "The request has more bytes than the upload's length leaves room for.")


class OverLimit(RushesError):
    """More bytes than an upload may have."""

    status = 413

    def __init__(self, limit: int, size: int | None = None) -> None:
        what = "The file is larger than the limit" if size is None else f"The file has {size} bytes"
        super().__init__("over_limit_bytes", f"{what}; the limit is {limit} bytes. Please upload a smaller file.")
        self.limit = limit


class NotAppendable(RushesError):
    """tus 1.0.0, Concatenation: the bytes of a final upload are those of its parts."""

    status = 403

    def __init__(self) -> None:
        super().__init__("upload_is_joined", "This upload is put together from others; bytes go to those.")


class Interrupted(RushesError):
    """The client was silent for too long, or another request took over."""

    status = 423

    def __init__(self) -> None:
        super().__init__(
            "upload_interrupted",
            "The upload was silent for too long, or another request took over; what arrived is kept.",
        )


def check_creation(creation: Creation, limit: int) -> None:
    """Raises OverLimit."""
    if creation.length is not None and creation.length > limit:
        raise OverLimit(limit, creation.length)


def check_append(append: Append, offset: int, length: int | None, limit: int) -> None:
    """Whether this may be appended to an upload of `offset` stored bytes; `length` None: it is not known yet.

    Raises OffsetMismatch, LengthMismatch, OverLimit, or TooLong where more is announced than there is room for.
    """
    if append.offset != offset:
        raise OffsetMismatch(offset, append.offset)
    if append.length is not None:
        check_length(append.length, offset, length, limit)
    total = length if append.length is None else append.length
    if append.size is None:
        return
    if total is None:
        if offset + append.size > limit:
            raise OverLimit(limit)
    elif append.size > total - offset:
        raise TooLong


def check_length(given: int, offset: int, length: int | None, limit: int) -> None:
    """A length that is said once stays (tus 1.0.0, Creation Defer Length). Raises LengthMismatch, OverLimit."""
    if length is not None and given != length:
        raise LengthMismatch(f"The upload has a length of {length} bytes already; it cannot become {given}.")
    if given < offset:
        raise LengthMismatch(f"The upload has {offset} bytes already; its length cannot be {given}.")
    if given > limit:
        raise OverLimit(limit, given)


def room_of(offset: int, length: int | None, limit: int) -> int:
    """Bytes that may still come."""
    return max(0, (limit if length is None else length) - offset)


def limit_of(upload: Upload, max_bytes: int) -> int:
    """The most bytes that this upload may have."""
    return max_bytes if upload.limits.max_bytes is None else min(max_bytes, upload.limits.max_bytes)
