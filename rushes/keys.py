"""Names: ids, object keys, recipe keys. Pure; the layout is section "Objects and publishing" of the architecture page."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

EARLY = "early/"
PRIVATE_TREE = "private/"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32, lower case
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")


def new_id(now: float, randomness: int | None = None) -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits. Sorts by time and cannot be guessed."""
    value = (int(now * 1000) & (2**48 - 1)) << 80 | (secrets.randbits(80) if randomness is None else randomness)
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def purge_key(asset: str, step: str) -> str:
    """Where a takedown keeps the paths that caches have to forget, until they did."""
    return f"purges/{asset}/{step}"


def recipe_key(parts: Mapping[str, Any]) -> str:
    """A name for work, made of everything its result depends on. The same parts give the same key, in any order."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]


def source_key(tenant: str, asset: str, version: int) -> str:
    return f"sources/{tenant}/{asset}/{version}"


def part_key(tenant: str, upload: str) -> str:
    """Where a store may keep the bytes of a part, which has no asset."""
    return f"parts/{tenant}/{upload}"


def early_key(asset: str) -> str:
    """Bytes of an unfinished upload, for its early probe. Below `EARLY`, which is swept."""
    return f"{EARLY}{asset}"


def media_prefix(asset: str) -> str:
    return f"media/{asset}/"


def output_prefix(asset: str, recipe: str, fence: int) -> str:
    """Where one attempt of a step writes its segments. Never written by two attempts: the fence rises with each claim."""
    return f"media/{asset}/t/{recipe}/{fence}/"


def private_prefix(asset: str, recipe: str, fence: int) -> str:
    """In place of `output_prefix`, for what of a protected asset is in the clear: no route and no CDN serves it."""
    return f"{PRIVATE_TREE}{asset}/t/{recipe}/{fence}/"


def build_prefix(asset: str, build: int) -> str:
    return f"media/{asset}/b/{build}/"


def growing_prefix(asset: str, build: int) -> str:
    """Where the media playlists of a build lie that are written again while its tracks grow."""
    return f"media/{asset}/g/{build}/"


def pointer_key(asset: str, name: str) -> str:
    """`name` is `master.m3u8` or `manifest.mpd`."""
    return f"media/{asset}/{name}"


def media_key_path(asset: str, kid: str) -> str:
    """Where a player is given a key; a path, not an object."""
    return f"keys/{asset}/{kid}"


def licence_path(asset: str) -> str:
    """Where a player is given keys in the form of W3C's ClearKey; a path, not an object."""
    return f"keys/{asset}/clearkey"


def artifact_prefix(asset: str, recipe: str, fence: int) -> str:
    return f"artifacts/{asset}/{recipe}/{fence}/"


_OUTPUT = re.compile(r"(?:(?:media|private)/\w+/t|artifacts/\w+)/\w+/\d+/.+", re.ASCII)


def is_output(key: str) -> bool:
    """Whether it lies below `output_prefix`, `private_prefix` or `artifact_prefix` of some attempt."""
    return _OUTPUT.fullmatch(key) is not None


def tombstone_key(asset: str) -> str:
    """Present once an asset is deleted; looked at before a pointer is written, so that no zombie can republish."""
    return f"tombstones/{asset}"
