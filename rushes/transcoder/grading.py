"""Which of a source's mastering data are believed. Pure.

Phones fill them with zeros, with the numbers of an example, or with those of another format; a screen that believes such data
makes the picture too dark or too bright, and one that finds none assumes what is usual. So only what a grading display can be
is passed on (SMPTE ST 2086, CTA-861.3).
"""

from __future__ import annotations

from rushes.facts import Mastering, VideoFacts

PRIMARIES = (
    ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3: what is graded on
    ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
)
D65 = (0.3127, 0.3290)
NEAR = 0.01
"""Of coordinates: displays are measured to about that."""
DIMMEST, BRIGHTEST = 300.0, 10_000.0
"""Nits of white. 10,000 is where PQ ends (SMPTE ST 2084)."""
DARKEST = 0.5
"""Nits of black."""


def believed_mastering(video: VideoFacts) -> Mastering | None:
    """Those of a PQ source that name a display there is."""
    said = video.mastering
    if video.hdr != "pq" or said is None:
        return None
    known = any(
        _near(said.red, red) and _near(said.green, green) and _near(said.blue, blue) for red, green, blue in PRIMARIES
    )
    bright = DIMMEST <= said.most <= BRIGHTEST and 0 <= said.least <= DARKEST
    return said if known and bright and _near(said.white, D65) else None


def believed_light(video: VideoFacts) -> tuple[int, int] | None:
    """Brightest pixel and brightest picture of a PQ source, where one can be the other's; 0 says that it is not known."""
    if video.hdr != "pq" or video.light is None:
        return None
    pixel, picture = video.light
    return video.light if 0 < picture <= pixel <= BRIGHTEST and pixel > DIMMEST / 3 else None


def _near(found: tuple[float, float], wanted: tuple[float, float]) -> bool:
    return all(abs(one - other) <= NEAR for one, other in zip(found, wanted, strict=True))
