"""`GET /oembed`: how a watch page is put onto somebody else's page (oEmbed 1.0, https://oembed.com). Public."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated
from xml.etree import ElementTree

from fastapi import APIRouter, Query, Request, Response

from rushes.api.embedding import Size, asset_of, embed_address, fit, frame
from rushes.api.origin_headers import CORS
from rushes.api.playback import picture_size, published
from rushes.api.problems import problem, respond
from rushes.api.records import base_url
from rushes.api.services import services_of
from rushes.errors import NotFound, RushesError
from rushes.model import Asset
from rushes.storage.store import POINTER

router = APIRouter(tags=["playback"])

PROVIDER = "rushes"
MAX_AGE = 60
"""Seconds, which consumers are told too: a title may be changed, an asset taken down."""
LARGEST = 4096
"""Pixels of a frame on either side, whatever is allowed."""
Pixels = Annotated[int | None, Query(ge=1, description="Pixels")]
Fields = dict[str, str | int]


class Private(RushesError):
    """Section 2.3.4: what the address leads to is there, but not for everybody."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "private_video", "This video is played with a token only, so it cannot be embedded by its address."
        )


class UnknownForm(RushesError):
    """Section 2.3.4: a response format that we do not have."""

    status = 501

    def __init__(self) -> None:
        super().__init__("format_unknown", "The formats are `json` and `xml`.")


@router.get("/oembed", response_class=Response, summary="A player for somebody else's page (oEmbed 1.0)")
@router.head("/oembed", include_in_schema=False)
async def oembed(
    request: Request,
    url: Annotated[str, Query(description="Of a watch or embed page of this server")] = "",
    format: Annotated[str, Query(description="`json` or `xml`")] = "json",
    maxwidth: Pixels = None,
    maxheight: Pixels = None,
) -> Response:
    """404 for every address that is not a published video of ours, 401 where playing it needs a token, 501 for other formats."""
    try:
        if format not in ("json", "xml"):
            raise UnknownForm
        fields = await asyncio.to_thread(_read, request, url, maxwidth, maxheight)
    except RushesError as error:
        headers = CORS | {"Cache-Control": POINTER}
        return respond(request, problem(error.code, error.status, error.message), headers)
    body, media_type = (as_json(fields), "application/json") if format == "json" else (as_xml(fields), "text/xml")
    return Response(body, media_type=media_type, headers=CORS | {"Cache-Control": f"public, max-age={MAX_AGE}"})


def _read(request: Request, url: str, most_width: int | None, most_height: int | None) -> Fields:
    base = base_url(request)
    identity = asset_of(url, {base, str(request.base_url).rstrip("/")})
    if identity is None:
        raise NotFound("not_found", "This is not the address of a video here.")
    asset = published(services_of(request).catalog, identity)
    if asset.options.playback == "signed":
        raise Private
    return answer(asset, base, most_width, most_height)


def answer(asset: Asset, base: str, most_width: int | None = None, most_height: int | None = None) -> Fields:
    """Section 2.3.4.2, type `video`. The thumbnail is left out where it would be larger than what was asked for."""
    shape = picture_size(asset)
    limits = (limit and min(limit, LARGEST) for limit in (most_width, most_height))
    size = fit(Size(*shape) if shape else None, *limits)
    fields: Fields = {
        "version": "1.0",
        "type": "video",
        "title": asset.title,
        "provider_name": PROVIDER,
        "provider_url": base,
        "cache_age": MAX_AGE,
        "html": frame(embed_address(base, asset.id), asset.title, size),
        "width": size.width,
        "height": size.height,
    }
    return fields | _thumbnail(asset, base, most_width, most_height)


def _thumbnail(asset: Asset, base: str, most_width: int | None, most_height: int | None) -> Fields:
    poster = asset.poster
    if poster is None or (most_width or poster.width) < poster.width or (most_height or poster.height) < poster.height:
        return {}
    return {
        "thumbnail_url": f"{base}/{poster.key}",
        "thumbnail_width": poster.width,
        "thumbnail_height": poster.height,
    }


def as_json(fields: Fields) -> bytes:
    return json.dumps(fields).encode()


def as_xml(fields: Fields) -> bytes:
    """Section 2.3.4, with characters that XML 1.0 cannot hold left out (section 2.2 there)."""
    root = ElementTree.Element("oembed")
    for name, value in fields.items():
        ElementTree.SubElement(root, name).text = "".join(filter(_fits, str(value)))
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def _fits(letter: str) -> bool:
    return letter in "\t\n\r" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd" or letter > "\uffff"
