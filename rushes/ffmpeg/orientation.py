"""How a picture has to be turned, from the display matrix (ISO/IEC 14496-12 section 8.3.2). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

_TOLERANCE = math.cos(math.radians(30))
"""A matrix further than this from every right angle says nothing that a rectangle can follow: it is ignored."""


def orientation(matrix: Sequence[int]) -> tuple[int, bool]:
    """Degrees clockwise (0, 90, 180, 270), and whether to mirror left to right after that.

    The matrix is given row by row, nine numbers; a point goes from (x, y) to (a x + c y, b x + d y), y downwards.
    """
    if len(matrix) < 5:
        return 0, False
    a, b, c, d = (float(matrix[index]) for index in (0, 1, 3, 4))
    norm = math.sqrt((a * a + b * b + c * c + d * d) * 2)
    if norm == 0:
        return 0, False
    scored = [
        ((a * (-cos if flip else cos) + b * sin + c * (sin if flip else -sin) + d * cos) / norm, -turn, flip)
        for turn, cos, sin in ((0, 1, 0), (90, 0, 1), (180, -1, 0), (270, 0, -1))
        for flip in (False, True)
    ]
    score, turn, flip = max(scored, key=lambda entry: entry[0])
    return (-turn, flip) if score > _TOLERANCE else (0, False)
