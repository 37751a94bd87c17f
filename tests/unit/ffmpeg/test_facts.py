"""Which claim is believed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from rushes.ffmpeg.facts import source_facts
from rushes.ffmpeg.sniff import Container

MP4 = Container("mp4", "mov")
PICTURE = {
    "width": 640, "height": 360, "pix_fmt": "yuv420p", "bit_depth": 8, "primaries": 2, "transfer": 2, "matrix": 2,
    "range": 0, "interlaced": False, "orientation": [],
}  # fmt: skip


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "index": 0, "profile": None, "language": None, "default": True, "bitrate": None, "tick": 1 / 90000,
        "duration": 4.0, "start": 0.0, "packets": 100, "bytes": 50_000, "measured": 4.0, "measured_start": 0.0,
        **changes,
    }  # fmt: skip


def video(**changes: Any) -> dict[str, Any]:
    own = {
        "codec": "h264", "sar": None, "rates": [[25, 1], [25, 1], None], "frames": 100, "primaries": 2, "transfer": 2,
        "matrix": 2, "range": 0, "field_order": 0, "times": [n / 25 for n in range(100)], "tail": None,
        "keyframes": [0.0, 2.0], "index_seconds": None, "index_frames": None, "picture": PICTURE,
    }  # fmt: skip
    return {**stream(), **own, **changes}


def audio(**changes: Any) -> dict[str, Any]:
    return {**stream(index=1), "codec": "aac", "channels": 2, "sample_rate": 48000, **changes}


def raw(**changes: Any) -> dict[str, Any]:
    return {
        "duration": 4.0, "bitrate": None, "streams": 2, "tags": {}, "complete": True, "cut": False, "read": 0,
        "video": video(), "audio": [audio()], **changes,
    }  # fmt: skip


def facts(**changes: Any) -> Any:
    return source_facts(raw(**changes), MP4, 60_000)


def test_a_plain_file() -> None:
    found = facts()
    assert (found.container, found.demuxer, found.size, found.duration) == ("mp4", "mov", 60_000, 4.0)
    assert (found.video.width, found.video.fps, found.video.vfr, found.video.frames) == (640, Fraction(25), False, 100)
    assert found.keyframes == (0.0, 2.0)
    assert found.bitrate == 120_000
    assert found.warnings == ()


def test_what_was_counted_wins_over_what_is_declared() -> None:
    found = facts(duration=9e9, video=video(duration=9e9))
    assert found.duration == 4.0
    assert found.warnings == ("declares 9000000000 s, video lasts 4.0 s",)


def test_a_cut_file_keeps_its_declared_length_so_that_the_missing_part_shows() -> None:
    found = facts(cut=True, video=video(duration=4.0, measured=2.5, packets=62))
    assert found.video.duration == 4.0
    assert "breaks off" in found.warnings[0]


def test_a_cut_file_cannot_declare_centuries() -> None:
    assert facts(cut=True, video=video(duration=1e9)).video.duration == 4.0


def test_a_long_file_is_judged_by_its_index() -> None:
    found = facts(complete=False, video=video(measured=60.0, duration=9e9, index_seconds=900.0, index_frames=22500))
    assert (found.video.duration, found.video.frames) == (900.0, 22500)


def test_a_long_file_without_an_index_is_judged_by_its_end() -> None:
    found = facts(complete=False, video=video(measured=60.0, duration=None, tail=700.0))
    assert found.video.duration == 700.0


def test_the_bitstream_wins_over_the_container() -> None:
    """A phone's HDR10 clip in a container that says SDR."""
    picture = {**PICTURE, "transfer": 16, "primaries": 9, "matrix": 9, "bit_depth": 10}
    found = facts(video=video(transfer=1, primaries=1, matrix=1, picture=picture)).video
    assert (found.transfer, found.primaries, found.matrix, found.hdr) == ("smpte2084", "bt2020", "bt2020nc", "pq")


def test_what_the_bitstream_leaves_open_the_container_says() -> None:
    found = facts(video=video(transfer=18)).video
    assert found.hdr == "hlg"
    assert facts().video.transfer is None


@pytest.mark.parametrize(
    ("pair", "expected"),
    [(None, 1), ([0, 1], 1), ([16, 11], Fraction(16, 11)), ([1, 100], 1), ([5000, 1], 1), ([-1, 1], 1)],
)
def test_sample_aspect(pair: list[int] | None, expected: Fraction) -> None:
    assert facts(video=video(sar=pair)).video.sar == expected


def test_interlacing_is_seen_in_the_picture_or_in_the_stream() -> None:
    assert not facts().video.interlaced
    assert facts(video=video(field_order=2)).video.interlaced
    assert facts(video=video(picture={**PICTURE, "interlaced": True})).video.interlaced
    assert not facts(video=video(field_order=1)).video.interlaced


def test_full_range() -> None:
    assert facts(video=video(picture={**PICTURE, "range": 2})).video.full_range
    assert facts(video=video(picture={**PICTURE, "pix_fmt": "yuvj420p"})).video.full_range
    assert facts(video=video(range=2)).video.full_range
    assert not facts(video=video(range=2, picture={**PICTURE, "range": 1})).video.full_range


def test_audio_that_starts_late_makes_the_whole_longer() -> None:
    found = facts(audio=[audio(measured_start=3.0, measured=4.0, language="ger")])
    assert found.duration == 7.0
    assert (found.audio[0].start, found.audio[0].language) == (3.0, "de")


def test_audio_that_says_nothing_of_itself_is_left_out() -> None:
    found = facts(audio=[audio(channels=0), audio(index=2)])
    assert [track.index for track in found.audio] == [2]
    assert "could not be understood" in found.warnings[0]


def test_facts_survive_json() -> None:
    found = facts()
    assert type(found).model_validate_json(found.model_dump_json()) == found
