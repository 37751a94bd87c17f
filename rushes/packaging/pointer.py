"""The pointer: small manifests at an asset's fixed address that lead into one build. Written only upwards."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, media_prefix, pointer_key
from rushes.options import Playback
from rushes.packaging.dash import MANIFEST
from rushes.packaging.hls import MASTER
from rushes.storage.store import POINTER, ConditionalPut, Headers, ObjectExists, ObjectMissing, ObjectStore, delete_all
from rushes.storage.types import content_type

NAMES = (MANIFEST, MASTER)
"""In the order in which they are written: HLS last."""

_BUILD = re.compile(r"rushes build=(\d{1,12})\b")
_SIGNED = re.compile(r"rushes build=\d{1,12} playback=signed\b")
_HLS_ATTRIBUTE = re.compile(r'(URI=")([^"]+)(")')
_HLS_LINE = re.compile(r"^()(?!#)(.+)()$", re.MULTILINE)
_DASH_URI = re.compile(r'((?:media|initialization|sourceURL)="|<BaseURL>)([^"<]+)("|</BaseURL>)')
_ATTEMPTS = 16


def build_of(text: str) -> int:
    """The build that a manifest of ours belongs to; 0 if it does not say."""
    found = _BUILD.search(text)
    return int(found[1]) if found else 0


def is_signed(text: str) -> bool:
    """Whether a pointer says that nothing of its asset is played without a token."""
    return bool(_SIGNED.search(text))


def moved(name: str, text: str, build: int, playback: Playback = "public") -> str:
    """A build's manifest rewritten for the asset's own place, two levels up: its URIs lead to the same objects. Of a signed
    asset it says so beside the number of the build, where the origin looks."""

    def place(match: re.Match[str]) -> str:
        return match[1] + posixpath.normpath(f"b/{build}/{match[2]}") + match[3]

    if playback == "signed":
        text = _BUILD.sub(r"\g<0> playback=signed", text, count=1)
    if name == MANIFEST:
        return _DASH_URI.sub(place, text)
    return _HLS_LINE.sub(place, _HLS_ATTRIBUTE.sub(place, text))


def point(store: ObjectStore, asset: str, build: int, playback: Playback = "public") -> int:
    """Let the pointers name `build`, unless they name a newer one. Returns the build they name now.

    Looks at both again afterwards, because a store without conditional puts lets a publisher that was held up before a
    write undo what happened meanwhile: a newer publication (announced before it was made) or an unpublishing (the
    other pointer is gone). Raises ObjectMissing when the build's manifests are not there, StepFailure when the pointers
    were taken away meanwhile, or when others keep getting in between.
    """
    swap = _Conditional(store) if isinstance(store, ConditionalPut) and store.conditional else _Plain(store)
    swap.announce(asset, build)
    for _ in range(_ATTEMPTS):
        texts = _manifests(store, build_prefix(asset, build))
        for name, text in texts.items():
            _swap(store, swap, pointer_key(asset, name), moved(name, text, build, playback))
        named = {_current(store, pointer_key(asset, name))[0] for name in texts}
        if 0 in named:
            remove(store, asset)
            raise _failure(f"the pointers of {asset} were taken away under our hands")
        newest = max(*named, swap.announced(asset))
        if named == {newest}:
            _leave_behind(store, asset, newest, texts)
            return newest
        build = newest
    raise _failure(f"the pointers of {asset} do not come to rest")


def _leave_behind(store: ObjectStore, asset: str, build: int, texts: Mapping[str, str]) -> None:
    """What an older build had and this one has not: DASH, where the new one is encrypted for HLS alone."""
    key = pointer_key(asset, MANIFEST)
    if MANIFEST not in texts and 0 < _current(store, key)[0] < build:
        store.delete(key)


def _manifests(store: ObjectStore, place: str) -> dict[str, str]:
    """Name and text, HLS last. A build that grows, or is encrypted for HLS alone, has no DASH manifest. Raises ObjectMissing
    without that for HLS."""
    texts: dict[str, str] = {}
    with suppress(ObjectMissing):
        texts[MANIFEST] = store.read(place + MANIFEST).decode()
    return texts | {MASTER: store.read(place + MASTER).decode()}


def remove(store: ObjectStore, asset: str) -> list[str]:
    """Take the pointers away, HLS first. Returns their keys."""
    keys = [pointer_key(asset, name) for name in reversed(NAMES)]
    for key in keys:
        store.delete(key)
    delete_all(store, [found.key for found in store.list(_announcements(asset))])
    return keys


def _swap(store: ObjectStore, swap: _Conditional | _Plain, key: str, text: str) -> None:
    build, seen, headers = build_of(text), False, Headers(content_type(key), POINTER)
    for _ in range(_ATTEMPTS):
        current, etag = _current(store, key)
        if current > build:
            return
        if seen and not current:
            raise _failure(f"{key} was taken away under our hands")
        seen = bool(current)
        if swap.put(key, text.encode(), headers, etag):
            return
    raise _failure(f"{key} changed {_ATTEMPTS} times under our hands")


def _failure(detail: str) -> StepFailure:
    """The next attempt asks the catalog anew whether the asset may be published."""
    return StepFailure("storage_unavailable", Blame.TRANSIENT, detail=detail)


def _current(store: ObjectStore, key: str) -> tuple[int, str | None]:
    """The build named by a pointer, and the etag of that very version."""
    try:
        fetched = store.fetch(key)
    except ObjectMissing:
        return 0, None
    with fetched.stream as stream:
        return build_of(stream.read().decode("utf-8", "replace")), fetched.info.etag


@dataclass(frozen=True)
class _Conditional:
    """Compare and swap: a publisher that was held up writes nothing if anything happened meanwhile."""

    store: ConditionalPut

    def put(self, key: str, data: bytes, headers: Headers, etag: str | None) -> bool:
        """False where another version was there."""
        try:
            self.store.put_if(key, data, headers, etag=etag)
        except ObjectExists:
            return False
        return True

    def announce(self, asset: str, build: int) -> None:
        """Not needed: what is older than the pointer is never written."""

    def announced(self, asset: str) -> int:
        return 0


@dataclass(frozen=True)
class _Plain:
    """For a store without conditional puts: write, then look; and announce what is about to be published."""

    store: ObjectStore

    def put(self, key: str, data: bytes, headers: Headers, etag: str | None) -> bool:
        """False where another version is there after the write."""
        self.store.put_bytes(key, data, headers)
        try:
            return self.store.read(key) == data
        except ObjectMissing as error:
            raise _failure(f"{key} was taken away as soon as it was written") from error

    def announce(self, asset: str, build: int) -> None:
        """Done before the pointers are written: the last one to write them sees who else is about to."""
        self.store.put_bytes(f"{_announcements(asset)}{build:012d}", b"", Headers())

    def announced(self, asset: str) -> int:
        """The newest build announced since the asset was last unpublished; 0 for none."""
        return max((int(found.key.rpartition("/")[2]) for found in self.store.list(_announcements(asset))), default=0)


def _announcements(asset: str) -> str:
    return f"{media_prefix(asset)}p/"
