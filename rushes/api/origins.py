"""Origins of web pages as browsers write them. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def serialized_origin(text: str) -> str:
    """`HTTPS://App.example.com:443/` -> `https://app.example.com` (RFC 6454 section 6.2). Raises ValueError."""
    parts = urlsplit(text.strip())
    host = (parts.hostname or "").lower()
    extra = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _PORTS or not host or not host.isascii() or extra or "*" in host:
        raise ValueError("an origin looks like https://app.example.com, with a port where it is not the usual one")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}")
