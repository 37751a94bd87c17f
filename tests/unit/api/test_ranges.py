import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.api.ranges import Span, Unsatisfiable, parse_range


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
    [None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "items=0-5", "bytes=0-1,5-6", "bytes=٣-٤", "bytes 0-5"],
)
def test_what_is_not_one_range_is_answered_with_the_whole(header: str | None) -> None:
    assert parse_range(header, 100) is None


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
