"""Edit lists (ISO/IEC 14496-12 section 8.6.6), read for the simple forms that recorders and encoders write."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from struct import pack

from rushes.isobmff.boxes import Box, Data, box, full_box
from rushes.isobmff.fields import Fields


@dataclass(frozen=True)
class Edits:
    """`delay` seconds of nothing, then the media from `media_time` ticks on; `count` edits that show something."""

    media_time: int = 0
    delay: Fraction = Fraction(0)
    count: int = 0
    shown: Fraction | None = None
    """Seconds that a single edit shows; None where it says to go on to the end, or there is not exactly one."""


def read_edits(data: Data, elst: Box | None, movie_timescale: int) -> Edits:
    """Empty edits at the start become the delay; of several others, only the first one's media time is kept."""
    if elst is None:
        return Edits()
    fields = Fields.of(data, elst)
    version, _ = fields.version_flags()
    rows = _rows(fields, version)
    delay, shown = Fraction(0), [media for _, media in rows if media >= 0]
    for duration, media in rows:
        if media >= 0:
            break
        delay += Fraction(duration, movie_timescale)
    lasts = [Fraction(duration, movie_timescale) for duration, media in rows if media >= 0]
    only = lasts[0] if len(lasts) == 1 and lasts[0] else None
    return Edits(shown[0] if shown else 0, delay, len(shown), only)


def _rows(fields: Fields, version: int) -> list[tuple[int, int]]:
    """(duration in movie ticks, media time or -1) of each edit."""
    count = fields.one("I")
    code = "QqI" if version else "IiI"
    rows = []
    for _ in range(min(count, fields.left)):
        duration, media, _rate = fields.unpack(code)
        rows.append((duration, media))
    return rows


def edit_list(media_time: int) -> bytes:
    """`edts` that starts the presentation at `media_time` and goes on to the end (duration 0, as fragments need)."""
    return box("edts", full_box("elst", 1, 0, pack(">IQqI", 1, 0, media_time, 0x10000)))
