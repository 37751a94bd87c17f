from __future__ import annotations

import pytest

from rushes.engine.anew import from_here, is_apart
from rushes.engine.classes import MOST, Class, chosen_of, class_of, moved, shift_of
from rushes.engine.specs import ENRICH, FAST, NORMAL

STEPS = {
    "1": ("probe", "probe"), "2": ("encode.0", "encode"), "3": ("encode.1", "encode"), "4": ("package.first", "package"),
    "5": ("package.ready", "package"), "6": ("publish.ready", "publish"), "7": ("publish.review.9", "publish"),
    "8": ("probe~2", "probe"), "9": ("cleanup.losers.3", "cleanup"), "10": ("poster", "poster"),
}  # fmt: skip
LINKS = [("4", "2"), ("5", "2"), ("5", "3"), ("6", "5"), ("7", "5"), ("8", "6"), ("9", "6"), ("10", "5"), ("2", "1")]


def keys(start: str) -> set[str]:
    return {STEPS[step][0] for step in from_here(STEPS, LINKS, start)}


def test_what_rests_on_it_is_done_again_and_nothing_else() -> None:
    assert keys("2") == {"encode.0", "package.ready", "publish.ready", "poster"}
    assert keys("10") == {"poster"}


def test_in_an_order_of_which_the_first_is_it() -> None:
    assert from_here(STEPS, LINKS, "5")[0] == "5"


@pytest.mark.parametrize("key", ["package.first", "publish.first", "publish.retry.4", "verdict.review.2", "first.0"])
def test_what_was_of_its_time_is_not(key: str) -> None:
    assert is_apart(key, "package")
    assert is_apart("cleanup.losers.3", "cleanup")


def test_a_class_moves_all_steps_of_an_asset_and_keeps_their_order() -> None:
    for chosen in Class:
        shift = shift_of(chosen)
        found = [moved(priority, 0, shift) for priority in (FAST, NORMAL, ENRICH)]
        assert found == sorted(found, reverse=True)
        assert [moved(priority, shift, 0) for priority in found] == [FAST, NORMAL, ENRICH] or chosen is Class.FAST
        assert chosen_of(shift) is chosen
    assert {class_of(moved(one, 0, shift_of(Class.BULK))) for one in (FAST, NORMAL, ENRICH)} == {Class.BULK}
    assert class_of(moved(NORMAL, 0, shift_of(Class.FAST))) is Class.FAST
    assert class_of(moved(FAST, 0, shift_of(Class.ENRICH))) is Class.ENRICH


def test_no_asset_goes_before_a_takedown() -> None:
    assert moved(FAST, 0, 100) == MOST < 30
