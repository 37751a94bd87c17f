"""The pointer: small manifests at an asset's fixed address that lead into one build. Written only upwards."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, pointer_key
from rushes.packaging.dash import MANIFEST
from rushes.packaging.hls import MASTER
from rushes.storage.store import POINTER, ConditionalPut, Headers, ObjectExists, ObjectMissing, ObjectStore
from rushes.storage.types import content_type

NAMES = (MANIFEST, MASTER)
"""In the order in which they are written: HLS last."""

_BUILD = re.compile(r"rushes build=(\d{1,12})\b")
_HLS_ATTRIBUTE = re.compile(r'(URI=")([^"]+)(")')
_HLS_LINE = re.compile(r"^()(?!#)(.+)()$", re.MULTILINE)
_DASH_URI = re.compile(r'((?:media|initialization|sourceURL)="|<BaseURL>)([^"<]+)("|</BaseURL>)')
_ATTEMPTS = 16


def build_of(text: str) -> int:
    """The build that a manifest of ours belongs to; 0 if it does not say."""
    found = _BUILD.search(text)
    return int(found[1]) if found else 0


def moved(name: str, text: str, build: int) -> str:
    """A build's manifest rewritten for the asset's own place, two levels up: its URIs lead to the same objects."""

    def place(match: re.Match[str]) -> str:
        return match[1] + posixpath.normpath(f"b/{build}/{match[2]}") + match[3]

    if name == MANIFEST:
        return _DASH_URI.sub(place, text)
    return _HLS_LINE.sub(place, _HLS_ATTRIBUTE.sub(place, text))


def point(store: ObjectStore, asset: str, build: int) -> int:
    """Let the pointers name `build`, unless they name a newer one. Returns the build they name now.

    Raises ObjectMissing when the build's manifests are not there, StepFailure when others keep getting in between.
    """
    texts = {name: store.read(build_prefix(asset, build) + name).decode() for name in NAMES}
    named = build
    for name in NAMES:
        text = moved(name, texts[name], build)
        named = _swap(store, pointer_key(asset, name), text, Headers(content_type(name), POINTER))
    return named


def remove(store: ObjectStore, asset: str) -> list[str]:
    """Take the pointers away, HLS first. Returns their keys."""
    keys = [pointer_key(asset, name) for name in reversed(NAMES)]
    for key in keys:
        store.delete(key)
    return keys


def _swap(store: ObjectStore, key: str, text: str, headers: Headers) -> int:
    build = build_of(text)
    for _ in range(_ATTEMPTS):
        current, etag = _current(store, key)
        if current > build:
            return current
        try:
            _put(store, etag)(key, text.encode(), headers)
        except ObjectExists:
            continue
        return build
    raise StepFailure("storage_unavailable", Blame.TRANSIENT, detail=f"{key} changed {_ATTEMPTS} times under our hands")


def _current(store: ObjectStore, key: str) -> tuple[int, str | None]:
    """The build named by a pointer and its etag, asked for first: if the object changes in between, the put fails."""
    try:
        etag = store.head(key).etag
        return build_of(store.read(key).decode("utf-8", "replace")), etag
    except ObjectMissing:
        return 0, None


def _put(store: ObjectStore, etag: str | None) -> Callable[[str, bytes, Headers], object]:
    """A conditional put where the store can; else a plain one, which leaves a race of milliseconds between workers."""
    if isinstance(store, ConditionalPut):
        conditional = store
        return lambda key, data, headers: conditional.put_if(key, data, headers, etag=etag)
    return store.put_bytes
