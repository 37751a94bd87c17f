from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.transcoder.analysis import unfit
from rushes.transcoder.grid import plan_grid


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, None),
        ({"width": 480, "height": 270}, None),
        ({"width": 426, "height": 240}, "too small"),
        ({"width": 1280, "height": 16}, "too small"),
        ({"fps": Fraction(1)}, "stills"),
        ({"duration": 0.4}, "too short"),
    ],
)
def test_what_is_not_tried(make_facts, profile, source, said):
    facts = make_facts(**source)
    why = unfit(facts, plan_grid(facts.video, profile.video), min(facts.video.display_size))
    assert (why is None) if said is None else said in (why or "")


def test_without_a_picture_there_is_nothing_to_try(make_facts, profile):
    grid = plan_grid(make_facts().video, profile.video)
    assert unfit(make_facts().model_copy(update={"video": None}), grid, 720) is not None
