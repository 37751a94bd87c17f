from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.multipart import (
    MIB,
    MOST_PARTS,
    SMALLEST_PART,
    DamagedState,
    Name,
    State,
    Target,
    agreeing,
    mark,
    part_size,
    prefix,
)
from rushes.keys import new_id

ID = new_id(1_750_000_000.0, 1)
TARGET = Target("sources/t/a/1", 100, 30, "an id/with=anything")
STATE = State(TARGET, ("a", "b"), b"\ntail\n")


@given(st.integers(0, 5 * 2**40))
def test_an_upload_fits_into_the_parts_that_s3_takes(length: int) -> None:
    size = part_size(length)
    assert size >= SMALLEST_PART
    assert size % MIB == 0
    assert -(-length // size) <= MOST_PARTS


def test_parts_are_no_larger_than_they_have_to_be() -> None:
    assert part_size(20_000_000_000) == SMALLEST_PART
    assert part_size(MOST_PARTS * SMALLEST_PART) == SMALLEST_PART
    assert part_size(MOST_PARTS * SMALLEST_PART + 1) == SMALLEST_PART + MIB


def test_a_name_is_read_as_it_was_written() -> None:
    name = Name(ID, 1_750_000_000_123, 7, 123456, mark("m"))
    assert Name.parse(str(name)) == name
    assert str(name).startswith(prefix(ID))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "uploads/",
        f"uploads/{ID}",
        f"uploads/{ID}/readme",
        f"uploads/{ID}/1-2-x-m",
        "uploads/no/1-2-3-m",
        f"x/{ID}/1-2-3-m",
    ],
)
def test_other_keys_are_no_names(key: str) -> None:
    assert Name.parse(key) is None


names = st.builds(
    Name, st.just(ID), st.integers(0, 10**15), st.integers(0, 999_999), st.integers(0, 10**12), st.just("m")
)


@given(names, names)
def test_names_sort_as_they_are_listed(one: Name, other: Name) -> None:
    if (one.epoch, one.serial) != (other.epoch, other.serial):
        assert (str(one) < str(other)) == (one < other)


def test_the_next_name_is_above_in_its_epoch_and_in_a_higher_one() -> None:
    name = Name(ID, 5, 3, 10, "m")
    assert name.next(2) == Name(ID, 5, 4, 2, "m")
    assert name.next(2, epoch=6) == Name(ID, 6, 1, 2, "m")
    assert name < name.next(2) < name.next(2, epoch=6)


@pytest.mark.parametrize(
    "state", [STATE, State(TARGET, ()), State(TARGET, ("a",) * 4, b""), State(TARGET, (), bytes(29))]
)
def test_a_state_is_read_as_it_was_written(state: State) -> None:
    assert State.decode(state.encode()) == state


@given(st.integers(0, 200))
def test_a_state_that_was_cut_is_damaged(size: int) -> None:
    data = STATE.encode()
    if size < len(data):
        with pytest.raises(DamagedState):
            State.decode(data[:size])


def test_the_offset_is_what_parts_and_tail_come_to() -> None:
    assert STATE.offset == 66
    assert State(TARGET, ("a",) * 4).offset == 100  # the last part is short


def test_parts_agree_up_to_the_first_that_is_missing_or_another() -> None:
    full = State(TARGET, ("a", '"b"', "c", "d"))
    found = [(1, '"a"', 30), (2, "b", 30), (3, "c", 30), (4, "d", 10)]
    assert agreeing(full, found) == 4
    assert agreeing(full, [*found, (5, "e", 30)]) == 4
    assert agreeing(full, found[1:]) == 0
    assert agreeing(full, [found[0], found[2], found[3]]) == 1
    assert agreeing(full, [*found[:3], (4, "d", 11)]) == 3
    assert agreeing(full, [found[0], (2, "x", 30), *found[2:]]) == 1
