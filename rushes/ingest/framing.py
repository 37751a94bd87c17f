"""Which requests cannot be told from what follows them, or from another server's, and are refused unread.

Where a proxy in front of us and we see different ends of a request, one request hides in another (RFC 9112 section 11.2).
The parser refuses most of that (two lengths, a length and chunks, chunks that are none); here is what it takes. Pure:
`interim.py` does the sending.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._~%!$&'()*+,;=-]*)(?::[0-9]*)?")
"""RFC 9110 section 7.2: a name or an address, and a port; it may be empty."""

Headers = Iterable[tuple[bytes, bytes]]
"""Lower-case names and values, as often as they came."""


@dataclass(frozen=True)
class Fault:
    """Why a connection ends with this answer."""

    status: int
    code: str
    detail: str


MALFORMED = Fault(400, "request_malformed", "This is not an HTTP/1.1 request, or its body is not framed as it says.")
TOO_LATE = Fault(408, "request_timeout", "The headers of the request did not come in time.")
TOO_LARGE = Fault(431, "headers_too_large", "The headers of the request are too large.")
_NO_HOST = Fault(400, "bad_host", "A request has one Host header, which names a host and perhaps a port.")
_UNKNOWN_CODING = Fault(501, "transfer_coding_unsupported", "The only Transfer-Encoding that is taken here is chunked.")
_NO_PROXY = Fault(501, "method_unsupported", "This server opens no tunnels: CONNECT is for proxies.")


def fault_of(method: str, version: str, headers: Headers) -> Fault | None:
    """What is wrong with a request that the parser has taken; None if nothing is. `version` as in "1.1"."""
    pairs = list(headers)
    if method == "CONNECT":
        return _NO_PROXY
    hosts = _values(pairs, b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1") or not all(_HOST.fullmatch(host) for host in hosts):
        return _NO_HOST  # RFC 9112 section 3.2
    codings = _values(pairs, b"transfer-encoding")
    known = not codings or [coding.lower() for coding in codings] == [b"chunked"]
    return None if known else _UNKNOWN_CODING  # RFC 9112 section 6.1


def bare_head(version: str, headers: Headers) -> bytes:
    """A head for a parser, of a message whose body is framed as that of a request with these headers, and no more."""
    framing = [pair for pair in headers if pair[0] in (b"content-length", b"transfer-encoding")]
    lines = [b"POST / HTTP/%s" % version.encode(), *(b"%s: %s" % pair for pair in framing)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def answer_of(fault: Fault, headers: Headers) -> bytes:
    """All of the answer, with these headers of the server's: a problem (RFC 9457), behind which the connection ends."""
    title = HTTPStatus(fault.status).phrase
    content = {
        "type": "about:blank", "title": title, "status": fault.status, "detail": fault.detail, "code": fault.code,
    }  # fmt: skip
    body = json.dumps(content).encode()
    lines = [
        b"HTTP/1.1 %d %s" % (fault.status, title.encode()),
        *(b"%s: %s" % pair for pair in headers),
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _values(pairs: Sequence[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value.strip() for found, value in pairs if found == name]
