"""Addresses of pages with a player, and what puts one on somebody else's page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from urllib.parse import urlencode

from rushes.keys import is_id

MOST_WIDTH, MOST_HEIGHT = 640, 720
"""Pixels of a frame where the page that holds it sets no limit."""
ALLOW = "autoplay; fullscreen; picture-in-picture; encrypted-media"
SANDBOX = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-presentation"
_PAGE = re.compile(r"/(?:watch|embed)/([0-9a-z]+)(?:[?#].*)?", re.ASCII)
_STRANGE = frozenset("%\\@")


@dataclass(frozen=True)
class Size:
    """Pixels."""

    width: int
    height: int


def watch_address(base: str, asset: str) -> str:
    return f"{base}/watch/{asset}"


def embed_address(base: str, asset: str) -> str:
    return f"{base}/embed/{asset}"


def oembed_address(base: str, asset: str, form: str) -> str:
    """Where the description of a watch page is; `form` is `json` or `xml`."""
    return f"{base}/oembed?{urlencode({'url': watch_address(base, asset), 'format': form})}"


def asset_of(address: str, bases: Iterable[str]) -> str | None:
    """The asset of a watch or embed page of ours; None for every other address, whatever it looks like.

    `bases` are what we are called: `https://video.example.com`. A query and a fragment mean nothing. Escapes, user information
    and backslashes stand in no address of ours, and parsers differ about them.
    """
    if len(address) > 2000 or not address.isascii() or not address.isprintable() or _STRANGE & set(address):
        return None
    for base in bases:
        page = _PAGE.fullmatch(address[len(base) :])
        if address[: len(base)].lower() == base.lower() and page and is_id(page[1]):
            return page[1]
    return None


def fit(picture: Size | None, most_width: int | None, most_height: int | None) -> Size:
    """The largest frame of the picture's shape within the limits; 16:9 where no picture is known."""
    known = picture is not None and picture.width > 0 and picture.height > 0
    shape = Fraction(picture.width, picture.height) if picture and known else Fraction(16, 9)
    width = min(Fraction(most_width or MOST_WIDTH), (most_height or MOST_HEIGHT) * shape)
    return Size(max(1, int(width)), max(1, int(width / shape)))


def frame(address: str, title: str, size: Size) -> str:
    """The markup that puts the player on somebody's page."""
    attributes = {
        "src": address,
        "title": title or "Video",
        "width": str(size.width),
        "height": str(size.height),
        "style": "border:0",
        "allow": ALLOW,
        "sandbox": SANDBOX,
        "loading": "lazy",
        "referrerpolicy": "strict-origin-when-cross-origin",
    }
    said = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<iframe {said} allowfullscreen></iframe>"
