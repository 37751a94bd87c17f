"""Tokens for the private preview: they name one asset and end by themselves. Pure.

A token stands at the front of the path, so that relative addresses inside playlists keep it (a path-prefix token in the
manner of CTA-5007), and no segment needs a signature of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

from rushes.keys import is_id

LIFETIME = 3600
"""Seconds that a token lives at least; at most twice that."""


def expiry(now: float) -> int:
    """When a token given out at `now` ends. The same for a whole LIFETIME, so that answers with it can be compared."""
    return (int(now) // LIFETIME + 2) * LIFETIME


def sign(secret: bytes, asset: str, expires: int) -> str:
    """`{asset}.{expires}.{HMAC-SHA256}`: letters that need no escaping in a path."""
    return f"{asset}.{expires}.{_mac(secret, asset, expires)}"


def verify(secret: bytes, token: str, now: float) -> str | None:
    """The asset a token is for; None where it is forged, garbled or over."""
    parts = token.split(".")
    if len(parts) != 3 or not is_id(parts[0]) or not _is_time(parts[1]):
        return None
    asset, expires = parts[0], int(parts[1])
    genuine = hmac.compare_digest(_mac(secret, asset, expires).encode(), parts[2].encode("utf-8", "replace"))
    return asset if genuine and now < expires else None


def _is_time(text: str) -> bool:
    """One form only: ASCII digits without a leading zero, so that a token cannot be written in two ways."""
    return text.isascii() and text.isdigit() and len(text) <= 12 and not text.startswith("0")


def _mac(secret: bytes, asset: str, expires: int) -> str:
    digest = hmac.new(secret, f"rushes.preview.{asset}.{expires}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
