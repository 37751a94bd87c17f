"""The HLS multivariant playlist (RFC 8216bis section 4.4.6; Apple, HLS Authoring Specification). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rushes.packaging.alternates import SUBTITLES, alternates, audio_groups
from rushes.packaging.bitrate import average, peak, seconds, target_duration, track_average, track_peak
from rushes.packaging.images import image_playlist, image_stream
from rushes.packaging.key_tags import session_keys
from rushes.packaging.labels import default_track, display_size, family, preference, video_range
from rushes.packaging.playlist import (
    VERSION,
    Href,
    has_iframes,
    iframe_name,
    iframe_playlist,
    media_playlist,
    playlist_name,
)
from rushes.packaging.tags import quoted, tag
from rushes.tracks import Track

MASTER = "master.m3u8"
_START_BITRATE = 2_000_000  # Apple's rule: the first variant is the one for an unknown connection


def playlists(tracks: Sequence[Track], href: Href) -> dict[str, str]:
    """All media playlists of a build by file name: one per track, one more for the I-frames of each picture track."""
    target = target_duration(tracks)
    found = {
        playlist_name(track): image_playlist(track, href)
        if track.kind == "image"
        else media_playlist(track, href, target)
        for track in tracks
    }
    found |= {iframe_name(track): iframe_playlist(track, href, target) for track in tracks if has_iframes(track)}
    return found


def multivariant(tracks: Sequence[Track], build: int, *, audio_only: bool = False) -> str:
    """The multivariant playlist of a build, naming its media playlists as neighbours. `audio_only`: sound alone is a variant
    too."""
    video = [track for track in tracks if track.kind == "video"]
    text = [track for track in tracks if track.kind == "text"]
    groups = audio_groups([track for track in tracks if track.kind == "audio"])
    alone = not video and sum(map(len, groups.values())) == 1  # then there is nothing to choose from
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", f"# rushes build={build}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += session_keys(tracks, build)
    for name, members in groups.items() if not alone else ():
        lines += alternates("AUDIO", name, members)
    lines += alternates("SUBTITLES", SUBTITLES, text)
    target = target_duration(tracks)
    rates = {track.name: (track_peak(track, target), track_average(track)) for track in tracks if track.kind != "image"}
    sheet = _Sheet(groups, text, target, scores(video), rates)
    choices: list[str | None] = [*groups] or [None]
    for track in _start_first(video):
        for choice in choices:
            lines += [sheet.variant(track, choice), playlist_name(track)]
    if audio_only or not video:
        lines += [line for name in groups for line in sheet.sound(name, alone=alone, beside=bool(video))]
    lines += [sheet.iframes(track) for track in video if has_iframes(track)]
    lines += [image_stream(track) for track in tracks if track.kind == "image"]
    return "\n".join([*lines, ""])


def scores(video: Sequence[Track]) -> dict[str, int]:
    """SCORE by track name where codecs or ranges mix, 1 for the least; empty where the rate alone says what is better."""
    if len({(family(track), track.hdr) for track in video}) < 2:
        return {}
    ranks = sorted({preference(track) for track in video})
    return {track.name: 1 + ranks.index(preference(track)) for track in video}


def _start_first(video: Sequence[Track]) -> list[Track]:
    """Falling in rate, but the best one below the start rate goes first: players begin with it. It is of the kind that the
    build begins with, which every device plays."""
    falling = sorted(video, key=track_average, reverse=True)
    common = [track for track in falling if family(track) == family(video[0]) and not track.hdr] or falling
    start = next((track for track in common if track_average(track) <= _START_BITRATE), common[-1]) if common else None
    return [*([start] if start else []), *(track for track in falling if track is not start)]


@dataclass(frozen=True)
class _Sheet:
    """What all variants of a playlist have in common."""

    groups: Mapping[str, Sequence[Track]]
    text: Sequence[Track]
    target: int
    scores: Mapping[str, int]
    rates: Mapping[str, tuple[int, int]]
    """Peak and average of each track by name: a sound is part of every variant, and hours of it take time to add up."""

    def variant(self, track: Track, group: str | None) -> str:
        audio = self.groups[group] if group else []
        width, height = display_size(track)
        shown = [
            ("RESOLUTION", f"{width}x{height}"),
            ("FRAME-RATE", _frame_rate(track.fps)),
            ("VIDEO-RANGE", video_range(track)),
        ]
        return tag("STREAM-INF", [*self._rates([track], audio, track.name), *shown, *self._names(group, "NONE")])

    def sound(self, group: str, *, alone: bool, beside: bool) -> list[str]:
        """The variant without picture: its tag and its playlist. `beside` others with one: that there are no captions in the
        picture is said of all variants or of none."""
        audio = self.groups[group]
        first = default_track(audio) or audio[0]
        names = self._names(None if alone else group, "NONE" if beside else None)
        return [tag("STREAM-INF", [*self._rates([], audio, None), *names]), playlist_name(first)]

    def iframes(self, track: Track) -> str:
        width, height = display_size(track)
        durations, sizes = seconds(track), [segment.keyframe_size for segment in track.segments]
        return tag(
            "I-FRAME-STREAM-INF",
            [
                ("BANDWIDTH", str(peak(durations, sizes, self.target))),
                ("AVERAGE-BANDWIDTH", str(average(durations, sizes))),
                ("SCORE", self._score(track.name)),
                ("CODECS", quoted(track.codecs)),
                ("RESOLUTION", f"{width}x{height}"),
                ("VIDEO-RANGE", video_range(track)),
                ("URI", quoted(iframe_name(track))),
            ],
        )

    def _rates(self, video: Sequence[Track], audio: Sequence[Track], name: str | None) -> list[tuple[str, str | None]]:
        """Rates are the largest sums over playable combinations, so the heaviest member of each group counts."""
        groups = [[self.rates[one.name] for one in group] for group in (video, audio, self.text)]
        peaks, averages = ([max((rates[which] for rates in group), default=0) for group in groups] for which in (0, 1))
        return [
            ("BANDWIDTH", str(sum(peaks))),
            ("AVERAGE-BANDWIDTH", str(sum(averages))),
            ("SCORE", self._score(name)),
            ("CODECS", quoted(",".join(dict.fromkeys(one.codecs for one in [*video, *audio])))),
        ]

    def _names(self, group: str | None, closed_captions: str | None) -> list[tuple[str, str | None]]:
        return [
            ("AUDIO", quoted(group) if group else None),
            ("SUBTITLES", quoted(SUBTITLES) if self.text else None),
            ("CLOSED-CAPTIONS", closed_captions),
        ]

    def _score(self, name: str | None) -> str | None:
        """Sound alone is the least of all; the number has to be positive."""
        return f"{self.scores.get(name or '', 0.5):.1f}" if self.scores else None


def _frame_rate(fps: Fraction | None) -> str | None:
    return f"{float(fps):.3f}" if fps else None
