"""`Upload-Metadata`: what a client says of its file (tus 1.0.0, Creation, section "Upload-Metadata"). Pure.

The text comes from strangers and ends in pages, file names and feeds, so it is bounded and freed of characters that
hide or reorder what a reader sees.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from rushes.errors import Refused
from rushes.text import one_line

MAX_HEADER = 64 * 1024
MAX_PAIRS = 64
MAX_KEY = 64
MAX_VALUE = 1024
MAX_NAME = 255

_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # visible ASCII without the comma


def parse_metadata(header: str) -> dict[str, bytes]:
    """`filename bW92aWUubXA0,draft` -> `{"filename": b"movie.mp4", "draft": b""}`. An empty header is legal.

    Raises Refused: `metadata_too_large` (431) or `bad_metadata` (400).
    """
    if len(header) > MAX_HEADER:
        raise Refused("metadata_too_large", f"Upload-Metadata may have at most {MAX_HEADER} bytes.", status=431)
    pairs: dict[str, bytes] = {}
    for item in header.split(",") if header.strip() else ():
        key, value = _parse_pair(item.strip(" \t"))
        if key in pairs:
            raise Refused("bad_metadata", f"Upload-Metadata has the key {key!r} twice.")
        pairs[key] = value
    return pairs


def _parse_pair(item: str) -> tuple[str, bytes]:
    key, _, encoded = item.partition(" ")
    if not _KEY.fullmatch(key):
        raise Refused("bad_metadata", "Upload-Metadata must be comma-separated pairs of a key and a base64 value.")
    try:
        return key, base64.b64decode(encoded.strip(" \t"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_metadata", f"The value of {key!r} in Upload-Metadata is not base64.") from error


def readable(pairs: Mapping[str, bytes]) -> dict[str, str]:
    """The pairs as bounded text for the asset's record. Bytes that are not UTF-8 become replacement characters."""
    kept = list(pairs.items())[:MAX_PAIRS]
    return {key[:MAX_KEY]: one_line(value.decode("utf-8", "replace"), MAX_VALUE) for key, value in kept}


def filename_of(metadata: Mapping[str, str]) -> str:
    """The file's own name without any path, from `filename` (tus-js-client, tuspy) or `name` (Uppy)."""
    name = metadata.get("filename") or metadata.get("name") or ""
    return one_line(re.split(r"[/\\]", name)[-1], MAX_NAME)


def title_of(metadata: Mapping[str, str]) -> str:
    return metadata.get("title") or filename_of(metadata)
