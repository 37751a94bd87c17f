"""The origin: what a CDN pulls. Objects of published assets, and of any asset under a preview token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from rushes.api import preview
from rushes.api.negotiation import Wanted
from rushes.api.objects import TEXT, answer
from rushes.api.problems import problem, respond
from rushes.api.published import Published
from rushes.api.services import Services, services_of
from rushes.errors import NotFound
from rushes.storage.names import implied_headers
from rushes.storage.store import IMMUTABLE, PRIVATE, ObjectMissing, Presign

router = APIRouter(tags=["origin"])

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)
SIGNED_FOR = 300
REDIRECT_AGE = 240
"""Seconds: an address lives longer than any cache may show it, by the time that a player needs to follow it."""
_MISSING = "public, max-age=1"
"""Short: a segment asked for a moment too early must be there at the next look."""
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, Date, ETag, X-Request-Id",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}
PREFLIGHT = CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match, "
    "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, HEAD, OPTIONS",
}
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"}
"""Should something uploaded ever be shown as a page, it can do nothing."""


def object_path(request: Request, path: str) -> str:
    """The path below an asset as it may be part of a key. Raises ObjectMissing for whatever we would never store.

    No key of ours needs percent-encoding, so an encoded slash or dot is a disguise, and two spellings of one object
    would be two entries in a CDN.
    """
    raw = request.scope.get("raw_path") or b""
    if b"%" in raw or len(path) > 400 or not all(_PART.fullmatch(part) for part in path.split("/")):
        raise ObjectMissing("there is no such object")
    return path


@router.get("/media/{asset}/{path:path}", response_class=Response, summary="Playlists and segments")
@router.head("/media/{asset}/{path:path}", include_in_schema=False)
async def media(request: Request, asset: str, path: str) -> Response:
    return await _public(request, "media", asset, path)


@router.get("/artifacts/{asset}/{path:path}", response_class=Response, summary="Poster, storyboard, transcript")
@router.head("/artifacts/{asset}/{path:path}", include_in_schema=False)
async def artifacts(request: Request, asset: str, path: str) -> Response:
    return await _public(request, "artifacts", asset, path)


@router.get("/preview/{token}/{path:path}", response_class=Response, summary="The same, private, under a token")
@router.head("/preview/{token}/{path:path}", include_in_schema=False)
async def private(request: Request, token: str, path: str) -> Response:
    """`artifacts/...` of the asset, else its media; `master.m3u8` and `manifest.mpd` lead to the newest build."""
    services = services_of(request)

    def load() -> Response:
        asset, build = _previewed(request, services, token)
        below = object_path(request, path)
        if below in ("master.m3u8", "manifest.mpd"):
            return Response(status_code=307, headers={"Location": f"b/{build}/{below}", "Cache-Control": PRIVATE})
        folder, rest = ("artifacts", below[10:]) if below.startswith("artifacts/") else ("media", below)
        wanted = Wanted.of(request.method, request.headers)
        return answer(services.store, f"{folder}/{asset}/{rest}", wanted, cache_control=PRIVATE)

    return await _answered(request, load, missing=PRIVATE)


@router.options("/media/{asset}/{path:path}", include_in_schema=False)
@router.options("/artifacts/{asset}/{path:path}", include_in_schema=False)
@router.options("/preview/{token}/{path:path}", include_in_schema=False)
async def preflight() -> Response:
    return Response(status_code=204, headers=PREFLIGHT)


async def _public(request: Request, folder: str, asset: str, path: str) -> Response:
    services = services_of(request)
    public: Published = request.app.state.published

    def load() -> Response:
        key = f"{folder}/{asset}/{object_path(request, path)}"
        public.check(asset)
        elsewhere = _redirect(services, key) if request.method == "GET" else None  # an address is signed for one method
        return elsewhere or answer(services.store, key, Wanted.of(request.method, request.headers))

    return await _answered(request, load, missing=_MISSING)


def _redirect(services: Services, key: str) -> Response | None:
    """To the store itself, for what never changes and is no text (its links lead to us). None where it is not wanted."""
    headers, store = implied_headers(key), services.store
    media = key.startswith("media/") and headers.cache_control == IMMUTABLE and headers.content_type not in TEXT
    if services.settings.origin != "redirect" or not media or not isinstance(store, Presign):
        return None
    caching = f"public, max-age={REDIRECT_AGE}"
    return Response(status_code=307, headers={"Location": store.presign(key, SIGNED_FOR), "Cache-Control": caching})


def _previewed(request: Request, services: Services, token: str) -> tuple[str, int]:
    """Asset and newest build of a valid token. Raises ObjectMissing, also for an asset deleted meanwhile."""
    asset = preview.verify(request.app.state.preview_secret, token, services.clock.now())
    if asset is None:
        raise ObjectMissing("the token is not valid")
    noun = services.catalog.asset(asset)
    if not noun.state.has_build:
        raise ObjectMissing("the asset has no build")
    return asset, noun.build


async def _answered(request: Request, load: Callable[[], Response], *, missing: str) -> Response:
    try:
        response = await asyncio.to_thread(load)
    except (ObjectMissing, NotFound):
        body = problem("not_found", 404, "There is nothing at this address, or it is not public.")
        response = respond(request, body, {"Cache-Control": missing})
    response.headers.update(CORS | _HARMLESS)
    return response
