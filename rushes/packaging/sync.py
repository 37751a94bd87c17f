"""How far sound and picture of a build are apart at both ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.tracks import Track

MOST_START = 0.1
"""Seconds; ITU-R BT.1359 puts what viewers notice at 45 ms early and 125 ms late."""
MOST_END = 0.6
"""Seconds. Sound is made as long as the source declares its picture to be, and a picture that ends up to half a second
before that does not make the source partial (see `rushes.transcoder.verify`)."""


def offsets(tracks: Sequence[Track]) -> tuple[float, float] | None:
    """Seconds by which the sound that is furthest off starts and ends after the picture; None without one of the two."""
    picture = next((track for track in tracks if track.kind == "video"), None)
    sounds = [track for track in tracks if track.kind == "audio"]
    if picture is None or not sounds:
        return None
    start, end = _span(picture)
    starts = [_span(sound)[0] - start for sound in sounds]
    ends = [_span(sound)[1] - end for sound in sounds]
    return max(starts, key=abs), max(ends, key=abs)


def _span(track: Track) -> tuple[float, float]:
    start = track.start_ticks / track.timescale
    return start, start + track.duration


def problem(tracks: Sequence[Track], *, partial: bool) -> str | None:
    """Why the build must not be written, if sound and picture do not belong together. A partial source may end unevenly."""
    found = offsets(tracks)
    if found is None:
        return None
    start, end = found
    if abs(start) > MOST_START:
        return f"The sound starts {start:+.3f} s after the picture."
    if abs(end) > MOST_END and not partial:
        return f"The sound ends {end:+.3f} s after the picture."
    return None
