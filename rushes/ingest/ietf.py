"""The rules of Resumable Uploads for HTTP, drafts -01 to -12, which the HTTP working group of the IETF writes. Pure.

draft-ietf-httpbis-resumable-upload; a client names the iteration that it speaks by `Upload-Draft-Interop-Version`:

| interop | drafts     | what is different                                                                              |
|---------|------------|------------------------------------------------------------------------------------------------|
| 3       | -01        | `Upload-Incomplete`; absent means that the request completes the upload (iOS 17)               |
| 4, 5    | -02, -03   | `Upload-Complete`; no media type on an append; 400 for state headers on HEAD and DELETE        |
| 6       | -04, -05   | `application/partial-upload`; `Upload-Length`; `Upload-Limit` with `expires`; problem types    |
| 7       | -06 to -08 | `expires` is `max-age`; an upload with more bytes than its length is given up (-08)            |
| 8       | -09 to -12 | `Accept-Patch` on OPTIONS; a complete upload refuses bytes as an inconsistent length (iOS 26)  |

A client that names another version, or none, is answered by the rules of the latest, but never gets a 104.
Headers come as a mapping with lower-case names; several lines of one name are joined with a comma (RFC 9110 5.3).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rushes.errors import Refused
from rushes.ingest.checksum import Check
from rushes.ingest.digest_fields import content_digests, repr_digests, wanted
from rushes.ingest.disposition import filename_in
from rushes.ingest.metadata import parse_metadata
from rushes.ingest.requests import Append, Creation, LengthMismatch
from rushes.ingest.structured import boolean, integer, write

LATEST = 8
VERSIONS = range(3, LATEST + 1)
PARTIAL = "application/partial-upload"
CREATING = ("POST", "PUT", "PATCH")
"""Methods that begin an upload at the collection: any that may carry content."""
UPLOAD_METHODS = ("HEAD", "PATCH", "DELETE")

Headers = Mapping[str, str]

_MARKS = ("upload-draft-interop-version", "upload-complete", "upload-incomplete")
_DIGITS = re.compile(r"[0-9]{1,40}", re.ASCII)
_STATE = ("upload-offset", "upload-complete", "upload-incomplete")


class BadRequest(Refused):
    """A request that the protocol does not allow. `headers` go on the answer."""

    def __init__(self, code: str, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message, status=status)
        self.headers = dict(headers or {})


def is_ietf(headers: Headers) -> bool:
    """Whether the request speaks this protocol and not tus, whose clients always say so."""
    if "tus-resumable" in headers:
        return False
    return any(name in headers for name in _MARKS) or _media_type(headers) == PARTIAL


@dataclass(frozen=True)
class Limits:
    """What holds for one upload."""

    max_size: int
    max_age: float
    """Seconds that it will be kept for, from now on."""


@dataclass(frozen=True)
class Dialect:
    """The iteration whose rules hold. `agreed`: the client named it, so that interim responses may be sent."""

    version: int
    agreed: bool

    @classmethod
    def of(cls, headers: Headers) -> Dialect:
        named = integer(headers.get("upload-draft-interop-version"))
        if named is None or named not in VERSIONS:
            return cls(LATEST, agreed=False)
        return cls(named, agreed=True)

    # -- what is answered ---------------------------------------------------------------------------------------------

    def echo(self) -> dict[str, str]:
        """Clients ignore a 104 without it."""
        return {"Upload-Draft-Interop-Version": str(self.version)} if self.agreed else {}

    def completeness(self, complete: bool) -> dict[str, str]:
        if self.version == 3:
            return {"Upload-Incomplete": "?0" if complete else "?1"}
        return {"Upload-Complete": "?1" if complete else "?0"}

    def limits(self, limits: Limits) -> dict[str, str]:
        if self.version < 6:
            return {}
        age = "expires" if self.version == 6 else "max-age"
        return {"Upload-Limit": write({"max-size": limits.max_size, age: max(0, int(limits.max_age))})}

    def announcement(self, location: str, limits: Limits) -> dict[str, str]:
        """Of the 104 that says where to resume."""
        return {**self.echo(), "Location": location, **self.limits(limits)}

    def progress(self, offset: int) -> dict[str, str]:
        """Of a 104 on the way; never with Location (section "Upload Append")."""
        return {**self.echo(), "Upload-Offset": str(offset)}

    def state(self, offset: int, *, complete: bool) -> dict[str, str]:
        return {**self.echo(), "Upload-Offset": str(offset), **self.completeness(complete)}

    def appended(self, *, complete: bool) -> int:
        """The status of an append: as the creation's if it was the last one, else 201 (to interop 6) or 204."""
        return 201 if complete or self.version <= 6 else 204

    @property
    def gives_up_overlong(self) -> bool:
        """Section "Upload Append" since -08: an upload whose body outgrew its length is rejected from then on."""
        return self.version >= 7


# -- what is asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beginning:
    """A valid creation, and the append that its own content is."""

    creation: Creation
    append: Append


def parse_creation(headers: Headers, dialect: Dialect) -> Beginning:
    """Raises BadRequest (400, 415), LengthMismatch, and what metadata and digests may raise."""
    _check_codings(headers)
    if _media_type(headers).startswith("multipart/"):
        raise BadRequest("bad_content_type", "Send the file itself as the content, not a form.", status=415)
    if integer(headers.get("upload-offset")):
        raise BadRequest("bad_header", "An upload begins at offset 0; send Upload-Offset to the upload's own address.")
    complete = _completeness(headers, dialect)
    if complete is None:
        raise _unsaid(dialect)
    size = _size(headers)
    length = _length(headers, 0, size, complete=complete)
    metadata, raw = _metadata(headers)
    digests = repr_digests(headers.get("repr-digest"))
    if not digests and (algorithm := wanted(headers.get("want-repr-digest"))):
        digests = {algorithm: b""}
    creation = Creation(length=length, metadata=metadata, raw_metadata=raw, body=size != 0, digests=digests)
    return Beginning(creation, Append(offset=0, size=size, complete=complete, check=_check(headers)))


def parse_append(headers: Headers, dialect: Dialect) -> Append:
    """Raises BadRequest (400, 415), LengthMismatch, and what digests may raise."""
    _check_codings(headers)
    if dialect.version >= 6 and _media_type(headers) != PARTIAL:
        raise BadRequest(
            "bad_content_type", f"Content-Type must be {PARTIAL}.", status=415, headers={"Accept-Patch": PARTIAL}
        )
    offset = integer(headers.get("upload-offset"))
    if offset is None:
        raise BadRequest("bad_header", "Upload-Offset must be a non-negative integer.")
    complete = _completeness(headers, dialect)
    if complete is None and dialect.version not in (4, 5):
        raise _unsaid(dialect)
    size = _size(headers)
    length = _length(headers, offset, size, complete=complete is True)
    return Append(offset=offset, size=size, length=length, complete=complete is True, check=_check(headers))


def check_bare(headers: Headers, dialect: Dialect) -> None:
    """HEAD and DELETE carry no state in interop 3 to 5, and are refused with any. Raises BadRequest."""
    given = [name for name in _STATE if name in headers]
    if given and dialect.version <= 5:
        raise BadRequest("bad_header", f"{given[0].title()} has no meaning on this request.")


def capabilities(limits: Limits) -> dict[str, str]:
    """Of OPTIONS, which asks no version (sections "Limits" and "Upload Creation")."""
    return {"Accept-Patch": PARTIAL, **Dialect(LATEST, agreed=False).limits(limits)}


# -- parts ------------------------------------------------------------------------------------------------------------


def _completeness(headers: Headers, dialect: Dialect) -> bool | None:
    """Whether the request ends the upload; None where it does not say."""
    if dialect.version != 3:
        return boolean(headers.get("upload-complete"))
    incomplete = boolean(headers.get("upload-incomplete", "?0"))
    return None if incomplete is None else not incomplete


def _unsaid(dialect: Dialect) -> BadRequest:
    if dialect.version == 3:
        return BadRequest("bad_header", "Upload-Incomplete must be ?0 (the file ends here) or ?1 (more will come).")
    return BadRequest("bad_header", "Upload-Complete must be ?1 (the file ends here) or ?0 (more will come).")


def _length(headers: Headers, offset: int, size: int | None, *, complete: bool) -> int | None:
    """Section "Length": what `Upload-Length` says, and what the last request's own size comes to, have to agree."""
    said = integer(headers.get("upload-length"))
    end = None if size is None else offset + size
    if said is not None and end is not None and (end > said or (complete and end != said)):
        raise LengthMismatch(f"Upload-Length is {said}, but the content of this request ends at {end}.")
    return end if complete and end is not None else said


def _size(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return None
    given = headers.get("content-length", "0").strip()  # no structured field: more than 15 digits are a size, too
    return int(given) if _DIGITS.fullmatch(given) else 0


def _check(headers: Headers) -> Check | None:
    digests = content_digests(headers.get("content-digest"))
    return Check.of(digests) if digests else None


def _check_codings(headers: Headers) -> None:
    """The bytes of a file are stored as they come (section "Content Codings"), and a gzip of a video is no video."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise BadRequest(
            "bad_content_encoding",
            "The content must not be encoded: send the file's own bytes.",
            status=415,
            headers={"Accept-Encoding": "identity"},
        )


def _metadata(headers: Headers) -> tuple[dict[str, bytes], str]:
    """The file's name and type, under the keys that tus clients use, and as the header that they would send."""
    if raw := headers.get("upload-metadata", "").strip():
        return parse_metadata(raw), raw
    found = {"filename": filename_in(headers.get("content-disposition", "")), "filetype": _media_type(headers)}
    metadata = {key: value.encode() for key, value in found.items() if value}
    return metadata, ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in metadata.items())


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()
