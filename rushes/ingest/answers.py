"""Answers of the upload endpoint: tus headers, problems (RFC 9457) and what browsers of other origins may see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rushes.errors import RushesError
from rushes.ingest.protocol import EXTENSIONS, METHODS, VERSION, ProtocolError
from rushes.settings import Settings

ASSET = "Rushes-Asset"

_COMMON = {
    "Tus-Resumable": VERSION,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(
        (
            "Location",
            "Tus-Resumable",
            "Tus-Version",
            "Tus-Extension",
            "Tus-Max-Size",
            "Upload-Offset",
            "Upload-Length",
            "Upload-Metadata",
            "Upload-Expires",
            "Retry-After",
            ASSET,
        )
    ),
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": ", ".join(METHODS),
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
    """What the server can do (tus, section "OPTIONS"), and, to a browser that asks, what a page may send."""
    able = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(settings.upload_max_bytes),
        "Allow": ", ".join(METHODS),
    }
    return answer(204, {**able, **(_PREFLIGHT if preflight else {})})


def problem(error: RushesError) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    own = error.headers if isinstance(error, ProtocolError) else {}
    challenge = {"WWW-Authenticate": 'Bearer realm="rushes"'} if error.status == HTTPStatus.UNAUTHORIZED else {}
    wait = {"Retry-After": _RETRY_AFTER[error.status]} if error.status in _RETRY_AFTER else {}
    headers = {**_COMMON, "Cache-Control": "no-store", **challenge, **wait, **own}
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


def location(request: Request, settings: Settings, upload: str) -> str:
    """The absolute address of an upload, as the outside sees us.

    A forwarded host is taken from any client: all it changes is the address that the same client is told.
    """
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/files/{upload}"
    base = request.base_url
    forwarded = request.headers.get("x-forwarded-host", "").split(",")[0].strip()
    if _HOST.fullmatch(forwarded):
        base = base.replace(netloc=forwarded)
    return f"{str(base).rstrip('/')}/files/{upload}"
