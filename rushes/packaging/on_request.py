"""Playlists for our own origin that also name what is made only when it is asked for. Pure.

They stand below `media/{asset}/jit/`, are made for each request and are never stored: the pointer and what it leads to name
what is there, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from rushes.packaging.bitrate import target_duration
from rushes.packaging.hls import multivariant
from rushes.packaging.labels import family
from rushes.packaging.playlist import media_playlist, playlist_name
from rushes.plan import Rung
from rushes.tracks import Segment, Track

FOLDER = "jit"
_URI = re.compile(r'(?:(?<=URI=")[^"]+(?="))|(?:^(?!#).+$)', re.MULTILINE)


def to_be_made(rungs: Iterable[Rung], tracks: Sequence[Track], codecs: Mapping[str, str]) -> list[Track]:
    """Stand-ins for tracks that nobody has made: as long and cut as those of the build, each segment as large as its cap allows.
    `codecs` by name; what is not in it is not named to players. Nor are other codecs than the build's first: they are better, so
    players would wait for them, and they take longer."""
    grid = next((track for track in tracks if track.kind == "video"), None)
    if grid is None:
        return []
    found = [_stand_in(rung, grid, codecs[rung.name]) for rung in rungs if rung.name in codecs]
    return [track for track in found if family(track) == family(grid)]


def _stand_in(rung: Rung, grid: Track, codecs: str) -> Track:
    segments = [
        Segment(name=f"{number}.m4s", ticks=part.ticks, size=int(rung.max_bitrate * part.ticks / grid.timescale / 8))
        for number, part in enumerate(grid.segments, 1)
    ]
    return Track(
        name=rung.name,
        kind="video",
        prefix=f"{FOLDER}/{rung.name}/",
        codecs=codecs,
        timescale=grid.timescale,
        segments=tuple(segments),
        start_ticks=grid.start_ticks,
        width=rung.width,
        height=rung.height,
        fps=grid.fps,
        hdr=rung.hdr,
    )


def master(tracks: Sequence[Track], lazy: Sequence[Track], build: int) -> str:
    """The multivariant playlist with both, for its place in the folder: what is there stands with its build."""
    text = multivariant([*tracks, *lazy], build)
    own = {playlist_name(track) for track in lazy}

    def place(match: re.Match[str]) -> str:
        return match[0] if match[0] in own else f"../b/{build}/{match[0]}"

    return _URI.sub(place, text)


def playlist(lazy: Track, tracks: Sequence[Track]) -> str:
    """The media playlist of one that is made on request."""
    return media_playlist(lazy, lambda key: key.removeprefix(f"{FOLDER}/"), target_duration(tracks))


def start_of(tracks: Sequence[Track], number: int) -> Fraction | None:
    """Seconds at which the segment of this number (from 1) begins in every track of a build; None where there is none."""
    grid = next((track for track in tracks if track.kind == "video"), None)
    if grid is None or not 1 <= number <= len(grid.segments):
        return None
    return Fraction(grid.start_ticks + sum(part.ticks for part in grid.segments[: number - 1]), grid.timescale)


def segment_at(track: Track, start: Fraction) -> Segment | None:
    """The one that begins there."""
    ticks = track.start_ticks
    for segment in track.segments:
        if Fraction(ticks, track.timescale) == start:
            return segment
        ticks += segment.ticks
    return None
