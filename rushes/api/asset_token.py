"""The form of tokens that open one asset and end by themselves, and what makes them genuine. Pure.

`{asset}.{expires}.{mac}`: letters that need no escaping in a path or a cookie. `expires` is in seconds since 1970, `mac` the
HMAC-SHA256 of `rushes.{purpose}.{asset}.{expires}`, so that a token for one purpose is none for another.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

from rushes.keys import is_id

MOST = 200
"""Characters; no token of ours is longer."""


class Opened(NamedTuple):
    """What a genuine token says."""

    asset: str
    expires: int


def sign(secret: bytes, purpose: str, asset: str, expires: int) -> str:
    return f"{asset}.{expires}.{_mac(secret, purpose, asset, expires)}"


def opened(secrets: Sequence[bytes], purpose: str, token: str, now: float) -> Opened | None:
    """None where it is garbled, forged, or over. Any of the secrets will do.

    However wrong it is, one MAC is computed for each secret and compared as a whole.
    """
    parts = token.split(".") if len(token) <= MOST else []
    asset, end, mac = parts if len(parts) == 3 else ("", "", "")
    well_formed = is_id(asset) and _is_time(end)
    expires = int(end) if well_formed else 0
    given = mac.encode("utf-8", "replace")
    genuine = [hmac.compare_digest(_mac(secret, purpose, asset, expires).encode(), given) for secret in secrets]
    return Opened(asset, expires) if any(genuine) and well_formed and now < expires else None


def _is_time(text: str) -> bool:
    """One form only: ASCII digits without a leading zero, so that a token cannot be written in two ways."""
    return text.isascii() and text.isdigit() and len(text) <= 12 and not text.startswith("0")


def _mac(secret: bytes, purpose: str, asset: str, expires: int) -> str:
    digest = hmac.new(secret, f"rushes.{purpose}.{asset}.{expires}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
