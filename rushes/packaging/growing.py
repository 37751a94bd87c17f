"""A build that grows: its media playlists lie at a place of their own and are written again, longer each time.

The playlists are of type EVENT (RFC 8216bis section 4.4.3.5): what was listed stays, so a player that started at the first
segment goes on to the end. There is no DASH manifest until the ladder is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil

from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, growing_prefix
from rushes.packaging.bitrate import seconds
from rushes.packaging.build import relative
from rushes.packaging.hls import multivariant
from rushes.packaging.playlist import END, event_playlist, playlist_name
from rushes.packaging.soundness import problems
from rushes.storage.store import POINTER, ConditionalPut, Headers, ObjectExists, ObjectMissing, ObjectStore
from rushes.storage.types import content_type
from rushes.tracks import Track

LONGER = Fraction(5, 4)
"""Of a usual segment: so long may one be that a short rest was joined to."""
_ATTEMPTS = 8
_BANDWIDTH = re.compile(r"(?<![A-Z-])BANDWIDTH=(\d+)")
_PLAYLIST = re.compile(r'(URI="|^)([A-Za-z0-9][A-Za-z0-9_-]*\.m3u8)', re.MULTILINE)


def growing_master(asset: str, build: int, tracks: Sequence[Track], *, bandwidth: int) -> str:
    """The multivariant playlist, which does not change any more. `bandwidth`: what the encoder keeps to, in bits per second;
    what is measured of the first segments says too little. Raises ValueError where the tracks make no build."""
    wrong = problems(tracks, {})
    if wrong:
        raise ValueError(" ".join(wrong))
    place = relative(growing_prefix(asset, build), build_prefix(asset, build))
    text = multivariant([_without_key_pictures(track) for track in tracks], build)
    text = _PLAYLIST.sub(lambda found: f"{found[1]}{place}{found[2]}", text)
    return _BANDWIDTH.sub(lambda found: f"BANDWIDTH={max(bandwidth, int(found[1]))}", text)


def growing_playlists(
    asset: str, build: int, tracks: Sequence[Track], segment: Fraction, *, over: bool
) -> dict[str, str]:
    """Key and text of each track's playlist as far as there are pictures. `segment`: seconds of a usual one of them."""
    place = growing_prefix(asset, build)
    picture = next(track for track in tracks if track.kind == "video")
    shown = Fraction(picture.start_ticks + picture.ticks, picture.timescale)
    target = target_seconds(tracks, segment)
    return {
        f"{place}{playlist_name(track)}": event_playlist(
            track if over or track is picture else until(track, shown),
            lambda key: relative(key, place),
            target,
            over=over,
        )
        for track in tracks
    }


def target_seconds(tracks: Sequence[Track], segment: Fraction) -> int:
    """The same for all playlists, and every time: of the pictures the longest that there may be, of the rest, which is
    complete, the longest that there is."""
    there = [length for track in tracks if track.kind != "video" for length in seconds(track)]
    return max(1, ceil(max([LONGER * segment, *there])))


def until(track: Track, shown: Fraction) -> Track:
    """The segments that begin before `shown` seconds, one at the least."""
    at, kept = Fraction(track.start_ticks, track.timescale), 0
    for length in seconds(track):
        if kept and at >= shown:
            break
        at, kept = at + length, kept + 1
    return track.model_copy(update={"segments": track.segments[:kept]})


def grow(store: ObjectStore, key: str, text: str) -> None:
    """Put a playlist, unless a longer one is there, or one that has ended: attempts that were overtaken must not make it
    shorter.

    Raises StoreError, StepFailure where others keep getting in between.
    """
    _change(store, key, lambda there: text if len(there) < len(text) and END not in there else there)


def close(store: ObjectStore, key: str) -> None:
    """Put an end to a playlist that is there. Raises as `grow`."""
    _change(store, key, lambda there: f"{there}{END}\n" if there and END not in there else there)


def _change(store: ObjectStore, key: str, change: Callable[[str], str]) -> None:
    for _ in range(_ATTEMPTS):
        there, etag = _there(store, key)
        text = change(there)
        if text == there or _put(store, key, text, etag):
            return
    raise StepFailure("storage_unavailable", Blame.TRANSIENT, detail=f"{key} changed {_ATTEMPTS} times under our hands")


def _put(store: ObjectStore, key: str, text: str, etag: str | None) -> bool:
    """False where another version is there. Without conditional puts, an overtaken attempt may win for the moment until
    the next chunk is added."""
    headers = Headers(content_type(key), POINTER)
    if not (isinstance(store, ConditionalPut) and store.conditional):
        store.put_bytes(key, text.encode(), headers)
        return True
    try:
        store.put_if(key, text.encode(), headers, etag=etag)
    except ObjectExists:
        return False
    return True


def _there(store: ObjectStore, key: str) -> tuple[str, str | None]:
    try:
        fetched = store.fetch(key)
    except ObjectMissing:
        return "", None
    with fetched.stream as stream:
        return stream.read().decode("utf-8", "replace"), fetched.info.etag


def _without_key_pictures(track: Track) -> Track:
    """An I-frame playlist would have to grow too; nobody scrubs in the first seconds."""
    bare = tuple(segment.model_copy(update={"keyframe_size": 0}) for segment in track.segments)
    return track.model_copy(update={"segments": bare})
