"""The rules of tus 1.0.0: core, creation, creation-with-upload, termination, expiration. Pure.

https://tus.io/protocols/resumable-upload (version 1.0.0). Headers come as a mapping with lower-case names or any
mapping that ignores case. What a request may do is decided here; what is stored is decided by the stored bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate

from rushes.errors import Refused
from rushes.ingest.metadata import parse_metadata

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
CONTENT_TYPE = "application/offset+octet-stream"
METHODS = ("OPTIONS", "HEAD", "POST", "PATCH", "DELETE")

Headers = Mapping[str, str]

_INTEGER = re.compile(r"[0-9]{1,40}", re.ASCII)


class ProtocolError(Refused):
    """A request that the protocol does not allow. `headers` go on the answer."""

    def __init__(self, code: str, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message, status=status)
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Creation:
    """A valid POST. `body` says that bytes of the upload come with it."""

    length: int
    metadata: dict[str, bytes]
    raw_metadata: str
    body: bool


@dataclass(frozen=True)
class Append:
    """A valid PATCH. `size` is None where the client does not say (chunked transfer encoding)."""

    offset: int
    size: int | None


def effective_method(method: str, headers: Headers) -> str:
    """`X-HTTP-Method-Override` replaces the real method, whatever that is (section "X-HTTP-Method-Override")."""
    return (headers.get("x-http-method-override") or method).strip().upper()


def check_version(headers: Headers) -> None:
    """412 with `Tus-Version` unless the client speaks our version (section "Tus-Resumable")."""
    if headers.get("tus-resumable", "").strip() != VERSION:
        raise ProtocolError(
            "tus_version_unsupported",
            f"Tus-Resumable must be {VERSION}.",
            status=412,
            headers={"Tus-Version": VERSION},
        )


def parse_creation(headers: Headers, max_size: int) -> Creation:
    """Raises ProtocolError: 400 for what is malformed or not offered, 413 over `max_size`, 415."""
    for name, what in (("upload-defer-length", "An upload without a length"), ("upload-concat", "Concatenation")):
        if name in headers:
            raise ProtocolError("extension_unsupported", f"{what} is not supported; give Upload-Length.")
    length = _integer(headers, "upload-length")
    if length > max_size:
        raise ProtocolError(
            "over_limit_bytes",
            f"The file has {length} bytes; the limit is {max_size}. Please upload a smaller file.",
            status=413,
            headers={"Tus-Max-Size": str(max_size)},
        )
    raw = headers.get("upload-metadata", "").strip()
    body = has_body(headers)
    if body:
        _check_content_type(headers)
        _check_room(_body_size(headers), length)
    return Creation(length=length, metadata=parse_metadata(raw), raw_metadata=raw, body=body)


def parse_append(headers: Headers) -> Append:
    """Raises ProtocolError: 415, or 400 for a missing or malformed offset."""
    _check_content_type(headers)
    return Append(offset=_integer(headers, "upload-offset"), size=_body_size(headers))


def check_append(append: Append, offset: int, length: int) -> None:
    """409 when the client is not where the stored bytes end, 413 when it announces more than it declared."""
    if append.offset != offset:
        raise ProtocolError(
            "offset_mismatch",
            f"The upload has {offset} bytes; the request starts at {append.offset}.",
            status=409,
            headers={"Upload-Offset": str(offset)},
        )
    _check_room(append.size, length - offset)


def has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() not in ("", "0")


def expires(at: float) -> str:
    """`Upload-Expires`: an HTTP-date (RFC 9110 section 5.6.7)."""
    return formatdate(at, usegmt=True)


def _check_content_type(headers: Headers) -> None:
    given = headers.get("content-type", "").split(";")[0].strip().lower()
    if given != CONTENT_TYPE:
        raise ProtocolError("bad_content_type", f"Content-Type must be {CONTENT_TYPE}.", status=415)


def _check_room(size: int | None, room: int) -> None:
    if size is not None and size > room:
        raise too_long()


def too_long() -> ProtocolError:
    return ProtocolError("upload_too_long", "The request has more bytes than Upload-Length declared.", status=413)


def _body_size(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return None
    return _integer(headers, "content-length") if "content-length" in headers else 0


def _integer(headers: Headers, name: str) -> int:
    text = headers.get(name, "").strip()
    if not _INTEGER.fullmatch(text):
        raise ProtocolError("bad_header", f"{name.title()} must be a non-negative integer.")
    return int(text)
