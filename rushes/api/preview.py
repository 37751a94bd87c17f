"""Tokens for the private preview: they name one asset and end by themselves. Pure.

A token stands at the front of the path, so that relative addresses inside playlists keep it (a path-prefix token in the
manner of CTA-5007), and no segment needs a signature of its own.
"""

from __future__ import annotations

from rushes.api import asset_token

PURPOSE = "preview"
LIFETIME = 3600
"""Seconds that a token lives at least; at most twice that."""


def expiry(now: float) -> int:
    """When a token given out at `now` ends. The same for a whole LIFETIME, so that answers with it can be compared."""
    return (int(now) // LIFETIME + 2) * LIFETIME


def sign(secret: bytes, asset: str, expires: int) -> str:
    """In the form of `asset_token`."""
    return asset_token.sign(secret, PURPOSE, asset, expires)


def verify(secret: bytes, token: str, now: float) -> str | None:
    """The asset a token is for; None where it is forged, garbled or over."""
    found = asset_token.opened([secret], PURPOSE, token, now)
    return found.asset if found else None
