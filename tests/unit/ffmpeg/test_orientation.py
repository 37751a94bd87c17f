"""Turning and mirroring, from display matrices as cameras write them."""

from __future__ import annotations

import math

import pytest

from rushes.ffmpeg.orientation import orientation

ONE = 1 << 16


def matrix(a: float, b: float, c: float, d: float) -> list[int]:
    return [round(a * ONE), round(b * ONE), 0, round(c * ONE), round(d * ONE), 0, 0, 0, 1 << 30]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (matrix(1, 0, 0, 1), (0, False)),
        (matrix(0, 1, -1, 0), (90, False)),  # a phone held upright
        (matrix(-1, 0, 0, -1), (180, False)),
        (matrix(0, -1, 1, 0), (270, False)),
        (matrix(-1, 0, 0, 1), (0, True)),  # a front camera
        (matrix(1, 0, 0, -1), (180, True)),  # upside down in a mirror: a vertical flip
        (matrix(0, 1, 1, 0), (90, True)),
        (matrix(2, 0, 0, 2), (0, False)),  # scaling turns nothing
        ([], (0, False)),
        ([0] * 9, (0, False)),
    ],
)
def test_right_angles(given: list[int], expected: tuple[int, bool]) -> None:
    assert orientation(given) == expected


@pytest.mark.parametrize(("degrees", "expected"), [(3, 0), (87, 90), (-92, 270), (45, 0), (-45, 0), (140, 0)])
def test_odd_angles_are_rounded_where_it_is_plain_and_ignored_where_not(degrees: float, expected: int) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    assert orientation(matrix(cos, sin, -sin, cos)) == (expected, False)
