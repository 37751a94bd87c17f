from __future__ import annotations

from collections.abc import Callable

import pytest

from rushes.packaging.chunks import ChunkError, join_chunks
from rushes.tracks import Track

Make = Callable[..., Track]


def test_one_chunk_stays_as_it_is(make_video: Make, make_audio: Make) -> None:
    tracks = [make_video(), make_audio()]
    assert join_chunks([tracks[:1], tracks[1:]]) == tracks


def test_chunks_are_joined_by_name(make_video: Make) -> None:
    first = make_video()
    second = make_video(prefix=first.prefix.replace("/r/1/", "/q/9/"), start_ticks=first.ticks)
    (joined,) = join_chunks([[first], [second]])
    assert joined.ticks == 2 * first.ticks
    # every name below the common prefix is a real key, without going up
    keys = [joined.prefix + segment.name for segment in joined.segments]
    assert keys == [f"{track.prefix}{segment.name}" for track in (first, second) for segment in track.segments]
    assert f"{joined.prefix}{joined.init}" == f"{first.prefix}init.mp4"


@pytest.mark.parametrize(
    "difference", [{"start_ticks": 1}, {"codecs": "avc1.4d401f"}, {"timescale": 90000}, {"width": 2}]
)
def test_chunks_that_do_not_fit_are_refused(difference: dict[str, object], make_video: Make) -> None:
    first = make_video()
    second = make_video(**({"start_ticks": first.ticks} | difference))
    with pytest.raises(ChunkError):
        join_chunks([[first], [second]])
