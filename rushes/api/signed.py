"""Signed playback: tokens that let their holder play one asset until they end. Pure.

A token stands at the front of the path (`/signed/{token}/media/{asset}/...`), so that relative addresses in manifests keep it
(a path-prefix token in the manner of CTA-5007), or in a cookie beside the plain path. Anybody who has the secret can make one:
docs/delivery.md has the form, docs/decisions/0029 says why it is this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rushes.api import asset_token

PURPOSE = "playback"
COOKIE = "rushes-playback"
SHORTEST, LONGEST = 1, 7 * 86_400
"""Seconds that a token may be given out for."""
REFUSED = "You may not play this."
"""The one sentence for every token that is missing, wrong, over, or another asset's."""
_MOST_COOKIES = 8
"""Of our name in one request: a browser sends those of all paths that fit."""


def sign(secret: bytes, asset: str, expires: int) -> str:
    """In the form of `asset_token`."""
    return asset_token.sign(secret, PURPOSE, asset, expires)


def verify(secrets: Sequence[bytes], token: str, asset: str, now: float) -> int | None:
    """When a token for this asset ends; None where it is garbled, forged, over, or another's. Any of the secrets will do."""
    found = asset_token.opened(secrets, PURPOSE, token, now)
    return found.expires if found and found.asset == asset else None


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
