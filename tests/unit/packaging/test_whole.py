"""The manifests of an ordinary build, whole: two sizes, two languages, captions and a storyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.model import Cue, TranscriptResult
from rushes.packaging.build import build_documents
from rushes.packaging.captions import build_captions
from rushes.tracks import Track

Make = Callable[..., Track]
ASSET = "0" * 26


@pytest.fixture
def documents(make_video: Make, make_audio: Make, make_board: Make) -> dict[str, str]:
    cues = (Cue(start=1, end=2, text="Hello"),)
    said = TranscriptResult(language="en", engine="e", trusted=True, cues=cues, vtt_key="v", json_key="j")
    small = {"sizes": (200_000, 210_000, 40_000), "width": 640, "height": 360, "codecs": "avc1.64001e"}
    tracks = [
        make_video(),
        make_video("360p", **small),
        make_audio(language="en", default=True),
        make_audio("audio-de", language="de"),
        build_captions(said, make_video(), f"media/{ASSET}/t/p/3/").track,
        make_board(),
    ]
    return build_documents(ASSET, 2, tracks)


def test_what_is_written_and_in_which_order(documents: dict[str, str]) -> None:
    assert list(documents) == [
        *("720p.m3u8", "360p.m3u8", "audio.m3u8", "audio-de.m3u8", "captions-en.m3u8", "storyboard.m3u8"),
        *("720p-iframes.m3u8", "360p-iframes.m3u8", "master.m3u8", "manifest.mpd"),
    ]


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd"])
def test_the_manifests_are_these(name: str, documents: dict[str, str]) -> None:
    assert documents[name] == (Path(__file__).parent / "whole" / name).read_text()
