from __future__ import annotations

import numpy as np
import pytest

from rushes.transcoder.complexity import blockiness, features, grain, measure

HEIGHT, WIDTH = 90, 160
RANDOM = np.random.default_rng(7)


def ramp() -> np.ndarray:
    return np.tile(np.linspace(0, 200, WIDTH, dtype=np.uint8), (HEIGHT, 1))


def test_a_still_has_detail_but_no_motion():
    found = measure(np.stack([ramp()] * 4))
    assert found.temporal.tolist() == [0, 0, 0, 0]
    assert (found.spatial > 1).all()
    assert found.cuts == ()


def test_a_cut_is_seen_and_a_pan_is_not():
    first = [np.roll(ramp(), shift, axis=1) for shift in range(0, 8, 2)]
    second = [255 - picture for picture in first]
    assert measure(np.stack([*first, *second])).cuts == (4,)
    assert measure(np.stack(first)).cuts == ()


def test_noise_is_busier_than_a_still():
    still = measure(np.stack([ramp()] * 8))
    noise = measure(RANDOM.integers(0, 255, (8, HEIGHT, WIDTH), dtype=np.uint8))
    assert noise.activity(0, 8) > still.activity(0, 8) + 3


@pytest.mark.parametrize("deviation", [0.0, 2.0, 6.0])
def test_grain_is_its_deviation(deviation):
    flat = (
        np.full((256, 256), 128.0) + RANDOM.normal(0, deviation, (256, 256))
        if deviation
        else np.full((256, 256), 128.0)
    )
    assert grain(np.clip(np.round(flat), 0, 255).astype(np.uint8)) == pytest.approx(deviation, rel=0.25, abs=0.1)


def test_blocks_are_found_on_their_grid():
    smooth = RANDOM.normal(128, 2, (64, 128))
    blocks = smooth + np.repeat(RANDOM.normal(0, 20, (8, 16)), 8, axis=0).repeat(8, axis=1)
    assert blockiness(np.clip(smooth, 0, 255).astype(np.uint8)) == pytest.approx(1, abs=0.2)
    assert blockiness(np.clip(blocks, 0, 255).astype(np.uint8)) > 3
    assert blockiness(np.zeros((8, 8), np.uint8)) == 1.0


def test_features_are_numbers_even_of_one_picture():
    found = features([measure(ramp()[None])], np.zeros((0, 256, 256), np.uint8))
    assert found["temporal"] == 0.0 and found["spatial"] > 0
