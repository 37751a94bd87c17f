from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes import keys
from rushes.storage.names import MAX_KEY, check_key, check_prefix, implied_headers
from rushes.storage.store import IMMUTABLE, POINTER, PRIVATE, Headers


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (keys.output_prefix("a", "r", 1) + "init.mp4", Headers("video/mp4", IMMUTABLE)),
        (keys.output_prefix("a", "r", 1) + "720p/00001.m4s", Headers("video/iso.segment", IMMUTABLE)),
        (keys.build_prefix("a", 3) + "master.m3u8", Headers("application/vnd.apple.mpegurl", IMMUTABLE)),
        (keys.pointer_key("a", "master.m3u8"), Headers("application/vnd.apple.mpegurl", POINTER)),
        (keys.pointer_key("a", "manifest.mpd"), Headers("application/dash+xml", POINTER)),
        (keys.artifact_prefix("a", "r", 1) + "poster.jpg", Headers("image/jpeg", IMMUTABLE)),
        (keys.source_key("t", "a", 1), Headers("application/octet-stream", PRIVATE)),
        (keys.tombstone_key("a"), Headers("application/octet-stream", PRIVATE)),
        ("media/a/evil.html", Headers("application/octet-stream", POINTER)),
    ],
)
def test_the_layout_implies_the_headers(key: str, headers: Headers):
    assert implied_headers(key) == headers


@given(st.text(max_size=40))
def test_an_accepted_key_never_climbs(key: str):
    try:
        check_key(key)
    except ValueError:
        return
    assert not key.startswith("/")
    assert not {"", ".", ".."} & set(key.split("/"))
    assert "\x00" not in key


def test_lengths_count_bytes():
    assert check_key("a/" * 511 + "ab") == "a/" * 511 + "ab"
    assert len("a/" * 511 + "ab") == MAX_KEY
    for key in ("a/" * 511 + "abc", "é" * 128, "x" * 256):
        with pytest.raises(ValueError, match="cannot be a key"):
            check_key(key)


def test_prefix_may_end_anywhere():
    for prefix in ("", "a", "a/", "a/b"):
        assert check_prefix(prefix) == prefix
