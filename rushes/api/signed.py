"""Signed playback: tokens that let their holder play one asset until they end. Pure.

A token stands at the front of the path (`/signed/{token}/media/{asset}/...`), so that relative addresses in manifests keep it
(a path-prefix token in the manner of CTA-5007), or in a cookie beside the plain path. Anybody who has the secret can make one:
docs/delivery.md has the form, docs/decisions/0029 says why it is this one.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence

from rushes.keys import is_id

COOKIE = "rushes-playback"
SHORTEST, LONGEST = 1, 7 * 86_400
"""Seconds that a token may be given out for."""
REFUSED = "You may not play this."
"""The one sentence for every token that is missing, wrong, over, or another asset's."""
MOST_TOKEN = 200
_MOST_COOKIES = 8
"""Of our name in one request: a browser sends those of all paths that fit."""


def sign(secret: bytes, asset: str, expires: int) -> str:
    """`{asset}.{expires}.{mac}`; `expires` in seconds since 1970. Letters that need no escaping in a path or a cookie."""
    return f"{asset}.{expires}.{_mac(secret, asset, expires)}"


def verify(secrets: Sequence[bytes], token: str, asset: str, now: float) -> int | None:
    """When a token for this asset ends; None where it is garbled, forged, over, or another's. Any of the secrets will do.

    However wrong it is, one MAC is computed for each secret and compared as a whole.
    """
    parts = token.split(".") if len(token) <= MOST_TOKEN else []
    named, end, mac = parts if len(parts) == 3 else ("", "", "")
    well_formed = is_id(named) and _is_time(end)
    expires = int(end) if well_formed else 0
    given = mac.encode("utf-8", "replace")
    genuine = [hmac.compare_digest(_mac(secret, asset, expires).encode(), given) for secret in secrets]
    return expires if any(genuine) and well_formed and named == asset and now < expires else None


def from_cookies(header: str) -> Iterator[str]:
    """The tokens in a Cookie header (RFC 6265 section 5.4), some at most."""
    found = 0
    for pair in header[:16_384].split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and found < _MOST_COOKIES:
            found += 1
            yield value.strip('"')


def admitted(secrets: Sequence[bytes], cookies: str, asset: str, now: float) -> int | None:
    """When the best of the cookies for this asset ends; None where there is none."""
    return max((end for token in from_cookies(cookies) if (end := verify(secrets, token, asset, now))), default=None)


def _is_time(text: str) -> bool:
    """One form only: ASCII digits without a leading zero, so that a token cannot be written in two ways."""
    return text.isascii() and text.isdigit() and len(text) <= 12 and not text.startswith("0")


def _mac(secret: bytes, asset: str, expires: int) -> str:
    digest = hmac.new(secret, f"rushes.playback.{asset}.{expires}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
