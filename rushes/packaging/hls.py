"""The HLS multivariant playlist (RFC 8216bis section 4.4.6; Apple, HLS Authoring Specification). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rushes.model import Track
from rushes.packaging.bitrate import average, peak, seconds, target_duration, track_average, track_peak
from rushes.packaging.labels import default_track, display_size, language, menu_names
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


def multivariant(tracks: Sequence[Track], build: int) -> str:
    """The multivariant playlist of a build, naming its media playlists as neighbours."""
    video = [track for track in tracks if track.kind == "video"]
    audio = [track for track in tracks if track.kind == "audio"]
    text = [track for track in tracks if track.kind == "text"]
    target = target_duration(tracks)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", f"# rushes build={build}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if video or len(audio) > 1:
        lines += _group("AUDIO", audio)
    lines += _group("SUBTITLES", text)
    variants = _start_first(video) if video else [track for track in (default_track(audio),) if track]
    for track in variants:
        lines += [_variant(track, audio if video else _others(audio), text, target), playlist_name(track)]
    lines += [_iframe_variant(track, target) for track in video if has_iframes(track)]
    return "\n".join([*lines, ""])


def _others(audio: Sequence[Track]) -> Sequence[Track]:
    """An audio-only variant has an audio group only where there is something to choose from."""
    return audio if len(audio) > 1 else []


def _start_first(video: Sequence[Track]) -> list[Track]:
    """Falling in rate, but the best one below the start rate goes first: players begin with it."""
    falling = sorted(video, key=track_average, reverse=True)
    start = next((track for track in falling if track_average(track) <= _START_BITRATE), falling[-1])
    return [start, *(track for track in falling if track is not start)]


def _group(kind: str, tracks: Sequence[Track]) -> list[str]:
    chosen = default_track(tracks) if kind == "AUDIO" else None
    return [
        _tag("MEDIA", _alternate(kind, track, name, chosen))
        for track, name in zip(tracks, menu_names(tracks), strict=True)
    ]


def _alternate(kind: str, track: Track, name: str, chosen: Track | None) -> list[tuple[str, str | None]]:
    tag = language(track)
    return [
        ("TYPE", kind),
        ("GROUP-ID", _quoted(kind.lower())),
        ("NAME", _quoted(name)),
        ("LANGUAGE", _quoted(tag) if tag else None),
        ("DEFAULT", "YES" if track is chosen else "NO"),
        ("AUTOSELECT", "YES"),
        ("FORCED", "NO" if kind == "SUBTITLES" else None),
        ("CHANNELS", _quoted(str(track.channels)) if track.channels else None),
        ("URI", _quoted(playlist_name(track))),
    ]


def _variant(track: Track, audio: Sequence[Track], text: Sequence[Track], target: int) -> str:
    """Rates are the largest sums over playable combinations, so the heaviest member of each group counts."""
    groups = [[track], [other for other in audio if other is not track and track.kind == "video"], text]
    width, height = display_size(track)
    video = track.kind == "video"
    return _tag(
        "STREAM-INF",
        [
            ("BANDWIDTH", str(sum(max((track_peak(one, target) for one in group), default=0) for group in groups))),
            ("AVERAGE-BANDWIDTH", str(sum(max(map(track_average, group), default=0) for group in groups))),
            ("CODECS", _quoted(",".join(dict.fromkeys([track.codecs, *(one.codecs for one in audio)])))),
            ("RESOLUTION", f"{width}x{height}" if video else None),
            ("FRAME-RATE", _frame_rate(track.fps)),
            ("VIDEO-RANGE", "SDR" if video else None),
            ("AUDIO", '"audio"' if audio else None),
            ("SUBTITLES", '"subtitles"' if text else None),
            ("CLOSED-CAPTIONS", "NONE" if video else None),
        ],
    )


def _iframe_variant(track: Track, target: int) -> str:
    width, height = display_size(track)
    durations, sizes = seconds(track), [segment.keyframe_size for segment in track.segments]
    return _tag(
        "I-FRAME-STREAM-INF",
        [
            ("BANDWIDTH", str(peak(durations, sizes, target))),
            ("AVERAGE-BANDWIDTH", str(average(durations, sizes))),
            ("CODECS", _quoted(track.codecs)),
            ("RESOLUTION", f"{width}x{height}"),
            ("VIDEO-RANGE", "SDR"),
            ("URI", _quoted(iframe_name(track))),
        ],
    )


def _frame_rate(fps: Fraction | None) -> str | None:
    return f"{float(fps):.3f}" if fps else None


def _quoted(text: str) -> str:
    """A quoted string: no quotes or line breaks inside (section 4.2)."""
    return '"' + "".join(char for char in text if char.isprintable() and char != '"') + '"'


def _tag(name: str, attributes: list[tuple[str, str | None]]) -> str:
    return f"#EXT-X-{name}:" + ",".join(f"{key}={value}" for key, value in attributes if value is not None)
