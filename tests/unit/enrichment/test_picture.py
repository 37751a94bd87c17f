"""What makes a poster: neither black nor blurred, and the best of the bad when all are bad."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rushes.enrichment.picture import Scores, choose, score


def scene(height: int = 360, width: int = 640, seed: int = 1) -> np.ndarray:
    """Coloured rectangles and fine texture, like a lit room."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 110, np.uint8)
    for _ in range(60):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        colour = [int(value) for value in random.integers(20, 235, 3)]
        cv2.rectangle(picture, (x, y), (x + width // 8, y + height // 6), colour, -1)
    return picture


def even(level: int) -> np.ndarray:
    return np.full((360, 640, 3), level, np.uint8)


def blurred(picture: np.ndarray, sigma: float = 6) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def faded(picture: np.ndarray, share: float) -> np.ndarray:
    return (picture * share).astype(np.uint8)


def best(*pictures: np.ndarray) -> int:
    return choose([score(picture) for picture in pictures])


def test_black_white_and_flat_are_told_apart() -> None:
    assert score(even(0)).is_black
    assert score(even(255)).is_white
    assert score(even(128)).is_flat
    assert not score(even(128)).is_black
    assert score(scene()).is_usable


def test_black_with_grain_is_still_black() -> None:
    noise = np.random.default_rng(2).integers(0, 14, (360, 640, 3)).astype(np.uint8)
    assert score(noise).is_black


@pytest.mark.parametrize("other", [even(0), even(255), even(90), blurred(scene()), faded(scene(), 0.12)])
def test_a_good_picture_wins_wherever_it_stands(other: np.ndarray) -> None:
    assert best(other, scene(), other) == 1


@pytest.mark.parametrize("sigma", [2, 4, 10])
def test_the_sharper_of_two_wins(sigma: float) -> None:
    assert best(blurred(scene(), sigma), scene()) == 1


def test_a_blurred_picture_is_better_than_none() -> None:
    assert best(even(0), blurred(scene()), even(255)) == 1


def test_a_black_clip_still_has_a_poster() -> None:
    assert best(even(0), even(0), even(0)) == 0


def test_of_pictures_that_are_all_bad_the_least_bad_wins() -> None:
    dot = even(0)
    cv2.circle(dot, (300, 150), 20, (220, 30, 30), -1)
    assert score(dot).is_black
    assert best(even(0), dot, even(0)) == 1


def test_of_equals_the_first_wins() -> None:
    assert best(scene(), scene()) == 0


def test_colour_decides_between_pictures_that_are_else_alike() -> None:
    grey = cv2.cvtColor(cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert best(grey, scene()) == 1


def test_the_noise_of_a_dark_shot_does_not_win() -> None:
    noise = np.random.default_rng(3).normal(0, 9, (360, 640, 3))
    dark = np.clip(faded(scene(), 0.2) + noise, 0, 255).astype(np.uint8)
    assert best(dark, scene()) == 1


def test_scores_do_not_depend_on_the_size_of_the_rendition() -> None:
    large = scene(1080, 1920)
    small = cv2.resize(large, (1280, 720), interpolation=cv2.INTER_AREA)
    one, two = score(large), score(small)
    assert one.brightness == pytest.approx(two.brightness, abs=0.01)
    assert one.sharpness == pytest.approx(two.sharpness, rel=0.25)


def test_a_tiny_picture_is_scored() -> None:
    assert isinstance(score(np.zeros((1, 1, 3), np.uint8)), Scores)


def test_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="no picture"):
        choose([])
