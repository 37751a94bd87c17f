"""Woven and progressive pictures, drawn here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rushes.ffmpeg.combing import Combing, is_candidate, look, verdict

RNG = np.random.default_rng(7)
WORLD = RNG.normal(128, 30, (96, 400)).astype(np.float64)
WORLD = (
    sum(np.roll(np.roll(WORLD, dy, 0), dx, 1) for dy in range(5) for dx in range(5)) / 25
)  # no detail finer than lenses give


def moment(time: float, speed: float = 6.0, noise: float = 0.5) -> Any:
    """A picture of a world that passes by sideways, `speed` pixels per frame."""
    left = 20 + round(time * speed)
    return (WORLD[:, left : left + 200] + RNG.normal(0, noise, (96, 200))).round().astype(np.int32)


def woven(time: float, order: str, **world: float) -> Any:
    upper, lower = (0.0, 0.5) if order == "tff" else (0.5, 0.0)
    picture = moment(time + upper, **world)
    picture[1::2] = moment(time + lower, **world)[1::2]
    return picture


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_woven_pictures_and_their_order(order):
    looks = [look(*(woven(time + n, order) for n in range(3))) for time in range(6)]
    assert looks == [order] * 6
    assert verdict(looks, flagged=False) == Combing(True, order)


def test_progressive_pictures_in_motion():
    looks = [look(*(moment(time + n) for n in range(3))) for time in range(6)]
    assert looks == ["progressive"] * 6
    assert verdict(looks, flagged=True) == Combing(False)


@pytest.mark.parametrize("make", [moment, lambda time, **world: woven(time, "tff", **world)])
def test_where_nothing_moves_nothing_is_said(make):
    looks = [look(*(make(time + n, speed=0.0) for n in range(3))) for time in range(6)]
    assert verdict(looks, flagged=True) == Combing(None)
    black = np.zeros((96, 200), np.int32)
    assert look(black, black, black) is None


def test_pictures_of_other_sizes_are_not_compared():
    assert look(moment(0), moment(1)[:48], moment(2)) is None
    assert look(*(np.ones((2, 9), np.int32),) * 3) is None


def test_a_film_for_television_has_two_woven_pictures_in_five():
    looks = ["tff", "tff", "progressive", "progressive", "progressive"] * 2
    assert verdict(looks, flagged=True) == Combing(True, "tff")
    assert verdict(looks, flagged=False) == Combing(False)


def test_what_claims_to_be_progressive_has_to_agree_on_an_order():
    looks = ["tff", "bff", "tff", "bff", "tff", "bff"]
    assert verdict(looks, flagged=False) == Combing(None)
    assert verdict(looks, flagged=True) == Combing(True, None)


def test_too_few_pictures_are_no_verdict():
    assert verdict(["tff", "tff", None, None], flagged=True) == Combing(None)
    assert verdict([], flagged=False) == Combing(None)


@pytest.mark.parametrize(
    ("size", "rate", "turned", "phone", "expected"),
    [
        ((720, 576), 25.0, False, False, True),
        ((1920, 1088), 29.97, False, False, True),
        ((1920, 1080), None, False, False, True),
        ((1920, 1080), 59.94, False, False, False),
        ((1280, 720), 25.0, False, False, False),
        ((1080, 1920), 30.0, False, False, False),
        ((1920, 1080), 30.0, True, False, False),
        ((1920, 1080), 30.0, False, True, False),
    ],
)
def test_which_claims_are_doubted(size, rate, turned, phone, expected):
    assert is_candidate(size, rate, turned=turned, phone=phone) is expected
