from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rushes.keys import is_id, new_id, output_prefix, recipe_key


@given(st.floats(0, 4e9), st.integers(0, 2**80 - 1))
def test_ids_are_ids(now: float, randomness: int) -> None:
    assert is_id(new_id(now, randomness))


@given(st.integers(0, 2**40), st.integers(1, 2**40))
def test_ids_sort_by_time(first: int, more: int) -> None:
    assert new_id(first / 1000) < new_id((first + more + 1) / 1000)


def test_two_ids_of_one_moment_differ() -> None:
    assert len({new_id(1.0) for _ in range(1000)}) == 1000


def test_what_is_not_an_id() -> None:
    assert not any(
        is_id(text) for text in ("", "../etc", "0" * 25, "0" * 27, "U" * 26, "0" * 25 + "\n", "0" * 26 + "\n")
    )


def test_a_recipe_does_not_depend_on_order() -> None:
    assert recipe_key({"a": 1, "b": {"c": 2, "d": 3}}) == recipe_key({"b": {"d": 3, "c": 2}, "a": 1})


def test_attempts_never_share_a_place() -> None:
    assert output_prefix("a", "r", 1) != output_prefix("a", "r", 2)
