from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.multipart import (
    MIB,
    MOST_PARTS,
    USUAL_PART,
    DamagedState,
    Name,
    Receipt,
    Slice,
    State,
    Target,
    agreeing,
    first_name,
    grown,
    joint_etag,
    mark,
    part_size,
    prefix,
    slices,
)
from rushes.keys import new_id

ID = new_id(1_750_000_000.0, 1)
TARGET = Target("sources/t/a/1", 100, 30, "an id/with=anything")
A, B, C, D = (Receipt(etag, f"crc of {etag}") for etag in "abcd")
STATE = State(TARGET, (A, B), b"\ntail\n")
PARTLESS = replace(TARGET, length=None, multipart="")


@given(st.integers(0, 5 * 2**40))
def test_an_upload_fits_into_the_parts_that_s3_takes(length: int) -> None:
    size = part_size(length)
    assert size >= USUAL_PART
    assert size % MIB == 0
    assert -(-length // size) <= MOST_PARTS


def test_parts_are_no_larger_than_they_have_to_be() -> None:
    assert part_size(20_000_000_000) == USUAL_PART
    assert part_size(MOST_PARTS * USUAL_PART) == USUAL_PART
    assert part_size(MOST_PARTS * USUAL_PART + 1) == USUAL_PART + MIB


def test_a_name_is_read_as_it_was_written() -> None:
    for grows in (False, True):
        name = Name(ID, 1_750_000_000_123, 7, 123456, mark("m"), grows)
        assert Name.parse(str(name)) == name
        assert str(name).startswith(prefix(ID))


def test_parts_that_follow_without_a_gap_are_what_a_state_has_grown_by() -> None:
    state = replace(STATE, grows=True)
    assert State.decode(state.encode()) == state
    assert grown(state, {}) == state
    assert grown(state, {1: (30, A), 2: (30, B), 4: (10, D)}) == state
    assert grown(state, {3: (29, C)}) == state
    three = grown(state, {3: (30, C)})
    assert (three.offset, three.receipts, three.tail) == (90, (A, B, C), b"")
    assert grown(state, {3: (30, C), 4: (10, D), 5: (30, A)}).is_whole
    endless = replace(state, target=replace(TARGET, length=None))
    assert grown(endless, {3: (30, C), 4: (10, D)}).offset == 90


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
    assert name.next(STATE) == Name(ID, 5, 4, 66, mark(TARGET.multipart))
    assert name.next(STATE, epoch=6) == Name(ID, 6, 1, 66, mark(TARGET.multipart))
    assert name < name.next(STATE) < name.next(STATE, epoch=6)


def test_the_state_of_a_creation_is_below_all_others() -> None:
    assert first_name(ID) < first_name(ID).next(State(PARTLESS, ()), epoch=1)
    assert first_name(ID) < first_name(ID).next(State(PARTLESS, ()))


@pytest.mark.parametrize(
    "state",
    [
        STATE,
        State(TARGET, ()),
        State(TARGET, (A,) * 4, b"", owns=True),
        State(TARGET, (), bytes(29)),
        State(PARTLESS, (), b"abc"),
    ],
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
    assert State(TARGET, (A,) * 4).offset == 100  # the last part is short
    assert State(replace(TARGET, length=None), (A,) * 4, b"x").offset == 121


def test_an_upload_is_whole_with_its_last_byte_and_never_without_a_length() -> None:
    assert State(TARGET, (A,) * 4).is_whole
    assert not STATE.is_whole
    assert State(replace(TARGET, length=0, multipart=""), ()).is_whole
    assert not State(PARTLESS, ()).is_whole


def test_a_state_of_an_earlier_version_is_read() -> None:
    old = b'{"key":"k","length":50,"part_size":30,"multipart":"m","etags":["a"],"tail":2}\nxy'
    assert State.decode(old) == State(Target("k", 50, 30, "m"), (Receipt("a"),), b"xy")


def test_parts_agree_up_to_the_first_that_is_missing_or_another() -> None:
    full = State(TARGET, (A, Receipt('"b"'), C, D))
    found = [(1, '"a"', 30), (2, "b", 30), (3, "c", 30), (4, "d", 10)]
    assert agreeing(full, found) == 4
    assert agreeing(full, [*found, (5, "e", 30)]) == 4
    assert agreeing(full, found[1:]) == 0
    assert agreeing(full, [found[0], found[2], found[3]]) == 1
    assert agreeing(full, [*found[:3], (4, "d", 11)]) == 3
    assert agreeing(full, [found[0], (2, "x", 30), *found[2:]]) == 1


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(1, 40))
def test_sources_are_cut_into_equal_parts_and_no_byte_is_left_out(lengths: list[int], size: int) -> None:
    parts = list(slices(lengths, size))
    sizes = [sum(piece.stop - piece.start for piece in part) for part in parts]
    assert all(each == size for each in sizes[:-1])
    assert all(0 < each <= size for each in sizes)
    spread = [(piece.source, at) for part in parts for piece in part for at in range(piece.start, piece.stop)]
    assert spread == [(source, at) for source, length in enumerate(lengths) for at in range(length)]


def test_a_part_over_a_seam_has_a_slice_of_each_source() -> None:
    assert list(slices([5, 0, 4], 6)) == [[Slice(0, 0, 5), Slice(2, 0, 1)], [Slice(2, 1, 4)]]


def test_the_etag_of_an_object_follows_from_those_of_its_parts() -> None:
    # Given what Swift said of an object of two parts, "a" and "b"
    parts = ['"0cc175b9c0f1b6a831c399e269772661"', "92eb5ffee6ae2fec3ad71c777531578f"]
    assert joint_etag(parts) == "96e024ba2074fe77e8e965ba43a704be-2"
    assert joint_etag(["no MD5 at all"]) == ""
