"""Where each fact of a video comes from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushes.facts import Claim
from rushes.ffmpeg.colour import UNSPECIFIED

Raw = Mapping[str, Any]


def provenance(raw: Raw) -> dict[str, Claim]:
    """By the name of the fact in VideoFacts, from what the probe's child found."""
    video, picture = raw["video"], raw["video"]["picture"]
    found: dict[str, Claim] = {
        "width": "bitstream",
        "height": "bitstream",
        "pix_fmt": "bitstream",
        "codec": "bitstream",
        "sar": "container" if video["sar"] else "assumed",
        "rotation": "container" if picture["orientation"] else "assumed",
        "duration": _length(raw, video),
        "frames": "measured"
        if raw["complete"] and not raw["cut"]
        else "index"
        if video["index_frames"]
        else "container",
        "fps": "measured" if len(video["times"]) > 1 else "container" if any(video["rates"]) else "assumed",
        "start": "measured" if video["measured_start"] is not None else "container",
        "bitrate": "measured" if video["measured"] and video["packets"] > 1 else "container",
        "interlaced": "measured" if picture.get("woven") is not None else "bitstream",
        "keyframes": "index" if not raw["complete"] and video["index_frames"] else "measured",
    }
    for name in ("primaries", "transfer", "matrix"):
        found[name] = _colour(picture[name], video[name])
    found["full_range"] = "bitstream" if picture["range"] else "container" if video["range"] else "assumed"
    return found


def _length(raw: Raw, video: Raw) -> Claim:
    """As `facts` believes them."""
    if raw["complete"]:
        return "container" if video["measured"] is None else "measured"
    if video["tail"] is not None:
        return "measured"
    return "index" if video["index_seconds"] is not None else "container"


def _colour(bitstream: int, container: int) -> Claim:
    if bitstream != UNSPECIFIED:
        return "bitstream"
    return "container" if container != UNSPECIFIED else "assumed"
