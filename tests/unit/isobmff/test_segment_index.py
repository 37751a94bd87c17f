from __future__ import annotations

import pytest

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.segment_index import segment_index


def test_the_index_whole() -> None:
    assert segment_index(30000, 500, [(1000, 120120), (20, 30030)]) == bytes.fromhex(
        "00000040 73696478 01000000"  # size, sidx, version 1
        "00000001 00007530 00000000000001f4 0000000000000000"  # track, timescale, first time, nothing in between
        "0000 0002 000003e8 0001d538 90000000 00000014 0000754e 90000000"
    )


def test_more_than_an_index_can_say_is_refused() -> None:
    with pytest.raises(BoxError):
        segment_index(1, 0, [(1, 1)] * 65536)
    with pytest.raises(BoxError):
        segment_index(1, 0, [(1 << 31, 1)])
