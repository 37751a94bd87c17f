"""ThumbHashes, beside those of the algorithm's author: the npm package `thumbhash` 0.1.1 gave the expected ones."""

from __future__ import annotations

from base64 import b64decode

import numpy as np
import pytest

from rushes.enrichment.picture import Picture
from rushes.enrichment.thumbhash import SIDE, encode, thumbhash


def noise(width: int, height: int) -> Picture:
    """A picture by a formula, so that any language can make it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = ((x * 73 + y * 151) % 256, (x * 199 + y * 31 + x * y) % 256, (x * y * 7 + 13) % 256)
    return np.stack(planes, axis=-1).astype(np.uint8)


def gradient(width: int, height: int) -> Picture:
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = (x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 128))
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (noise(100, 42), "H/gBC4BEBBRwVxZVmY5PSQg="),
        (noise(100, 20), "H/gBEYBVM0Rwhgd2iI89Dio="),
        (noise(20, 100), "H/gBEQAQdnd2g2V134mpeQk="),
        (np.full((1, 1, 3), (200, 100, 50), np.uint8), "Hcs6zzII9wiIh4hwj3CI+AiIgIAICIgA"),
        (np.zeros((50, 90, 3), np.uint8), "AAgCBIAAAAAAAAAAAAAAAAAAAA=="),
    ],
)
def test_the_same_bytes_as_the_authors(picture: Picture, expected: str) -> None:
    assert encode(picture) == b64decode(expected)


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 56), "3/cJNJqAh4eAh4d4iIeAcAj4dw=="), ((56, 100), "3wcKNBqAB4iHiIeIeIiAgAj4dw==")]
)
def test_a_gradient_differs_in_the_last_bit_of_waves_that_are_zero(size: tuple[int, int], expected: str) -> None:
    # Most waves of a gradient are zero, halfway between 7 and 8: rounding errors decide, in every implementation its own way
    ours, theirs = encode(gradient(*size)), b64decode(expected)
    assert ours[:5] == theirs[:5]
    assert max(abs(one - other) for one, other in zip(nibbles(ours), nibbles(theirs), strict=True)) <= 1


def nibbles(data: bytes) -> list[int]:
    return [part for byte in data[5:] for part in (byte & 15, byte >> 4)]


def test_a_poster_of_any_size_has_one_of_about_20_bytes() -> None:
    large = np.kron(noise(64, 36), np.ones((20, 20, 1), np.uint8))
    assert large.shape[0] > SIDE
    assert 15 <= len(b64decode(thumbhash(large))) <= 26


def test_other_pictures_have_other_hashes() -> None:
    picture = noise(100, 42)
    assert len({thumbhash(one) for one in (picture, picture[::-1], picture[:, ::-1], 255 - picture)}) == 4
