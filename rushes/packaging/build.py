"""A build: the complete, immutable set of manifests of an asset. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from rushes.keys import build_prefix
from rushes.packaging.dash import MANIFEST, manifest
from rushes.packaging.hls import MASTER, multivariant, playlists
from rushes.packaging.soundness import problems, variant_problems
from rushes.tracks import Track, has_dash


class BuildError(ValueError):
    """The tracks do not make a conformant build; the text lists why."""


def build_documents(asset: str, build: int, tracks: Sequence[Track], *, audio_only: bool = False) -> dict[str, str]:
    """All manifests by file name, in the order in which they have to be written; that of DASH where its players can be given the
    tracks. `audio_only`: HLS has a variant without picture (DASH needs none). Raises BuildError.

    URIs are relative to the build's own place, so the tree can be moved or served from anywhere.
    """
    place = build_prefix(asset, build)

    def href(key: str) -> str:
        return relative(key, place)

    wrong = problems(tracks, {})
    media = {} if wrong else playlists(tracks, href)
    master = "" if wrong else multivariant(tracks, build, audio_only=audio_only)
    wrong = wrong or problems(tracks, media) + variant_problems(master)
    if wrong:
        raise BuildError(" ".join(wrong))
    return media | {MASTER: master} | ({MANIFEST: manifest(tracks, href, build)} if has_dash(tracks) else {})


def relative(key: str, place: str) -> str:
    """The URI of an object seen from `place`, a key prefix; the slash at the end of a prefix is kept."""
    return posixpath.relpath(key, place) + ("/" if key.endswith("/") else "")
