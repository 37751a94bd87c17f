from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rushes.moderation.spans import Sighting, merge
from rushes.moderation.taxonomy import Name

A, B = Name("A", ("P",)), Name("B", ())


def spans(times: list[float], *, interval: float = 1.0, duration: float = 100.0) -> list[tuple[float, float]]:
    labels = merge([Sighting(A, time, 0.5) for time in times], interval=interval, duration=duration,
                   detector="d", version="1")  # fmt: skip
    return [(label.start, label.end) for label in labels]


def test_neighbouring_frames_become_one_span():
    assert spans([3, 4, 5]) == [(3, 6)]


def test_one_missed_frame_does_not_split_a_span_but_two_do():
    assert spans([3, 5]) == [(3, 6)]
    assert spans([3, 6]) == [(3, 4), (6, 7)]


def test_the_sampling_interval_is_the_measure():
    assert spans([0, 10, 40], interval=10) == [(0, 20), (40, 50)]


def test_a_span_does_not_outlive_the_video():
    assert spans([9.5], duration=10) == [(9.5, 10)]
    assert spans([10.5], duration=10) == [(10.5, 10.5)]


def test_nothing_seen():
    assert spans([]) == []


def test_names_are_apart_and_the_best_score_stands():
    seen = [Sighting(A, 1, 0.3), Sighting(B, 2, 0.9), Sighting(A, 2, 0.7), Sighting(A, 3, 0.6)]
    labels = merge(seen, interval=1, duration=9, detector="nudenet", version="3.4")
    assert [(label.name, label.parents, label.score, label.start, label.end) for label in labels] == [
        ("A", ("P",), 0.7, 1, 4),
        ("B", (), 0.9, 2, 3),
    ]
    assert {(label.detector, label.version) for label in labels} == {("nudenet", "3.4")}


TIMES = st.lists(st.integers(0, 60).map(float), max_size=30)


@given(TIMES)
def test_every_sighting_lies_in_exactly_one_span(times: list[float]):
    found = spans(times)
    for time in times:
        assert sum(start <= time < end for start, end in found) == 1


@given(TIMES)
def test_order_of_frames_does_not_matter_and_spans_are_sorted_and_apart(times: list[float]):
    found = spans(times)
    assert found == spans(times[::-1]) == sorted(found)
    assert all(one[1] < two[0] for one, two in pairwise(found))
