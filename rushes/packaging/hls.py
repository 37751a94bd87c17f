"""The HLS multivariant playlist (RFC 8216bis section 4.4.6; Apple, HLS Authoring Specification). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rushes.model import Track
from rushes.packaging.bitrate import average, peak, seconds, target_duration, track_average, track_peak
from rushes.packaging.labels import (
    default_track,
    display_size,
    family,
    language,
    menu_names,
    preference,
    video_range,
)
from rushes.packaging.playlist import (
    VERSION,
    Href,
    has_iframes,
    iframe_name,
    iframe_playlist,
    media_playlist,
    playlist_name,
)

MASTER = "master.m3u8"
_START_BITRATE = 2_000_000  # Apple's rule: the first variant is the one for an unknown connection


def playlists(tracks: Sequence[Track], href: Href) -> dict[str, str]:
    """All media playlists of a build by file name: one per track, one more for the I-frames of each picture track."""
    target = target_duration(tracks)
    found = {playlist_name(track): media_playlist(track, href, target) for track in tracks}
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
    for name, members in groups.items() if not alone else ():
        lines += _group("AUDIO", name, members)
    lines += _group("SUBTITLES", "subtitles", text)
    sheet = _Sheet(groups, text, target_duration(tracks), scores(video))
    choices: list[str | None] = [*groups] or [None]
    for track in _start_first(video):
        for choice in choices:
            lines += [sheet.variant(track, choice), playlist_name(track)]
    if audio_only or not video:
        lines += [line for name in groups for line in sheet.sound(name, alone=alone)]
    lines += [sheet.iframes(track) for track in video if has_iframes(track)]
    return "\n".join([*lines, ""])


def audio_groups(audio: Sequence[Track]) -> dict[str, list[Track]]:
    """Sound by codec: a variant names one group, and with it says exactly which codec it needs."""
    groups: dict[str, list[Track]] = {}
    for track in audio:
        first = not groups or family(track) == family(groups["audio"][0])
        groups.setdefault("audio" if first else f"audio-{family(track).lower()}", []).append(track)
    return groups


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


def _group(kind: str, name: str, tracks: Sequence[Track]) -> list[str]:
    chosen = default_track(tracks) if kind == "AUDIO" else None
    return [
        _tag("MEDIA", _alternate((kind, name), track, label, chosen))
        for track, label in zip(tracks, menu_names(tracks), strict=True)
    ]


def _alternate(group: tuple[str, str], track: Track, name: str, chosen: Track | None) -> list[tuple[str, str | None]]:
    kind, tag = group[0], language(track)
    return [
        ("TYPE", kind),
        ("GROUP-ID", _quoted(group[1])),
        ("NAME", _quoted(name)),
        ("LANGUAGE", _quoted(tag) if tag else None),
        ("DEFAULT", "YES" if track is chosen else "NO"),
        ("AUTOSELECT", "YES"),
        ("FORCED", "NO" if kind == "SUBTITLES" else None),
        ("CHANNELS", _quoted(str(track.channels)) if track.channels else None),
        ("URI", _quoted(playlist_name(track))),
    ]


@dataclass(frozen=True)
class _Sheet:
    """What all variants of a playlist have in common."""

    groups: Mapping[str, Sequence[Track]]
    text: Sequence[Track]
    target: int
    scores: Mapping[str, int]

    def variant(self, track: Track, group: str | None) -> str:
        audio = self.groups[group] if group else []
        width, height = display_size(track)
        shown = [
            ("RESOLUTION", f"{width}x{height}"),
            ("FRAME-RATE", _frame_rate(track.fps)),
            ("VIDEO-RANGE", video_range(track)),
        ]
        return _tag("STREAM-INF", [*self._rates([track], audio, track.name), *shown, *self._names(group, "NONE")])

    def sound(self, group: str, *, alone: bool) -> list[str]:
        """The variant without picture: its tag and its playlist."""
        audio = self.groups[group]
        first = default_track(audio) or audio[0]
        tag = _tag("STREAM-INF", [*self._rates([], audio, None), *self._names(None if alone else group, None)])
        return [tag, playlist_name(first)]

    def iframes(self, track: Track) -> str:
        width, height = display_size(track)
        durations, sizes = seconds(track), [segment.keyframe_size for segment in track.segments]
        return _tag(
            "I-FRAME-STREAM-INF",
            [
                ("BANDWIDTH", str(peak(durations, sizes, self.target))),
                ("AVERAGE-BANDWIDTH", str(average(durations, sizes))),
                ("SCORE", self._score(track.name)),
                ("CODECS", _quoted(track.codecs)),
                ("RESOLUTION", f"{width}x{height}"),
                ("VIDEO-RANGE", video_range(track)),
                ("URI", _quoted(iframe_name(track))),
            ],
        )

    def _rates(self, video: Sequence[Track], audio: Sequence[Track], name: str | None) -> list[tuple[str, str | None]]:
        """Rates are the largest sums over playable combinations, so the heaviest member of each group counts."""
        groups = [video, audio, self.text]
        return [
            (
                "BANDWIDTH",
                str(sum(max((track_peak(one, self.target) for one in group), default=0) for group in groups)),
            ),
            ("AVERAGE-BANDWIDTH", str(sum(max(map(track_average, group), default=0) for group in groups))),
            ("SCORE", self._score(name)),
            ("CODECS", _quoted(",".join(dict.fromkeys(one.codecs for one in [*video, *audio])))),
        ]

    def _names(self, group: str | None, closed_captions: str | None) -> list[tuple[str, str | None]]:
        return [
            ("AUDIO", _quoted(group) if group else None),
            ("SUBTITLES", '"subtitles"' if self.text else None),
            ("CLOSED-CAPTIONS", closed_captions),
        ]

    def _score(self, name: str | None) -> str | None:
        """Sound alone is the least of all; the number has to be positive."""
        return f"{self.scores.get(name or '', 0.5):.1f}" if self.scores else None


def _frame_rate(fps: Fraction | None) -> str | None:
    return f"{float(fps):.3f}" if fps else None


def _quoted(text: str) -> str:
    """A quoted string: no quotes or line breaks inside (section 4.2)."""
    return '"' + "".join(char for char in text if char.isprintable() and char != '"') + '"'


def _tag(name: str, attributes: list[tuple[str, str | None]]) -> str:
    return f"#EXT-X-{name}:" + ",".join(f"{key}={value}" for key, value in attributes if value is not None)
