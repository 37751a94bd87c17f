from __future__ import annotations

from pathlib import Path

import pytest

from rushes.storage.memory import MemoryStore
from rushes.storage.rendition import assemble
from rushes.storage.store import ObjectMissing
from rushes.tracks import Segment, Track


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for name in ("init.mp4", "00001.m4s", "00002.m4s", "00003.m4s"):
        store.put_bytes(f"p/720p/{name}", name[:5].encode())
    return store


def track(count: int, init: str | None = "init.mp4") -> Track:
    segments = tuple(Segment(name=f"{number:05d}.m4s", ticks=1, size=5) for number in range(1, count + 1))
    return Track(name="720p", kind="video", prefix="p/720p/", init=init, codecs="avc1", timescale=1, segments=segments)


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [(0, None, b"init.000010000200003"), (1, 1, b"init.00002"), (2, 9, b"init.00003"), (1, None, b"init.0000200003")],
)
def test_joins_init_and_the_asked_segments(store: MemoryStore, tmp_path: Path, first, count, expected):
    assert assemble(track(3), store, tmp_path, first, count).read_bytes() == expected


def test_nothing_to_join(store: MemoryStore, tmp_path: Path):
    for arguments in ((track(0), 0, None), (track(3), 3, None), (track(3), 0, 0), (track(3, init=None), 0, None)):
        with pytest.raises(ValueError, match="no segments"):
            assemble(arguments[0], store, tmp_path, arguments[1], arguments[2])


def test_a_missing_segment_is_said(store: MemoryStore, tmp_path: Path):
    with pytest.raises(ObjectMissing, match=r"00004\.m4s"):
        assemble(track(4), store, tmp_path)
