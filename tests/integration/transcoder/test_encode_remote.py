"""A chunk of a source that lies in a remote store: fetched are the bytes that it needs, and it is the same chunk."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from rushes.storage.open import open_store
from rushes.storage.s3 import S3Store
from tests.services.swift import Swift

SECONDS = 24
NOISY = (
    *("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=30:duration={SECONDS},noise=alls=40:allf=t"),
    *("-f", "lavfi", "-i", f"sine=duration={SECONDS}", "-c:a", "aac"),
    *(
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-b:v",
        "6M",
        "-maxrate",
        "6M",
        "-bufsize",
        "6M",
        "-g",
        "60",
        "-bf",
        "2",
    ),
)
FIRSTS = (0, 240, 360, 480)


@pytest.fixture
def remote(s3: Swift) -> S3Store:
    store = open_store(s3.url(s3.shared, f"part/{secrets.token_hex(6)}"))
    assert isinstance(store, S3Store)
    return store


@pytest.fixture
def fetched(monkeypatch) -> list[int]:
    """Bytes of each request for a part of an object, as they are made."""
    asked: list[int] = []
    fetch = S3Store.fetch

    def counting(self, key: str, start: int = 0, stop: int | None = None):
        found = fetch(self, key, start, stop)
        if key.startswith("sources/"):
            asked.append(min(stop or found.info.size, found.info.size) - start)
        return found

    monkeypatch.setattr(S3Store, "fetch", counting)
    return asked


@pytest.fixture
def whole(monkeypatch) -> list[str]:
    """Keys of objects that were fetched whole."""
    keys: list[str] = []
    localize = S3Store.localize
    monkeypatch.setattr(
        S3Store, "localize", lambda self, key, scratch: keys.append(key) or localize(self, key, scratch)
    )
    return keys


def lines_of(place, results) -> list[list[bytes]]:
    return [[place.joined(track) for track in result.tracks] for result in results]


@pytest.mark.parametrize("more", [(), ("-movflags", "+faststart")], ids=["index-last", "index-first"])
def test_a_chunk_in_the_middle_fetches_its_part_only(stage, make_clip, tmp_path, remote, fetched, whole, more):
    source = make_clip(f"remote-noisy{len(more)}.mp4", *NOISY, *more)
    here = stage(source)
    expected = lines_of(here, here.encode_chunks(*FIRSTS))
    # Given the same source in a bucket
    there = type(here)(tmp_path / "there", source, here.facts)
    there.store = remote
    remote.put_file("sources/t/a/1", source)
    results = there.encode_chunks(*FIRSTS, only=2)
    # When a chunk of 4 s in the middle is encoded, then it has the same bytes, and half of the source was fetched for it: two
    # groups and what a decoder reads ahead come with it, however long the source is
    assert lines_of(there, results) == expected[2:3]
    assert sum(fetched) < 0.6 * source.stat().st_size
    assert results[0].decode_errors == 0
    fetched.clear()
    assert lines_of(there, there.encode_chunks(*FIRSTS, only=1)) == expected[1:2]
    assert sum(fetched) < 0.6 * source.stat().st_size
    assert whole == []


def test_where_the_index_is_wrong_all_is_fetched(stage, make_clip, tmp_path, remote, whole):
    # Given a source that is damaged within the chunk
    good = make_clip("remote-noisy0.mp4", *NOISY)
    data = bytearray(good.read_bytes())
    at = round(len(data) * 14 / SECONDS)
    data[at : at + 100_000] = bytes(100_000)
    source = tmp_path / "bad.mp4"
    source.write_bytes(data)
    here = stage(source)
    expected = here.encode_chunks(*FIRSTS, only=2)
    there = type(here)(tmp_path / "there", source, here.facts)
    there.store = remote
    remote.put_file("sources/t/a/1", source)
    # Then nobody can tell its holes from ours before all of it is there
    results = there.encode_chunks(*FIRSTS, only=2)
    assert lines_of(there, results) == lines_of(here, expected)
    assert results[0].decode_errors > 0
    assert whole == ["sources/t/a/1"]


def test_nothing_is_left_in_scratch(stage, make_clip, tmp_path, remote):
    source = make_clip("remote-noisy0.mp4", *NOISY)
    here = stage(source)
    here.store = remote
    remote.put_file("sources/t/a/1", source)
    here.encode_chunks(*FIRSTS, only=1)
    left = [path for path in Path(here.root).glob("scratch-*/*") if path.is_file()]
    assert left == []
