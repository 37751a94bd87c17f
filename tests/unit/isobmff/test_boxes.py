from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.isobmff.boxes import Box, BoxError, box, children, find, full_box, iter_boxes, need
from rushes.isobmff.fields import Fields

KINDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789 ", min_size=4, max_size=4)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=8))
def test_what_is_written_is_read(contents: list[tuple[str, bytes]]) -> None:
    data = b"".join(box(kind, content) for kind, content in contents)
    found = list(iter_boxes(data, 0, len(data)))
    assert [(one.kind, data[one.body : one.end]) for one in found] == contents


@given(st.binary(max_size=200))
def test_any_bytes_end_in_boxes_or_a_box_error(data: bytes) -> None:
    try:
        found = list(iter_boxes(data, 0, len(data)))
    except BoxError:
        return
    assert sum(one.end - one.start for one in found) == len(data)


def test_a_box_to_the_end_and_a_64_bit_box() -> None:
    open_ended = pack(">I4s", 0, b"mdat") + b"12345"
    wide = pack(">I4sQ", 1, b"mdat", 20) + b"1234"
    assert list(iter_boxes(open_ended, 0, 13)) == [Box("mdat", 0, 8, 13)]
    assert list(iter_boxes(wide, 0, 20)) == [Box("mdat", 0, 16, 20)]


@pytest.mark.parametrize(
    "data",
    [
        pack(">I4s", 9, b"moov"),  # one byte more than there is
        pack(">I4s", 7, b"moov"),  # smaller than its own header
        pack(">I4sQ", 1, b"moov", 15),  # the same in 64 bits
        pack(">I4sQ", 1, b"moov", 2**63),
        pack(">I4s", 1, b"moov"),  # no room for the 64-bit size
        b"1234567",
    ],
)
def test_sizes_that_lie_are_refused(data: bytes) -> None:
    with pytest.raises(BoxError):
        list(iter_boxes(data, 0, len(data)))


def test_paths() -> None:
    data = box("moov", box("trak", box("mdia", b"x")), box("trak"))
    (moov,) = iter_boxes(data, 0, len(data))
    assert [child.kind for child in children(data, moov)] == ["trak", "trak"]
    assert find(data, moov, "trak/mdia") == Box("mdia", 16, 24, 25)
    assert find(data, moov, "trak/minf") is None
    with pytest.raises(BoxError, match="has no 'udta'"):
        need(data, moov, "udta")


def test_a_child_cannot_reach_beyond_its_parent() -> None:
    data = box("moov", pack(">I4s", 100, b"trak")) + bytes(200)
    parent = next(iter_boxes(data, 0, len(data)))
    with pytest.raises(BoxError, match="says it has 100 bytes; 8 are there"):
        list(children(data, parent))


def test_full_box_layout() -> None:
    assert full_box("tfdt", 1, 0x20000, b"z") == b"\0\0\0\x0dtfdt\x01\x02\0\0z"


def test_fields_never_read_a_neighbour() -> None:
    fields = Fields(b"\0\0\0\x02abXX", 0, 6)
    assert fields.one("I") == 2
    with pytest.raises(BoxError):
        fields.raw(3)
    assert fields.raw(2) == b"ab"
    with pytest.raises(BoxError):
        fields.one("B")


def test_a_count_that_lies_is_refused_before_it_is_believed() -> None:
    with pytest.raises(BoxError, match="4294967295 entries claimed"):
        Fields(bytes(64), 0, 64).array("Q", 2**32 - 1)
