"""`GET /v1/playback/{asset}`: what a player needs to know of a published asset. Public: no key, no cookie, any web site."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from rushes.api import asset_token, signed
from rushes.api.auth import NotAllowed
from rushes.api.models import View
from rushes.api.negotiation import matches
from rushes.api.origin import Secrets
from rushes.api.origin_headers import CORS, PREFLIGHT
from rushes.api.problems import RESPONSES, problem, respond
from rushes.api.records import base_url
from rushes.api.services import services_of
from rushes.api.views import Link, duration, is_in_dash, is_protected, under
from rushes.catalog.catalog import Catalog
from rushes.errors import NotFound, RushesError
from rushes.keys import is_id, licence_path, pointer_key
from rushes.model import Asset
from rushes.storage.store import POINTER

router = APIRouter(tags=["playback"], responses=RESPONSES)


class CaptionsView(View):
    language: str | None
    url: str = Field(description="WebVTT of the whole video; players find the same in the manifests")


class PlaybackView(View):
    """What may be known of a published asset by whoever has its id."""

    asset: str
    title: str
    duration: float | None
    width: int | None = Field(description="Of the largest rendition; with `height`, the shape of the picture")
    height: int | None
    hls: str
    dash: str | None = Field(description="Null while a first look plays, which has no DASH manifest")
    mp4: str | None
    poster: str | None
    thumbhash: str | None = Field(description="A blurred stand-in for the poster: ThumbHash in base64")
    storyboard: str | None = Field(description="WebVTT that names tiles of the sprite")
    captions: tuple[CaptionsView, ...]
    protected: bool = Field(description="The media is encrypted: a player has to fetch keys")
    clearkey: str | None = Field(default=None, description="Where it asks for them, if it uses the browser's ClearKey")
    build: int = Field(description="Rises when there are new manifests behind the same addresses")


def published(catalog: Catalog, asset: str) -> Asset:
    """An asset whose pointer is public or about to be. Blocks. Raises NotFound, in the same words whatever the reason."""
    noun = _found(catalog, asset) if is_id(asset) else None
    if noun is None or not noun.publication.is_public or not noun.published_build or not noun.state.has_build:
        raise NotFound("not_found", "There is no such video, or it is not public.")
    return noun


def _found(catalog: Catalog, asset: str) -> Asset | None:
    try:
        return catalog.asset(asset)
    except NotFound:
        return None


def picture_size(asset: Asset) -> tuple[int, int] | None:
    """Of the largest rendition, in pixels; the poster has the same."""
    sizes = [(track.width, track.height) for track in asset.tracks if track.kind == "video"]
    return max(((width, height) for width, height in sizes if width and height), default=None)


def playback_view(asset: Asset, link: Link) -> PlaybackView:
    """`link` makes addresses of keys; of a signed asset, with the token in them."""
    width, height = picture_size(asset) or (None, None)
    pointer = pointer_key(asset.id, "manifest.mpd")
    return PlaybackView(
        asset=asset.id,
        title=asset.title,
        duration=duration(asset),
        width=width,
        height=height,
        hls=link(pointer_key(asset.id, "master.m3u8")),
        dash=link(pointer) if is_in_dash(asset, asset.published_build) else None,
        mp4=link(asset.download.key) if asset.download else None,
        poster=link(asset.poster.key) if asset.poster else None,
        thumbhash=asset.poster.thumbhash if asset.poster else None,
        storyboard=link(asset.storyboard.vtt_key) if asset.storyboard else None,
        captions=captions(asset, link),
        protected=is_protected(asset),
        clearkey=link(licence_path(asset.id)) if is_protected(asset) else None,
        build=asset.published_build,
    )


def captions(asset: Asset, link: Link) -> tuple[CaptionsView, ...]:
    """Only where the build shows them: a draft that nobody has looked at is the owner's alone."""
    shown = {track.language for track in asset.tracks if track.kind == "text"}
    found = asset.transcript
    if found is None or found.language not in shown:
        return ()
    return (CaptionsView(language=found.language, url=link(found.vtt_key)),)


@router.get("/v1/playback/{asset}", response_model=PlaybackView, summary="What a player needs to know")
@router.head("/v1/playback/{asset}", include_in_schema=False)
async def show(
    request: Request,
    asset: Annotated[str, Path(max_length=64)],
    token: Annotated[str | None, Query(max_length=asset_token.MOST, description="For a signed video")] = None,
) -> Response:
    """Of published assets, for everybody: no key is needed. May be kept for 2 s, then asked for again by its ETag. With a token
    the addresses have it in them; 403 for a signed video without one, and for every token that does not fit."""
    caching = "no-store" if token else POINTER
    try:
        body = (await asyncio.to_thread(_read, request, asset, token)).model_dump_json().encode()
    except NotAllowed as error:  # a cache that passes over the query must not show it to who has a token
        return respond(request, problem(error.code, error.status, error.message), CORS)
    except RushesError as error:
        return respond(request, problem(error.code, error.status, error.message), CORS | {"Cache-Control": caching})
    headers = CORS | {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": caching}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _read(request: Request, asset: str, token: str | None) -> PlaybackView:
    """Raises NotFound, NotAllowed. The token is looked at first: whoever has none learns nothing by it."""
    services, base = services_of(request), base_url(request)
    secrets: Secrets = request.app.state.origin_secrets
    if token and signed.verify(secrets.playback, token, asset, services.clock.now()) is None:
        raise NotAllowed("forbidden", signed.REFUSED)
    noun = published(services.catalog, asset)
    if noun.options.playback == "signed" and not token:
        raise NotAllowed("forbidden", signed.REFUSED)
    return playback_view(noun, under(f"{base}/signed/{token}" if token else base))


@router.options("/v1/playback/{asset}", include_in_schema=False)
async def preflight() -> Response:
    return Response(status_code=204, headers=PREFLIGHT)
