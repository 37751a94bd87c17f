"""Answers of the upload endpoint: tus headers, problems (RFC 9457) and what browsers of other origins may see."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rushes.errors import RushesError
from rushes.ingest.access import KEY
from rushes.ingest.ietf import Limits, capabilities
from rushes.ingest.pace import TooSlow
from rushes.ingest.protocol import ALGORITHMS, EXTENSIONS, METHODS, VERSION, ProtocolError
from rushes.ingest.requests import Interrupted, OffsetMismatch, OverLimit
from rushes.settings import Settings

ASSET = "Rushes-Asset"
CHECKSUM_MISMATCH = 460
"""tus 1.0.0, Checksum."""

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(
        (
            "Location",
            "Tus-Resumable",
            "Tus-Version",
            "Tus-Extension",
            "Tus-Max-Size",
            "Tus-Checksum-Algorithm",
            "Upload-Offset",
            "Upload-Length",
            "Upload-Defer-Length",
            "Upload-Concat",
            "Upload-Metadata",
            "Upload-Expires",
            "Upload-Complete",
            "Upload-Incomplete",
            "Upload-Limit",
            "Upload-Draft-Interop-Version",
            "Accept-Patch",
            "Retry-After",
            ASSET,
        )
    ),
}
"""On every answer of the endpoint, whichever protocol it speaks."""
_COMMON = {"Tus-Resumable": VERSION, **CORS}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": ", ".join((*METHODS, "PUT")),
    "Access-Control-Allow-Headers": ", ".join(
        (
            "Authorization",
            "Content-Type",
            "Tus-Resumable",
            "Upload-Length",
            "Upload-Offset",
            "Upload-Metadata",
            "Upload-Defer-Length",
            "Upload-Concat",
            "Upload-Checksum",
            "Upload-Complete",
            "Upload-Incomplete",
            "Upload-Draft-Interop-Version",
            "Content-Disposition",
            "Content-Digest",
            "Repr-Digest",
            "X-HTTP-Method-Override",
            "X-Requested-With",
            "X-Request-ID",
        )
    ),
    "Access-Control-Max-Age": "86400",
}
_RETRY_AFTER = {423: "1", 503: "5", 507: "60"}
"""Seconds."""
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII)


def answer(status: int, headers: Mapping[str, str]) -> Response:
    return Response(status_code=status, headers={**_COMMON, **headers})


def options(settings: Settings, *, preflight: bool) -> Response:
    """What the server can do by either protocol (tus, section "OPTIONS"; IETF, section "Limits"), and, to a browser
    that asks, what a page may send."""
    able = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(settings.upload_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Allow": ", ".join(METHODS),
        **capabilities(Limits(settings.upload_max_bytes, settings.upload_expiry)),
    }
    return answer(204, {**able, **(_PREFLIGHT if preflight else {})})


def problem(error: RushesError) -> Response:
    body = {
        "type": "about:blank",
        "title": _title(error.status),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    challenge = {"WWW-Authenticate": 'Bearer realm="rushes"'} if error.status == HTTPStatus.UNAUTHORIZED else {}
    seconds = str(math.ceil(error.retry_after)) if error.retry_after is not None else _RETRY_AFTER.get(error.status)
    wait = {"Retry-After": seconds} if seconds else {}
    own = headers_of(error)
    headers = {**_COMMON, "Cache-Control": "no-store", **challenge, **wait, **own}
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


def headers_of(error: RushesError) -> dict[str, str]:
    """What tus clients read beside the status."""
    match error:
        case ProtocolError():
            return error.headers
        case OffsetMismatch():
            return {"Upload-Offset": str(error.offset)}
        case OverLimit():
            return {"Tus-Max-Size": str(error.limit)}
        case Interrupted() | TooSlow():
            return {"Connection": "close"}
    return {}


def _title(status: int) -> str:
    """460 is tus's own."""
    return "Checksum Mismatch" if status == CHECKSUM_MISMATCH else HTTPStatus(status).phrase


def location(request: Request, settings: Settings, upload: str, *, key: str = "") -> str:
    """The absolute address of an upload, as the outside sees us; `key` is the secret that opens it.

    A forwarded host is taken from any client: all it changes is the address that the same client is told.
    """
    base = locations(request, settings)[0]
    return f"{base}/{upload}?{urlencode({KEY: key})}" if key else f"{base}/{upload}"


def locations(request: Request, settings: Settings) -> tuple[str, ...]:
    """What the endpoint is called by, without a slash at the end: by those whom we tell, and by this request."""
    direct = f"{str(request.base_url).rstrip('/')}/files"
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/files", direct
    forwarded = request.headers.get("x-forwarded-host", "").split(",")[0].strip()
    if _HOST.fullmatch(forwarded):
        return f"{str(request.base_url.replace(netloc=forwarded)).rstrip('/')}/files", direct
    return (direct,)
