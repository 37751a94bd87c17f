from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.api.ranges import Span, Unsatisfiable, parse_range, parse_ranges


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-99", Span(0, 100)),
        ("bytes=10-19", Span(10, 20)),
        ("bytes=90-", Span(90, 100)),
        ("bytes=90-1000000", Span(90, 100)),
        ("bytes=-10", Span(90, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("Bytes=5-6", Span(5, 7)),
    ],
)
def test_single_ranges(header: str, span: Span) -> None:
    assert parse_range(header, 100) == span


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "items=0-5", "bytes=٣-٤", "bytes 0-5", "bytes=0-1,", "bytes=,",
        "bytes=0-1,9-5", "bytes=0-1;5-6", "bytes=0-99,0-99", "bytes=0-60,10-90", "bytes=" + ",".join(["0-0"] * 17),
        "bytes=0-1" + " " * 1024, "bytes=" + "9" * 19 + "-",
    ],
)  # fmt: skip
def test_what_is_no_range_or_too_many_is_answered_with_the_whole(header: str | None) -> None:
    assert parse_ranges(header, 100) == ()


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-1,500-599", (Span(0, 2), Span(500, 600))),
        ("bytes=500-599, 0-1", (Span(0, 2), Span(500, 600))),
        ("bytes=0-1,-10", (Span(0, 2), Span(990, 1000))),
        ("bytes=0-1,5-6", (Span(0, 7),)),  # nearer than a part's head is long
        ("bytes=0-9,5-20,900-", (Span(0, 21), Span(900, 1000))),
        ("bytes=0-1,2000-3000", (Span(0, 2),)),
    ],
)
def test_several_ranges(header: str, spans: tuple[Span, ...]) -> None:
    assert parse_ranges(header, 1000) == spans


def test_no_range_of_several_can_be_met() -> None:
    with pytest.raises(Unsatisfiable):
        parse_ranges("bytes=100-,200-300,-0", 100)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=20), st.integers(0, 3000))
def test_spans_hold_what_was_asked_for_and_never_more_than_there_is(pairs: list[tuple[int, int]], total: int) -> None:
    try:
        spans = parse_ranges("bytes=" + ",".join(f"{first}-{last}" for first, last in pairs), total)
    except Unsatisfiable:
        assert all(first >= total for first, _ in pairs)
        return
    if not spans:
        return
    assert sum(span.size for span in spans) <= total
    assert all(before.stop < after.start for before, after in pairwise(spans))
    wanted = {byte for first, last in pairs for byte in range(first, min(last + 1, total))}
    assert wanted <= {byte for span in spans for byte in range(span.start, span.stop)}


@pytest.mark.parametrize(
    ("header", "total"),
    [("bytes=100-", 100), ("bytes=500-600", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)],
)
def test_unsatisfiable(header: str, total: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, total)


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_span_is_what_the_header_says(data: bytes, first: int, last: int) -> None:
    try:
        span = parse_range(f"bytes={first}-{last}", len(data))
    except Unsatisfiable:
        assert first >= len(data)
        return
    if span is None:
        assert last < first
        return
    assert data[span.start : span.stop] == data[first : last + 1]
    assert span.content_range(len(data)) == f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
    assert span.size == len(data[first : last + 1])
