"""Tokens for signed playback: given out to the app's server, and looked at for a cache that stands in front of us."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rushes.api import signed
from rushes.api.auth import Tenant
from rushes.api.models import View
from rushes.api.origin import REFUSAL, Secrets
from rushes.api.origin_address import claim_of
from rushes.api.problems import MEDIA_TYPE, RESPONSES
from rushes.api.published import Published
from rushes.api.records import base_url, owned
from rushes.api.services import Services, WithServices, services_of
from rushes.clock import rfc3339
from rushes.keys import pointer_key
from rushes.storage.store import ObjectMissing

router = APIRouter(responses=RESPONSES)
_DOORS = ("media", "artifacts", "keys")
ORIGINAL = "x-original-uri"


class TokenRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expires_in: int = Field(default=3600, ge=signed.SHORTEST, le=signed.LONGEST, description="Seconds")


class SignedPlayback(View):
    hls: str
    dash: str


class CookieView(View):
    """A cookie for the plain addresses, once for each path: `Secure`, `HttpOnly`, and `SameSite` as the app needs it."""

    name: str
    value: str
    paths: tuple[str, ...]
    max_age: int = Field(description="Seconds")


class TokenView(View):
    token: str
    expires_at: str
    playback: SignedPlayback
    prefix: str = Field(description="In front of any path of the asset: `{prefix}/media/{asset}/...`")
    cookie: CookieView


@router.post(
    "/v1/assets/{asset}/tokens",
    status_code=201,
    response_model=TokenView,
    tags=["assets"],
    summary="Let somebody play it",
)
async def create(
    request: Request,
    services: WithServices,
    tenant: Tenant,
    asset: Annotated[str, Path(max_length=64)],
    wanted: TokenRequest | None = None,
) -> Response:
    """A token with which the asset can be played until it ends. It cannot be taken back: give it a short life. A public asset
    plays without; with a token too."""
    await asyncio.to_thread(owned, services.catalog, tenant, asset)
    seconds = (wanted or TokenRequest()).expires_in
    view = _token(request, services, asset, seconds)
    return Response(view.model_dump_json(), 201, {"Cache-Control": "no-store"}, media_type="application/json")


def _token(request: Request, services: Services, asset: str, seconds: int) -> TokenView:
    expires = int(services.clock.now()) + seconds
    token = signed.sign(_secrets(request)[0], asset, expires)
    prefix = f"{base_url(request)}/signed/{token}"
    hls, dash = (f"{prefix}/{pointer_key(asset, name)}" for name in ("master.m3u8", "manifest.mpd"))
    paths = tuple(f"/{door}/{asset}/" for door in _DOORS)
    return TokenView(
        token=token,
        expires_at=rfc3339(expires),
        playback=SignedPlayback(hls=hls, dash=dash),
        prefix=prefix,
        cookie=CookieView(name=signed.COOKIE, value=token, paths=paths, max_age=seconds),
    )


@router.get(
    "/v1/playback/verify", status_code=204, tags=["playback"], summary="May this be played? For a cache in front of us"
)
async def verify(request: Request) -> Response:
    """nginx's `auth_request`: the address that was asked for in `X-Original-URI`, cookies as they came. 204, or 403 for whatever
    is wrong. Public assets need no token."""
    allowed = await _is_allowed(request, request.headers.get(ORIGINAL, ""))
    headers = {"Cache-Control": "no-store"}
    return Response(status_code=204, headers=headers) if allowed else Response(REFUSAL, 403, headers, MEDIA_TYPE)


async def _is_allowed(request: Request, original: str) -> bool:
    """Raises StoreError."""
    claim = claim_of(original.partition("?")[0])
    if claim is None:
        return False
    token, asset = claim
    published: Published = request.app.state.published
    secrets, now = _secrets(request), services_of(request).clock.now()
    if token is not None and signed.verify(secrets, token, asset, now) is None:
        return False
    try:
        seen = published.known(asset)
        if seen is None:
            seen = await asyncio.to_thread(published.look, asset)
    except ObjectMissing:
        return False
    if token is not None or not seen.signed:
        return True
    return signed.admitted(secrets, request.headers.get("cookie", ""), asset, now) is not None


def _secrets(request: Request) -> tuple[bytes, ...]:
    found: Secrets = request.app.state.origin_secrets
    return found.playback
