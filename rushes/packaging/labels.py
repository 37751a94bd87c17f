"""What manifests say about a track to a person: sizes as seen, languages, names in a menu."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.ffmpeg.language import bcp47
from rushes.tracks import Track

_ENDONYMS = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh": "中文",
}


def display_size(track: Track) -> tuple[int, int]:
    """Width and height as seen; a provisional track may still have to be turned."""
    width, height = track.width or 0, track.height or 0
    return (height, width) if track.rotation in (90, 270) else (width, height)


def family(track: Track) -> str:
    """The codec without its profile: `avc1`, `av01`, `mp4a`."""
    return track.codecs.split(".")[0]


def video_range(track: Track) -> str:
    """As HLS calls it (RFC 8216bis section 4.4.6.2, VIDEO-RANGE)."""
    return (track.hdr or "sdr").upper()


def preference(track: Track) -> tuple[int, bool, int]:
    """Orders pictures from worst to best as seen: by size, then range, then codec; the rate does not say it where codecs
    mix."""
    codecs = ("avc1", "hvc1", "av01")
    return min(display_size(track)), bool(track.hdr), codecs.index(family(track)) if family(track) in codecs else -1


def language(track: Track) -> str | None:
    """The track's language tag by BCP 47, if it is one; what a file says may be anything: `eng` is `en`."""
    return bcp47(track.language)


def menu_names(tracks: Sequence[Track]) -> list[str]:
    """One name per track, all different (RFC 8216bis section 4.4.6.1.1)."""
    names: list[str] = []
    for track in tracks:
        tag = language(track)
        wanted = _ENDONYMS.get(tag.split("-")[0].lower(), tag) if tag else track.kind.capitalize()
        taken = sum(name == wanted or name.startswith(f"{wanted} ") for name in names)
        names.append(f"{wanted} {taken + 1}" if taken else wanted)
    return names


def default_track(tracks: Sequence[Track]) -> Track | None:
    """The one that plays unless somebody chooses: the marked one, else the first."""
    return next((track for track in tracks if track.default), tracks[0] if tracks else None)
