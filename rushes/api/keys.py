"""Keys of protected media, for players: 16 bytes each (RFC 8216bis section 4.4.4.4), or as licences of W3C's ClearKey (Encrypted
Media Extensions, section 9.1.4). Who may have the media may have its keys, and nobody else.
"""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from rushes.api import preview, signed
from rushes.api.auth import Tenant
from rushes.api.models import AssetView
from rushes.api.origin import Secrets
from rushes.api.origin_headers import CORS, PREFLIGHT
from rushes.api.problems import RESPONSES, problem, respond
from rushes.api.published import Published
from rushes.api.records import load, owned, render
from rushes.api.services import Services, WithServices, services_of
from rushes.errors import Conflict, NotFound, Refused, RushesError, StepFailure
from rushes.media_keys import MediaKey, versions
from rushes.model import Asset
from rushes.storage.store import ObjectMissing

router = APIRouter(tags=["origin"], responses=RESPONSES)
AssetId = Annotated[str, Path(description="26 letters and digits", max_length=64)]
Kid = Annotated[str, Path(description="32 hexadecimal digits, as manifests say them", max_length=64)]
MOST_BYTES = 16_384
"""Of a licence request: it names a few keys."""
_PREFLIGHT = PREFLIGHT | {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": PREFLIGHT["Access-Control-Allow-Headers"] + ", Content-Type",
    "Allow": "GET, POST, OPTIONS",
}
_ANSWER = CORS | {"Cache-Control": "no-store"}


class Forbidden(RushesError):
    status = 403


def allowed(request: Request, asset: str, token: str | None = None) -> Asset:
    """The asset, if whoever asks may play it: it is public, and where it takes a token, there is one, in the path or in a cookie.
    Blocks. Raises ObjectMissing, NotFound, Forbidden."""
    secrets, services = _secrets(request), services_of(request)
    now, published = services.clock.now(), _published(request)
    if token is not None and signed.verify(secrets.playback, token, asset, now) is None:
        raise Forbidden("forbidden", signed.REFUSED)
    seen = published.look(asset)
    noun = services.catalog.asset(asset)
    cookies = request.headers.get("cookie", "")
    free = token is not None or not (seen.signed or noun.options.playback == "signed")
    if not free and signed.admitted(secrets.playback, cookies, asset, now) is None:
        raise Forbidden("forbidden", signed.REFUSED)
    return noun


def previewed(request: Request, asset: str, token: str) -> Asset:
    """The asset under a preview token of its owner. Blocks. Raises NotFound."""
    services = services_of(request)
    if preview.verify(_secrets(request).preview, token, services.clock.now()) != asset:
        raise NotFound("not_found", "There is nothing at this address, or it is not public.")
    noun = services.catalog.asset(asset)
    if not noun.state.has_build:  # deleted meanwhile: what caches still have stays closed
        raise NotFound("not_found", "There is nothing at this address, or it is not public.")
    return noun


@router.get("/keys/{asset}/{kid}", response_class=Response, summary="A key, as 16 bytes")
async def key(request: Request, asset: AssetId, kid: Kid) -> Response:
    """Of a published asset. 403 where it takes a token (`/signed/{token}/keys/...`, or the cookie)."""
    return await _answered(request, lambda: _raw(request, allowed(request, asset), kid))


@router.get("/signed/{token}/keys/{asset}/{kid}", include_in_schema=False)
async def signed_key(request: Request, token: str, asset: AssetId, kid: Kid) -> Response:
    return await _answered(request, lambda: _raw(request, allowed(request, asset, token), kid))


@router.get("/preview/{token}/keys/{asset}/{kid}", include_in_schema=False)
async def private_key(request: Request, token: str, asset: AssetId, kid: Kid) -> Response:
    return await _answered(request, lambda: _raw(request, previewed(request, asset, token), kid))


@router.post("/keys/{asset}/clearkey", response_class=Response, summary="Keys, as a ClearKey licence")
async def licence(request: Request, asset: AssetId) -> Response:
    """Takes `{"kids": [...]}` and gives `{"keys": [{"kty": "oct", "kid": ..., "k": ...}]}`, all in base64url."""
    kids = await _kids(request)
    return await _answered(request, lambda: _licence(request, allowed(request, asset), kids))


@router.post("/signed/{token}/keys/{asset}/clearkey", include_in_schema=False)
async def signed_licence(request: Request, token: str, asset: AssetId) -> Response:
    kids = await _kids(request)
    return await _answered(request, lambda: _licence(request, allowed(request, asset, token), kids))


@router.post("/preview/{token}/keys/{asset}/clearkey", include_in_schema=False)
async def private_licence(request: Request, token: str, asset: AssetId) -> Response:
    kids = await _kids(request)
    return await _answered(request, lambda: _licence(request, previewed(request, asset, token), kids))


@router.options("/keys/{asset}/{kid}", include_in_schema=False)
@router.options("/signed/{token}/keys/{asset}/{kid}", include_in_schema=False)
@router.options("/preview/{token}/keys/{asset}/{kid}", include_in_schema=False)
async def preflight() -> Response:
    return Response(status_code=204, headers=_PREFLIGHT)


@router.post(
    "/v1/assets/{asset}/keys/rotate",
    status_code=202,
    response_model=AssetView,
    tags=["assets"],
    summary="Change the key",
)
async def rotate(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """A new build is made under a new key beside the one that plays, from what lies in the clear in private. Players on the old
    build go on: its key is given out until it is retired. 409 `not_ready`, `not_protected`, `work_under_way`."""

    def act(found: Asset) -> Asset:
        return services.catalog.rotate_key(found.id)

    return await _acted(request, (services, tenant, asset), act, 202)


@router.post("/v1/assets/{asset}/keys/retire", response_model=AssetView, tags=["assets"], summary="End older keys")
async def retire(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """Keys before the newest are given out no more; players that still are on a build of theirs end when they need the key again.
    409 `key_in_use` while what is published plays by an older one."""

    def act(found: Asset) -> Asset:
        newest = _served(services, found, [found.key_version])[0]
        behind = any(track.protection.kid != newest.kid for track in found.tracks if track.protection)
        if behind or found.published_build not in (0, found.build):
            raise Conflict(
                "key_in_use", "What is published plays by an older key. Wait until the new build is published."
            )
        return services.catalog.retire_keys(found.id, found.key_version)

    return await _acted(request, (services, tenant, asset), act, 200)


def _raw(request: Request, asset: Asset, kid: str) -> Response:
    found = _known(services_of(request), asset, [kid])
    return Response(bytes.fromhex(found[0].key), media_type="application/octet-stream", headers=_ANSWER)


def _licence(request: Request, asset: Asset, kids: Sequence[str]) -> Response:
    found = _known(services_of(request), asset, kids)
    keys = [{"kty": "oct", "kid": _url64(one.kid), "k": _url64(one.key)} for one in found]
    body = json.dumps({"keys": keys, "type": "temporary"})
    return Response(body, media_type="application/json", headers=_ANSWER)


def _known(services: Services, asset: Asset, kids: Sequence[str]) -> list[MediaKey]:
    """Those of the keys that are given out. Raises NotFound where it is none of them."""
    there = versions(asset.key_version, asset.oldest_key) if any(track.protection for track in asset.tracks) else ()
    found = [one for one in _served(services, asset, there) if one.kid in kids]
    if not found:
        raise NotFound("not_found", "There is no such key, or it is not given out any more.")
    return found


def _served(services: Services, asset: Asset, wanted: Iterable[int]) -> list[MediaKey]:
    """Raises RushesError 503 where the key server does not answer."""
    if services.keys is None:
        raise RushesError("keys_not_configured", status=503)
    try:
        return [services.keys.key(asset.id, version) for version in wanted]
    except StepFailure as error:
        raise RushesError(error.code, status=503) from error


async def _kids(request: Request) -> list[str]:
    """Raises Refused."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Refused("too_large", "A licence request has a few hundred bytes.", status=413)
    try:
        return [_unurl64(kid) for kid in json.loads(body)["kids"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused("bad_licence_request", 'A licence request is {"kids": [...]} with ids in base64url.') from error


def _url64(digits: str) -> str:
    return urlsafe_b64encode(bytes.fromhex(digits)).rstrip(b"=").decode()


def _unurl64(text: str) -> str:
    return urlsafe_b64decode(text.encode("ascii") + b"==").hex()


async def _answered(request: Request, load_it: Callable[[], Response]) -> Response:
    try:
        return await asyncio.to_thread(load_it)
    except (ObjectMissing, NotFound):
        body = problem("not_found", 404, "There is no such key, or its video is not public.")
        return respond(request, body, _ANSWER)
    except RushesError as error:
        return respond(request, problem(error.code, error.status, error.message), _ANSWER)


async def _acted(
    request: Request, about: tuple[Services, str, str], act: Callable[[Asset], Asset], status: int
) -> Response:
    services, tenant, asset = about

    def do() -> AssetView:
        act(owned(services.catalog, tenant, asset))
        return render(request, load(services.catalog, asset))

    view = await asyncio.to_thread(do)
    headers = {"Cache-Control": "private, no-cache"}
    return Response(view.model_dump_json(), status, headers, media_type="application/json")


def _secrets(request: Request) -> Secrets:
    found: Secrets = request.app.state.origin_secrets
    return found


def _published(request: Request) -> Published:
    found: Published = request.app.state.published
    return found
