"""Lint: the musts of HLS, DASH and CMAF that we check before a build is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from rushes.model import Track
from rushes.packaging.bitrate import track_average

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_EXTINF = re.compile(r"^#EXTINF:([0-9.]+),$", re.MULTILINE)
_TARGET = re.compile(r"^#EXT-X-TARGETDURATION:(\d+)$", re.MULTILINE)
_MAX_BITRATE = 400_000_000


def problems(tracks: Sequence[Track], playlists: Mapping[str, str]) -> list[str]:
    """What is wrong with a build, as sentences; empty if nothing is."""
    found = [] if any(track.kind != "text" for track in tracks) else ["There is neither picture nor sound."]
    if len({track.name for track in tracks}) < len(tracks):
        found.append("Two tracks have the same name.")
    for track in tracks:
        found += _track_problems(track)
    found += _grid_problems([track for track in tracks if track.kind == "video"])
    for name, text in playlists.items():
        found += _playlist_problems(name, text)
    return found


def _track_problems(track: Track) -> Iterator[str]:
    if not _NAME.match(track.name):
        yield f"Track name {track.name!r} cannot be a file name."
    if not track.codecs or '"' in track.codecs:
        yield f"{track.name}: no codec string."
    if not track.segments or any(segment.ticks <= 0 or segment.size <= 0 for segment in track.segments):
        yield f"{track.name}: no segments, or an empty one."
    elif track.kind != "text" and not 0 < track_average(track) <= _MAX_BITRATE:
        yield f"{track.name}: {track_average(track)} bit/s cannot be right."
    if track.kind == "video" and not (track.width and track.height):
        yield f"{track.name}: no picture size."
    if any(segment.keyframe_size > segment.size for segment in track.segments):
        yield f"{track.name}: a first picture larger than its segment."


def _grid_problems(video: Sequence[Track]) -> Iterator[str]:
    """Every picture track has its cuts at the same exact times."""
    for track in video[1:]:
        if _cuts(track) != _cuts(video[0]):
            yield f"{track.name} is not cut where {video[0].name} is."


def _cuts(track: Track) -> list[Fraction]:
    ends = accumulate((segment.ticks for segment in track.segments), initial=track.start_ticks)
    return [Fraction(ticks, track.timescale) for ticks in ends]


def _playlist_problems(name: str, text: str) -> Iterator[str]:
    target = _TARGET.search(text)
    durations = [float(found) for found in _EXTINF.findall(text)]
    if not text.startswith("#EXTM3U\n") or not text.endswith("#EXT-X-ENDLIST\n") or not target:
        yield f"{name} is not a complete playlist."
    elif not durations or int(max(durations) + 0.5) > int(target[1]):
        yield f"{name}: a segment of {max(durations, default=0.0):.3f} s against a target duration of {target[1]} s."
