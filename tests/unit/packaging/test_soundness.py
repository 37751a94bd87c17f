from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rushes.packaging.hls import playlists
from rushes.packaging.soundness import problems
from rushes.tracks import Segment, Track

Make = Callable[..., Track]


def test_a_good_build_has_none(make_video: Make, make_audio: Make) -> None:
    tracks = [make_video(), make_video("360p"), make_audio()]
    assert problems(tracks, playlists(tracks, str)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "../x"}, "file name"),
        ({"codecs": ""}, "codec"),
        ({"segments": ()}, "no segments"),
        ({"segments": (Segment(name="00001.m4s", ticks=0, size=1),)}, "empty one"),
        ({"segments": (Segment(name="00001.m4s", ticks=1, size=10**9),)}, "bit/s"),
        ({"segments": (Segment(name="00001.m4s", ticks=30000, size=10, keyframe_size=11),)}, "larger than its segment"),
        ({"width": None}, "picture size"),
    ],
)
def test_bad_tracks(change: dict[str, Any], word: str, make_video: Make) -> None:
    assert any(word in sentence for sentence in problems([make_video(**change)], {}))


def test_renditions_must_be_cut_alike(make_video: Make) -> None:
    other = make_video("360p", segments=make_video().segments[:2])
    assert problems([make_video(), other], {}) == ["360p is not cut where 720p is."]


def test_the_same_times_in_another_timescale_are_alike(make_video: Make) -> None:
    finer = tuple(segment.model_copy(update={"ticks": segment.ticks * 3}) for segment in make_video().segments)
    assert problems([make_video(), make_video("360p", timescale=90000, segments=finer)], {}) == []


def test_names_are_unique_and_something_is_there(make_video: Make) -> None:
    assert problems([], {}) == ["There is neither picture nor sound."]
    assert "Two tracks have the same name." in problems([make_video(), make_video()], {})


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.600000,\nx\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.000000,\nx\n",
        "#EXTM3U\n#EXTINF:4.000000,\nx\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST\n",
    ],
)
def test_bad_playlists(text: str, make_video: Make) -> None:
    assert len(problems([make_video()], {"x.m3u8": text})) == 1
