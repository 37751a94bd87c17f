from __future__ import annotations

import pytest

from rushes.engine.shortfall import contiguous, missing_of, missing_seconds, refuse_partial
from rushes.errors import Blame, StepFailure
from rushes.model import TracksResult


@pytest.mark.parametrize(
    ("declared", "decoded", "missing"),
    [
        (4.0, 3.97, 0.0),
        (4.0, 3.537, 0.0),  # 0.463 s
        (4.0, 3.4, 0.6),
        (100.0, 98.0, 0.0),  # 2 %
        (100.0, 96.0, 4.0),
        (1.0, 3.0, 0.0),
    ],
)
def test_missing_is_what_rounding_does_not_explain(declared, decoded, missing):
    assert missing_seconds(declared, decoded) == pytest.approx(missing)


def test_partial_sources_are_refused_only_where_the_policy_says_so():
    refuse_partial(2.0, "publish")
    refuse_partial(2.0, "hold")
    refuse_partial(0.0, "refuse")
    with pytest.raises(StepFailure) as failure:
        refuse_partial(2.0, "refuse")
    assert (failure.value.code, failure.value.blame) == ("truncated", Blame.PERMANENT)


def test_less_is_tolerated_once_the_decoder_has_complained():
    assert missing_seconds(4.0, 3.54) == 0.0
    assert missing_seconds(4.0, 3.54, errors=6) == 0.46
    assert missing_seconds(4.0, 3.95, errors=6) == 0.0


def chunk(expected: float | None, given: float, errors: int = 0, missing: float = 0.0) -> TracksResult:
    return TracksResult(
        tracks=(), expected_seconds=expected, decoded_seconds=given, decode_errors=errors, missing_seconds=missing
    )


def test_what_is_missing_is_told_by_all_chunks_together():
    # Given chunks whose ends are each within what rounding explains, as the end of a video might be
    assert missing_of([chunk(20, 20), chunk(20, 20), chunk(20, 19.6)]) == 0
    # And one that is not
    assert missing_of([chunk(20, 20), chunk(20, 20), chunk(20, 15)]) == 5
    assert missing_of([chunk(20, 20), chunk(20, 19.8, errors=1)]) == 0.2


def test_a_source_that_is_longer_than_declared_misses_nothing():
    assert missing_of([chunk(20, 20), chunk(20, 25)]) == 0


def test_what_lies_behind_a_hole_is_left_out_and_missing():
    whole, cut, behind = chunk(20, 20), chunk(20, 12), chunk(20, 20)
    assert contiguous([whole, cut, behind]) == [whole, cut]
    assert missing_of([whole, cut, behind]) == 28
    assert contiguous([whole, behind]) == [whole, behind]
    assert contiguous([]) == []


def test_chunks_behind_the_real_end_give_nothing():
    chunks = [chunk(20, 20), chunk(20, 5), chunk(20, 0), chunk(5, 0)]
    assert contiguous(chunks) == chunks[:2]
    assert missing_of(chunks) == 40


def test_what_was_lost_within_chunks_is_added_up():
    chunks = [chunk(20, 20, errors=9, missing=0.3), chunk(20, 20), chunk(20, 20, errors=2, missing=0.2)]
    assert missing_of(chunks) == 0.5
    assert contiguous(chunks) == chunks


def test_a_source_in_one_piece_has_said_it_itself():
    assert missing_of([chunk(None, 20, missing=3.0)]) == 3.0
    assert missing_of([]) == 0
