"""What the pages say of a published video before any script runs: the API knows it, the pages write it."""

from __future__ import annotations

from fastapi import Request

from rushes.api.embedding import Size, embed_address, fit, oembed_address, watch_address
from rushes.api.playback import picture_size, published
from rushes.api.records import base_url
from rushes.api.services import services_of
from rushes.errors import NotFound
from rushes.web.head import Card


def card_of(request: Request, asset: str) -> Card | None:
    """None for what is not public, or plays with a token only. Blocks on the catalog."""
    try:
        noun = published(services_of(request).catalog, asset)
    except NotFound:
        return None
    if noun.options.playback == "signed":
        return None
    base, shape, poster = base_url(request), picture_size(noun), noun.poster
    size = fit(Size(*shape) if shape else None, None, None)
    return Card(
        title=noun.title,
        watch=watch_address(base, asset),
        embed=embed_address(base, asset),
        width=size.width,
        height=size.height,
        oembed_json=oembed_address(base, asset, "json"),
        oembed_xml=oembed_address(base, asset, "xml"),
        poster=f"{base}/{poster.key}" if poster else None,
        poster_width=poster.width if poster else 0,
        poster_height=poster.height if poster else 0,
    )
