"""Headers of the origin's answers beyond those of the object itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rushes.storage.store import PRIVATE

_REPORTED = "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Age, CMSD-Dynamic, CMSD-Static, Content-Encoding, Content-Length, "
    "Content-Range, Date, ETag, Server-Timing, X-Cache, X-Request-Id",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}
PREFLIGHT = CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": f"Range, If-Range, If-None-Match, {_REPORTED}",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, HEAD, OPTIONS",
}
HARMLESS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""Should something uploaded ever be shown as a page, it can do nothing."""
MISSING = "public, max-age=1"
"""Short: a segment asked for a moment too early must be there at the next look."""
_MAX_AGE = re.compile(r"max-age=(\d+)")
Raw = list[tuple[bytes, bytes]]


def raw(headers: Mapping[str, str]) -> Raw:
    """As ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


EVERYWHERE = raw(CORS | HARMLESS)


def tags(asset: str) -> Raw:
    """By which a CDN forgets all of an asset at once: Cloudflare and others by the first, Fastly by the second."""
    return [(b"cache-tag", asset.encode()), (b"surrogate-key", asset.encode())]


def caching(cache_control: str, until: int | None, now: float) -> str:
    """What a cache may do with an answer. One that took a token (it ends at `until`) is its holder's alone, and not beyond its
    end: a cache that stands before us and looks at tokens itself has rules of its own (docs/delivery.md)."""
    if until is None:
        return cache_control
    found = _MAX_AGE.search(cache_control)
    seconds = min(int(found[1]) if found else 0, int(until - now))
    return f"private, max-age={seconds}" if seconds > 0 else PRIVATE


def timing(looked: float, total: float, source: str) -> bytes:
    """`Server-Timing` (W3C): milliseconds for the look at the pointer, for the object, and to the answer's first byte."""
    store = max(0.0, total - looked)
    return f"look;dur={looked * 1e3:.1f}, {source};dur={store * 1e3:.1f}, total;dur={total * 1e3:.1f}".encode()
