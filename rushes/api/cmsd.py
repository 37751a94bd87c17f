"""What we say of an object to caches and players: Common Media Server Data (CTA-5006). Pure."""

from __future__ import annotations

from rushes.storage.types import content_type

NAME = "rushes"
_TEXT = {"application/vnd.apple.mpegurl": "ot=m,sf=h,st=v", "application/dash+xml": "ot=m,sf=d,st=v"}
_KINDS = {"text/vtt": "ot=c", "image/jpeg": "ot=o", "image/webp": "ot=o"}


def static(key: str) -> str:
    """`CMSD-Static`, as far as the object's name tells it: its type (`ot`), of manifests the format too. A track's bit rate and a
    segment's length stand in the manifests; to say them here would cost a look at those."""
    kind = content_type(key).partition(";")[0]
    said = _TEXT.get(kind) or _KINDS.get(kind) or _of_media(key.rsplit("/", 2))
    return f'{said},n="{NAME}"'


def _of_media(parts: list[str]) -> str:
    """A track's folder is named after the track: those of sound begin with `audio`, those of captions with `captions`."""
    track, name = parts[-2] if len(parts) > 1 else "", parts[-1]
    if name.startswith("init."):
        return "ot=i,st=v"
    if track.startswith("audio"):
        return "ot=a,st=v"
    if track.startswith("captions"):
        return "ot=c,st=v"
    return "ot=v,st=v" if name.endswith(".m4s") else "ot=av,st=v"


def dynamic(seconds: float) -> str:
    """`CMSD-Dynamic`: how long we took to begin the answer (`rd`, ms)."""
    return f'"{NAME}";rd={max(0, round(seconds * 1000))}'
