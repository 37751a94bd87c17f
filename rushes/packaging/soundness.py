"""Soundness: what of the tracks and the manifests is checked before a build is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from rushes.packaging.bitrate import track_average
from rushes.packaging.labels import family
from rushes.tracks import Track

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_EXTINF = re.compile(r"^#EXTINF:([0-9.]+),$", re.MULTILINE)
_TARGET = re.compile(r"^#EXT-X-TARGETDURATION:(\d+)$", re.MULTILINE)
_MAX_BITRATE = 400_000_000
_TEN_BITS = re.compile(r"^(hvc1\.2\.|av01\.[01]\.\d\d[MH]\.10)")
_OPUS_RATE = 48_000
_VARIANT = re.compile(r"^#EXT-X-STREAM-INF:(.*)$", re.MULTILINE)
_MEDIA = re.compile(r"^#EXT-X-MEDIA:(.*)$", re.MULTILINE)
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_GROUPS = ("AUDIO", "SUBTITLES")


def problems(tracks: Sequence[Track], playlists: Mapping[str, str]) -> list[str]:
    """What is wrong with a build, as sentences; empty if nothing is."""
    found = [] if any(track.kind != "text" for track in tracks) else ["There is neither picture nor sound."]
    if len({track.name for track in tracks}) < len(tracks):
        found.append("Two tracks have the same name.")
    for track in tracks:
        found += _track_problems(track)
    found += _grid_problems([track for track in tracks if track.kind == "video"])
    found += _codec_problems(tracks)
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


def _codec_problems(tracks: Sequence[Track]) -> Iterator[str]:
    """What players of HLS and DASH ask of codecs (Apple, HLS Authoring Specification; CMAF)."""
    for track in tracks:
        if family(track) == "hev1":
            yield f"{track.name}: HEVC has to be tagged hvc1 for Apple's players."
        if track.hdr and not _TEN_BITS.match(track.codecs):
            yield f"{track.name}: HDR needs 10 bits in HEVC or AV1, not {track.codecs}."
        if track.codecs == "opus" and track.sample_rate != _OPUS_RATE:
            yield f"{track.name}: Opus counts in 48,000 samples a second, not {track.sample_rate}."
    if any(track.hdr for track in tracks) and not any(track.kind == "video" and not track.hdr for track in tracks):
        yield "There is HDR, but nothing for screens without it."


def variant_problems(text: str) -> list[str]:
    """What is wrong with a multivariant playlist: groups that are not there, scores for some variants only, doubles."""
    variants = [dict(_ATTRIBUTE.findall(line)) for line in _VARIANT.findall(text)]
    groups = {dict(_ATTRIBUTE.findall(line)).get("GROUP-ID") for line in _MEDIA.findall(text)}
    found = []
    if not variants:
        found.append("The multivariant playlist has no variants.")
    if {variant[kind] for variant in variants for kind in _GROUPS if kind in variant} - groups:
        found.append("A variant names a group that is not there.")
    if len({"SCORE" in variant for variant in variants}) > 1:
        found.append("Some variants have a score and some have none.")
    if any("CODECS" not in variant or "AVERAGE-BANDWIDTH" not in variant for variant in variants):
        found.append("A variant does not say its codecs or its average rate.")
    return found


def _grid_problems(video: Sequence[Track]) -> Iterator[str]:
    """Every picture track has its cuts at the same exact times."""
    for track in video[1:]:
        if cuts(track) != cuts(video[0]):
            yield f"{track.name} is not cut where {video[0].name} is."


def cuts(track: Track) -> list[Fraction]:
    """Seconds at which the segments of a track begin, and its end."""
    ends = accumulate((segment.ticks for segment in track.segments), initial=track.start_ticks)
    return [Fraction(ticks, track.timescale) for ticks in ends]


def _playlist_problems(name: str, text: str) -> Iterator[str]:
    target = _TARGET.search(text)
    durations = [float(found) for found in _EXTINF.findall(text)]
    if not text.startswith("#EXTM3U\n") or not text.endswith("#EXT-X-ENDLIST\n") or not target:
        yield f"{name} is not a complete playlist."
    elif not durations or int(max(durations) + 0.5) > int(target[1]):
        yield f"{name}: a segment of {max(durations, default=0.0):.3f} s against a target duration of {target[1]} s."
