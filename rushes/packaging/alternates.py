"""Alternate tracks of an HLS playlist: sound and captions in groups (RFC 8216bis section 4.4.6.1, EXT-X-MEDIA). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.packaging.labels import default_track, family, language, menu_names
from rushes.packaging.playlist import playlist_name
from rushes.packaging.tags import quoted, tag
from rushes.tracks import Track

SUBTITLES = "subtitles"


def audio_groups(audio: Sequence[Track]) -> dict[str, list[Track]]:
    """Sound by codec and channels: a variant names one group, and with it says exactly what it needs. Where channels differ
    between languages (a mono commentary beside stereo), a group of its own would lack the others, so the codec alone
    decides. The first group is called `audio`."""
    groups: dict[str, list[Track]] = {}
    for track in audio:
        groups.setdefault(_group_name(track, audio), []).append(track)
    return groups


def _group_name(track: Track, audio: Sequence[Track]) -> str:
    same = [other for other in audio if family(other) == family(track)]
    codec = "" if family(track) == family(audio[0]) else f"-{family(track).lower()}"
    apart = _has_all_languages(same) and track.channels != same[0].channels
    return f"audio{codec}" + (f"-{track.channels or 0}ch" if apart else "")


def _has_all_languages(audio: Sequence[Track]) -> bool:
    """Whether each number of channels comes in each language, as often: groups have the same members (section 4.4.6.1.1)."""
    spoken: dict[int | None, list[str]] = {}
    for track in audio:
        spoken.setdefault(track.channels, []).append(language(track) or "")
    return len({tuple(sorted(languages)) for languages in spoken.values()}) == 1


def alternates(kind: str, group: str, tracks: Sequence[Track]) -> list[str]:
    """The tags of a group. What differs from another member in nothing that a player chooses by is not chosen by itself:
    its AUTOSELECT is NO (section 4.4.6.1.1)."""
    chosen = default_track(tracks) if kind == "AUDIO" else None
    told = {_told(chosen)} if chosen else set()
    lines = []
    for track, name in zip(tracks, menu_names(tracks), strict=True):
        auto = track is chosen or _told(track) not in told
        told.add(_told(track))
        shape = [("DEFAULT", _yes(track is chosen)), ("AUTOSELECT", _yes(auto))]
        lines.append(_media((kind, group, name), track, shape))
    return lines


def _told(track: Track) -> tuple[str | None, tuple[str, ...]]:
    """What a player chooses by, beside the channels."""
    return language(track), track.characteristics


def _media(named: tuple[str, str, str], track: Track, shape: list[tuple[str, str]]) -> str:
    kind, group, name = named
    tongue = language(track)
    return tag(
        "MEDIA",
        [
            ("TYPE", kind),
            ("GROUP-ID", quoted(group)),
            ("NAME", quoted(name)),
            ("LANGUAGE", quoted(tongue) if tongue else None),
            *shape,
            ("FORCED", "NO" if kind == "SUBTITLES" else None),
            ("CHARACTERISTICS", quoted(",".join(track.characteristics)) if track.characteristics else None),
            ("CHANNELS", quoted(str(track.channels)) if track.channels else None),
            ("URI", quoted(playlist_name(track))),
        ],
    )


def _yes(value: bool) -> str:
    return "YES" if value else "NO"
