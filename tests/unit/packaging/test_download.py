from __future__ import annotations

from collections.abc import Callable

import pytest

from rushes.packaging.download import chosen
from rushes.tracks import Track

Make = Callable[..., Track]


@pytest.fixture
def tracks(make_video: Make, make_audio: Make) -> list[Track]:
    return [
        make_video("1080p", width=1080, height=1920),
        make_video("720p", width=720, height=1280),
        make_video("360p", width=360, height=640),
        make_video("720p-av1", codecs="av01.0.05M.08", width=720, height=1280),
        make_audio("audio-opus", codecs="opus", default=True),
        make_audio("audio-de", language="de"),
        make_audio("audio", default=True),
    ]


@pytest.mark.parametrize(("most", "name"), [(1080, "1080p"), (720, "720p"), (540, "360p"), (100, "360p")])
def test_the_best_that_everything_plays_and_its_sound(tracks: list[Track], most: int, name: str) -> None:
    assert [track.name for track in chosen(tracks, most)] == [name, "audio"]


def test_silent_films_and_films_without_h264(tracks: list[Track]) -> None:
    assert [track.name for track in chosen(tracks[:4], 720)] == ["720p"]
    assert chosen(tracks[3:], 720) == []
