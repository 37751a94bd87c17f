"""How good a picture is as a poster. Pure: arrays in, numbers out.

A picture is a uint8 array of shape (height, width, 3), RGB. All scores are taken on a small copy of it, so that they
can be compared between renditions of different size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

WORKING_SIDE = 512
"""Longer side, in pixels, of the copy that is scored."""
_FLAT_DEVIATION = 0.02
_NEAR = 24 / 255


@dataclass(frozen=True)
class Scores:
    """What was measured of one picture. All but `sharpness` and `colourfulness` are in 0..1."""

    brightness: float
    """Mean luma."""
    contrast: float
    """Standard deviation of luma."""
    sharpness: float
    """Variance of the Laplacian of luma (Pech-Pacheco 2000), on the working size; not bounded."""
    dark: float
    """Share of pixels that are nearly black."""
    bright: float
    """Share of pixels that are nearly white."""
    colourfulness: float
    """Hasler and Suesstrunk 2003, about 0 (grey) to 110 (very colourful)."""

    @property
    def is_black(self) -> bool:
        return self.dark > 0.97 or self.brightness < 0.05

    @property
    def is_white(self) -> bool:
        return self.bright > 0.97

    @property
    def is_flat(self) -> bool:
        """One even colour, whichever."""
        return self.contrast < _FLAT_DEVIATION

    @property
    def is_usable(self) -> bool:
        return not (self.is_black or self.is_white or self.is_flat)


def score(picture: Picture) -> Scores:
    """Measure one picture of at least 1x1 pixels."""
    small = _shrink(picture)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    calm = cv2.GaussianBlur(luma, (3, 3), 0.8)  # the noise of a dark shot is not sharpness
    return Scores(
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=float(cv2.Laplacian(calm, cv2.CV_32F).var()) * 1000,
        dark=float((luma < _NEAR).mean()),
        bright=float((luma > 1 - _NEAR).mean()),
        colourfulness=_colourfulness(small),
    )


def choose(candidates: Sequence[Scores]) -> int:
    """Index of the best poster. Black, white and flat pictures win only when there is nothing else.

    Raises ValueError when there are no candidates.
    """
    if not candidates:
        raise ValueError("There is no picture to choose from.")
    marks = rank(candidates)
    return max(range(len(candidates)), key=lambda index: (candidates[index].is_usable, marks[index], -index))


def rank(candidates: Sequence[Scores]) -> list[float]:
    """A mark in 0..1 for each, in the same order; comparable only among pictures of one clip."""
    good = [one for one in candidates if one.is_usable]
    sharpest = max((one.sharpness for one in good or candidates), default=0.0)
    return [_mark(one, sharpest) for one in candidates]


def _mark(one: Scores, sharpest: float) -> float:
    # How sharp a good picture is depends on what it shows, so a picture is compared with its own clip. The root keeps a
    # finely textured shot (grass, text) from beating every face; blur costs factors of ten and still loses.
    sharp = min(1.0, one.sharpness / sharpest) ** 0.3 if sharpest > 0 else 0.0
    exposed = 1 - min(1.0, abs(one.brightness - 0.47) / 0.47) ** 2
    lively = min(1.0, one.contrast / 0.22)
    colourful = min(1.0, one.colourfulness / 50)
    return sharp * (0.3 + 0.4 * exposed + 0.2 * lively + 0.1 * colourful)


def _shrink(picture: Picture) -> Picture:
    """At most WORKING_SIDE on the longer side; a smaller picture stays as it is."""
    height, width = picture.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _colourfulness(picture: Picture) -> float:
    red, green, blue = (picture[..., channel].astype(np.float32) for channel in range(3))
    one, two = red - green, (red + green) / 2 - blue
    return float(np.hypot(one.std(), two.std()) + 0.3 * np.hypot(one.mean(), two.mean()))
