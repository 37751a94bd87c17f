"""Content types of what we store, by file suffix (RFC 8216 section 4, RFC 4337, ISO 23009-1 annex C)."""

from __future__ import annotations

from pathlib import PurePosixPath

CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}


def content_type(name: str) -> str:
    """`application/octet-stream` for what we do not know: never something a browser would run."""
    return CONTENT_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
