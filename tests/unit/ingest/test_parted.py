from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.parted import AT_ONCE, LARGE, count_of, spans


@pytest.mark.parametrize(
    ("size", "wanted", "count"),
    [(0, None, 1), (LARGE - 1, None, 1), (LARGE, None, AT_ONCE), (LARGE, 1, 1), (10, 3, 3), (2, 16, 2), (0, 4, 1)],
)
def test_how_many_parts(size: int, wanted: int | None, count: int) -> None:
    assert count_of(size, wanted) == count


@given(size=st.integers(1, 10**12), count=st.integers(1, 16))
def test_spans_cover_a_file_once(size: int, count: int) -> None:
    pieces = spans(size, count_of(size, count))
    assert pieces[0].start == 0
    assert pieces[-1].end == size
    assert all(left.end == right.start for left, right in pairwise(pieces))
    assert all(piece.size > 0 for piece in pieces)
    assert max(piece.size for piece in pieces) - min(piece.size for piece in pieces) <= 1
