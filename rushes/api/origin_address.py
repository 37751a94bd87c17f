"""What a path below `/media`, `/artifacts`, `/signed` or `/preview` asks for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rushes.keys import is_id

_OPEN = re.compile(r"/(?:(signed)/([^/]*)/)?(media|artifacts)/([^/]*)/(.*)", re.DOTALL)
_PREVIEW = re.compile(r"/preview/([^/]*)/(?!keys/)(.*)", re.DOTALL)
_CLAIM = re.compile(r"/(?:signed/([^/]*)/)?(?:media|artifacts|keys)/([^/]*)/")
_BELOW = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,199})(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199})*", re.ASCII)
LONGEST = 400
Door = Literal["media", "artifacts", "signed", "preview"]
ROUTES: dict[str, str] = {
    "media": "/media/{asset}/{path}",
    "artifacts": "/artifacts/{asset}/{path}",
    "signed": "/signed/{token}/{path}",
    "preview": "/preview/{token}/{path}",
}
"""Names of the doors, in metrics and logs."""


@dataclass(frozen=True, slots=True)
class Address:
    """`key` is empty where nothing could be stored under such a name."""

    door: Door
    token: str
    asset: str
    key: str


def address_of(path: str, raw: bytes) -> Address | None:
    """None for what is not the origin's. `path` is decoded, `raw` as it was sent.

    No key of ours needs percent-encoding, so an encoded slash or dot is a disguise, and two spellings of one object would be
    two entries in a CDN.
    """
    if (found := _OPEN.fullmatch(path)) is not None:
        _, token, folder, asset, below = found.groups()
        plain = b"%" not in raw and is_below(below) and is_id(asset)
        door: Door = "signed" if token is not None else "media" if folder == "media" else "artifacts"
        return Address(door, token or "", asset, f"{folder}/{asset}/{below}" if plain else "")
    if (found := _PREVIEW.fullmatch(path)) is not None:
        plain = b"%" not in raw and is_below(found[2])
        return Address("preview", found[1], "", found[2] if plain else "")
    return None


def is_below(path: str) -> bool:
    """Whether something of ours may have this path below its asset."""
    return len(path) <= LONGEST and _BELOW.fullmatch(path) is not None


def claim_of(path: str) -> tuple[str | None, str] | None:
    """The token, if any, and the asset of an address that is about to be played, as it was sent. None for any other."""
    found = _CLAIM.match(path) if len(path) <= 2 * LONGEST and "%" not in path and ".." not in path else None
    return (found[1], found[2]) if found and is_id(found[2]) else None
