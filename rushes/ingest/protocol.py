"""The rules of tus 1.0.0, with all of its extensions. Pure.

https://tus.io/protocols/resumable-upload (version 1.0.0). Headers come as a mapping with lower-case names or any
mapping that ignores case. What a request wants is read here; whether it may is decided by `requests` for all protocols.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import formatdate
from urllib.parse import urljoin, urlsplit

from rushes.errors import Refused
from rushes.ingest.checksum import SIZES, Check, Digests
from rushes.ingest.metadata import parse_metadata
from rushes.ingest.requests import Append, Creation, Kind, NotAppendable, TooLong
from rushes.keys import is_id

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,checksum-trailer,termination,"
    "concatenation,concatenation-unfinished"
)
ALGORITHMS = ("sha1", "sha256", "md5", "crc32c")
CONTENT_TYPE = "application/offset+octet-stream"
METHODS = ("OPTIONS", "HEAD", "POST", "PATCH", "DELETE")
MAX_PARTS = 1000
"""Of one final upload."""

Headers = Mapping[str, str]
Trailers = Callable[[], Sequence[tuple[bytes, bytes]]]
"""Names (lower case) and values of what came behind the body, once that has been read."""

_SINGULAR = frozenset(
    {
        "content-type",
        "tus-resumable",
        "upload-checksum",
        "upload-concat",
        "upload-defer-length",
        "upload-length",
        "upload-metadata",
        "upload-offset",
        "x-http-method-override",
    }
)
_BLANK = " \t"
"""What may stand around a value (RFC 9110 section 5.6.3); `str.strip` takes away more than that."""
_INTEGER = re.compile(r"[0-9]{1,40}", re.ASCII)


class ProtocolError(Refused):
    """A request that the protocol does not allow. `headers` go on the answer."""

    def __init__(self, code: str, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message, status=status)
        self.headers = dict(headers or {})


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


def check_singular(names: Iterable[str]) -> None:
    """A field that comes twice may be read by a proxy in one way and by us in another (RFC 9110 section 5.3).

    `names` in lower case, as often as they come. Raises ProtocolError.
    """
    twice = [name for name, times in Counter(names).items() if times > 1 and name in _SINGULAR]
    if twice:
        raise ProtocolError("bad_header", f"{twice[0].title()} must not be given twice.")


def parse_creation(headers: Headers, bases: Sequence[str] = ()) -> Creation:
    """`bases`: the addresses that this endpoint is known by, for the parts of a final upload.

    Raises 400 for what is malformed, 415, 413 for a body that is longer than the upload, 403 for a final one's body.
    """
    kind, parts, raw_concat = _concat(headers, bases)
    length = None if kind == "joined" else _length(headers)
    raw = headers.get("upload-metadata", "").strip(_BLANK)
    body = has_body(headers)
    if body:
        if kind == "joined":
            raise NotAppendable
        _check_content_type(headers)
        size = _body_size(headers)
        if size is not None and length is not None and size > length:
            raise TooLong
    return Creation(
        length=length, metadata=parse_metadata(raw), raw_metadata=raw, body=body, kind=kind, parts=parts,
        raw_concat=raw_concat,
    )  # fmt: skip


def parse_first_append(headers: Headers, trailers: Trailers | None = None) -> Append:
    """creation-with-upload: what comes with the creation. Raises 400."""
    return Append(0, _body_size(headers), check=_check(headers, trailers))


def parse_append(headers: Headers, trailers: Trailers | None = None) -> Append:
    """`trailers` None: the server cannot give any. Raises ProtocolError: 415, or 400 for what is malformed."""
    _check_content_type(headers)
    if "upload-defer-length" in headers:
        _defers(headers)
    return Append(
        offset=_integer(headers, "upload-offset"),
        size=_body_size(headers),
        length=_integer(headers, "upload-length") if "upload-length" in headers else None,
        check=_check(headers, trailers),
    )


def has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() not in ("", "0")


def expects_continue(headers: Headers) -> bool:
    """The client sends its body only once it is asked to (RFC 9110 section 10.1.1)."""
    return headers.get("expect", "").strip().lower() == "100-continue"


def expires(at: float) -> str:
    """`Upload-Expires`: an HTTP-date (RFC 9110 section 5.6.7)."""
    return formatdate(at, usegmt=True)


# -- lengths ----------------------------------------------------------------------------------------------------------


def _length(headers: Headers) -> int | None:
    """None: it is deferred (section "Creation Defer Length")."""
    if "upload-defer-length" not in headers:
        return _integer(headers, "upload-length")
    _defers(headers)
    if "upload-length" in headers:
        raise ProtocolError("bad_header", "Either Upload-Length or Upload-Defer-Length, not both.")
    return None


def _defers(headers: Headers) -> None:
    if headers.get("upload-defer-length", "").strip(_BLANK) != "1":
        raise ProtocolError("bad_header", "Upload-Defer-Length must be 1.")


def _check_content_type(headers: Headers) -> None:
    given = headers.get("content-type", "").split(";")[0].strip().lower()
    if given != CONTENT_TYPE:
        raise ProtocolError("bad_content_type", f"Content-Type must be {CONTENT_TYPE}.", status=415)


def _body_size(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return None
    return _integer(headers, "content-length") if "content-length" in headers else 0


def _integer(headers: Headers, name: str) -> int:
    text = headers.get(name, "").strip(_BLANK)
    if not _INTEGER.fullmatch(text):
        raise ProtocolError("bad_header", f"{name.title()} must be a non-negative integer.")
    return int(text)


# -- concatenation ----------------------------------------------------------------------------------------------------


def _concat(headers: Headers, bases: Sequence[str]) -> tuple[Kind, tuple[str, ...], str]:
    """Kind, ids of the parts, and the header as HEAD will echo it (section "Upload-Concat")."""
    if "upload-concat" not in headers:
        return "whole", (), ""
    value = headers["upload-concat"].strip(_BLANK)
    word, semicolon, addresses = value.partition(";")
    if word == "partial" and not semicolon:
        return "part", (), word
    if word != "final" or not addresses.strip() or not (value.isascii() and value.isprintable()):
        raise _bad_concat("Upload-Concat must be `partial`, or `final;` and the addresses of partial uploads.")
    if "upload-length" in headers or "upload-defer-length" in headers:
        raise _bad_concat("A final upload has the length of its parts: no Upload-Length, no Upload-Defer-Length.")
    given = addresses.split()
    if len(given) > MAX_PARTS:
        raise _bad_concat(f"A final upload may have at most {MAX_PARTS} parts.")
    # Behind a question mark an address may carry a secret, which is for the client to keep.
    raw = " ".join(address.partition("?")[0] for address in given)
    return "joined", tuple(_part(address, bases) for address in given), f"final;{raw}"


def _part(address: str, bases: Sequence[str]) -> str:
    """The id of an upload from its address, absolute or relative. Only our own are taken."""
    for base in bases:
        found = _plain(base, address)
        name = found.removeprefix(f"{_plain(base)}/")
        if name != found and is_id(name):
            return name
    raise _bad_concat("Upload-Concat names an address that is not the one of an upload here.")


def _plain(base: str, address: str = "") -> str:
    """The address, as seen from `base`, without query and fragment; scheme and host in lower case. Empty: it is none."""
    try:
        parts = urlsplit(urljoin(f"{base}/", address) if address else base)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"


def _bad_concat(message: str) -> ProtocolError:
    return ProtocolError("bad_concat", message)


# -- checksums --------------------------------------------------------------------------------------------------------


def _check(headers: Headers, trailers: Trailers | None) -> Check | None:
    """Sections "Checksum" and "Checksum Trailer"."""
    if "upload-checksum" in headers:
        return Check.of(_digest(headers["upload-checksum"]))
    announced = [name.strip().lower() for name in headers.get("trailer", "").split(",")]
    if "upload-checksum" not in announced:
        return None
    if trailers is None:
        raise ProtocolError(
            "trailers_unsupported", "This server cannot read trailers; send Upload-Checksum before the body."
        )
    # Which algorithm it will be is only known behind the body.
    return Check(ALGORITHMS, lambda: _digest_behind(trailers()))


def _digest_behind(trailers: Sequence[tuple[bytes, bytes]]) -> Digests:
    for name, value in trailers:
        if name == b"upload-checksum":
            return _digest(value.decode("latin-1"))
    raise ProtocolError("checksum_missing", "Upload-Checksum was announced as a trailer and did not come.")


def _digest(value: str) -> Digests:
    """`sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=` -> `{"sha1": ...}`."""
    algorithm, _, encoded = value.strip(_BLANK).partition(" ")
    if algorithm not in ALGORITHMS:
        raise ProtocolError("checksum_unsupported", f"Upload-Checksum must be one of {', '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(encoded.strip(_BLANK), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("bad_header", "The checksum in Upload-Checksum is not base64.") from error
    if len(digest) != SIZES[algorithm]:
        raise ProtocolError("bad_header", f"A checksum of {algorithm} has {SIZES[algorithm]} bytes.")
    return {algorithm: digest}
