"""`POST /plays/{asset}`: a player says that somebody watches. Public, no key, any web site, nothing in the answer."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from rushes.api import signed
from rushes.api.demand import Plays
from rushes.api.origin import Secrets
from rushes.api.origin_headers import CORS, PREFLIGHT
from rushes.api.problems import RESPONSES, problem, respond
from rushes.api.published import Published
from rushes.api.services import services_of
from rushes.errors import NotFound
from rushes.storage.store import ObjectMissing

router = APIRouter(tags=["playback"], responses=RESPONSES)
AssetId = Annotated[str, Path(max_length=64)]
_PREFLIGHT = PREFLIGHT | {"Access-Control-Allow-Methods": "POST, OPTIONS", "Allow": "POST, OPTIONS"}


@router.post("/plays/{asset}", status_code=204, response_class=Response, summary="Somebody watches")
@router.post("/signed/{token}/plays/{asset}", status_code=204, response_class=Response, include_in_schema=False)
async def played(request: Request, asset: AssetId, token: str = "") -> Response:
    """What its profile calls lazy is made after so many plays as the server wants to see. Again, and for an asset that has all
    it can have, it costs nothing. 404 unless the asset is published; a signed one takes its token: 403."""
    secrets: Secrets = request.app.state.origin_secrets
    public: Published = request.app.state.published
    plays: Plays = request.app.state.plays
    now = services_of(request).clock.now()
    try:
        seen = await asyncio.to_thread(public.look, asset)
    except (ObjectMissing, NotFound):
        body = problem("not_found", 404, "There is no such video, or it is not public.")
        return respond(request, body, CORS | {"Cache-Control": "no-store"})
    held = signed.verify(secrets.playback, token, asset, now) if token else None
    if (token and held is None) or (seen.signed and not (held or _has_cookie(request, secrets, asset, now))):
        return respond(request, problem("forbidden", 403, signed.REFUSED), CORS | {"Cache-Control": "no-store"})
    plays.notice(asset, "play")
    return Response(status_code=204, headers=CORS | {"Cache-Control": "no-store"})


def _has_cookie(request: Request, secrets: Secrets, asset: str, now: float) -> bool:
    cookies = request.headers.get("cookie", "")
    return signed.admitted(secrets.playback, cookies, asset, now) is not None


@router.options("/plays/{asset}", include_in_schema=False)
@router.options("/signed/{token}/plays/{asset}", include_in_schema=False)
async def preflight() -> Response:
    return Response(status_code=204, headers=_PREFLIGHT)
