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
    "range": 0, "interlaced": False, "orientation": [], "mastering": None, "light": None, "dolby_vision": False,
    "hdr10_plus": False,
}  # fmt: skip


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "index": 0, "profile": None, "language": None, "default": True, "bitrate": None, "tick": 1 / 90000,
        "duration": 4.0, "start": 0.0, "packets": 100, "bytes": 50_000, "measured": 4.0, "measured_start": 0.0,
        "holes": 0.0,
        **changes,
    }  # fmt: skip


def video(**changes: Any) -> dict[str, Any]:
    own = {
        "codec": "h264", "sar": None, "rates": [[25, 1], [25, 1], None], "frames": 100, "primaries": 2, "transfer": 2,
        "matrix": 2, "range": 0, "field_order": 0, "alpha": False, "times": [n / 25 for n in range(100)], "tail": None,
        "keyframes": [0.0, 2.0], "index_seconds": None, "index_frames": None, "picture": PICTURE,
    }  # fmt: skip
    return {**stream(), **own, **changes}


def audio(**changes: Any) -> dict[str, Any]:
    return {**stream(index=1), "codec": "aac", "channels": 2, "sample_rate": 48000, "secondary": False, **changes}


def raw(**changes: Any) -> dict[str, Any]:
    return {
        "duration": 4.0, "bitrate": None, "streams": 2, "tags": {}, "complete": True, "cut": False, "read": 0,
        "end": 4.0, "last": 4.0,
        "video": video(), "audio": [audio()], "names": [], "restarts": 0, "edits": 0, "dolby_vision": None,
        "telemetry": False, **changes,
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


def test_a_cut_file_is_as_long_as_what_is_there_and_says_what_is_not() -> None:
    found = facts(cut=True, video=video(duration=4.0, measured=2.5, packets=62), audio=[audio(measured=None)])
    assert (found.video.duration, found.video.cut_off, found.duration) == (2.5, 1.5, 2.5)
    assert (found.declared_duration, found.provenance["duration"]) == (4.0, "measured")
    assert "breaks off" in found.warnings[0]


def test_a_cut_file_cannot_declare_centuries() -> None:
    found = facts(cut=True, video=video(duration=1e9)).video
    assert (found.duration, found.cut_off) == (4.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "cut_off"),
    [
        ({"cut": True, "end": 4.1}, 5.9),  # the picture is as far as the sound: both would have gone on
        ({"cut": None, "end": 4.1, "last": 4.1}, 5.9),  # only the declared length says so
        ({"cut": None, "end": 9.8, "last": 9.8}, 0.0),  # within what rounding explains
        ({"cut": None, "end": 4.0, "last": 10.0}, 0.0),  # subtitles go on
        ({"cut": False, "end": 4.0}, 0.0),  # it is whole, and what it declares is a mistake
        ({"cut": True, "end": 8.0}, 0.0),  # the picture had ended before
        ({"cut": True, "duration": None}, 0.0),
        ({"cut": True, "complete": False, "video": video(duration=None, measured=1.0, tail=7.0)}, 3.0),
        ({"cut": None, "complete": False, "video": video(duration=None, measured=1.0, tail=7.0)}, 3.0),
        ({"cut": None, "complete": False, "video": video(duration=None, measured=1.0, tail=10.0)}, 0.0),
    ],
)
def test_a_header_that_declares_more_than_is_there(changes: dict[str, Any], cut_off: float) -> None:
    found = facts(**{"duration": 10.0, "video": video(duration=None), **changes})
    assert found.video.cut_off == pytest.approx(cut_off)
    assert any("breaks off" in warning for warning in found.warnings) == bool(changes["cut"] or cut_off)


def test_gaps_in_the_sound_are_told() -> None:
    assert facts(audio=[audio(holes=0.25), audio(holes=0.0)]).warnings == ("the sound has gaps, 0.2 s together",)


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


def test_what_was_measured_of_interlacing_wins() -> None:
    woven = {**PICTURE, "woven": True, "order": "bff"}
    found = facts(video=video(field_order=1, picture=woven))
    assert (found.video.interlaced, found.video.field_order) == (True, "bff")
    assert found.provenance["interlaced"] == "measured"
    progressive = {**PICTURE, "interlaced": True, "woven": False, "order": None}
    assert not facts(video=video(field_order=2, picture=progressive)).video.interlaced
    undecided = {**PICTURE, "interlaced": True, "woven": None, "order": None}
    found = facts(video=video(picture=undecided))
    assert (found.video.interlaced, found.provenance["interlaced"]) == (True, "bitstream")


def test_every_fact_says_where_it_comes_from() -> None:
    found = facts(video=video(primaries=1, picture={**PICTURE, "matrix": 1})).provenance
    assert (found["primaries"], found["matrix"], found["transfer"]) == ("container", "bitstream", "assumed")
    assert (found["duration"], found["frames"], found["fps"]) == ("measured", "measured", "measured")
    long = facts(complete=False, video=video(measured=60.0, index_seconds=900.0, index_frames=22500)).provenance
    assert (long["duration"], long["frames"], long["keyframes"]) == ("index", "index", "index")
    assert facts(video=video(measured=None)).provenance["duration"] == "container"
    assert set(found) <= {*facts().video.model_dump(), "keyframes"}


def test_the_kinds_of_hdr() -> None:
    pq = {**PICTURE, "transfer": 16}
    assert facts(video=video(picture=pq)).video.hdr_format == "hdr10"
    assert facts(video=video(picture={**pq, "hdr10_plus": True})).video.hdr_format == "hdr10+"
    assert facts(video=video(picture={**PICTURE, "transfer": 18})).video.hdr_format == "hlg"
    found = facts(dolby_vision=8, video=video(picture={**PICTURE, "transfer": 18})).video
    assert (found.hdr, found.hdr_format, found.dolby_vision) == ("hlg", "dolby-vision", 8)
    assert facts().video.hdr_format is None


def test_mastering_data_as_the_file_says_it() -> None:
    ratios = [[34000, 50000], [16000, 50000], [13250, 50000], [34500, 50000], [7500, 50000], [3000, 50000]]
    ratios += [[15635, 50000], [16450, 50000], [50, 10000], [10000000, 10000]]
    picture = {**PICTURE, "transfer": 16, "mastering": ratios, "light": [1000, 400]}
    found = facts(video=video(picture=picture)).video
    assert (found.mastering.red, found.mastering.white) == ((0.68, 0.32), (0.3127, 0.329))
    assert (found.mastering.least, found.mastering.most, found.light) == (0.005, 1000.0, (1000, 400))
    broken = {**picture, "mastering": [[1, 0], *ratios[1:]]}
    assert facts(video=video(picture=broken)).video.mastering is None


def test_personal_metadata_is_named_and_left_out() -> None:
    tags = {"title": "T", "location": "+1+2/"}
    found = facts(tags=tags, names=["creation_time"], telemetry=True)
    assert (found.tags, found.personal) == ({"title": "T"}, ("location", "telemetry", "time"))
    assert source_facts(raw(tags=tags), MP4, 1, personal=True).tags == tags


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


def test_transparency_that_the_decoder_does_not_see() -> None:
    assert facts(video=video(codec="vp9", alpha=True)).video.pix_fmt == "yuva420p"
    assert facts(video=video(codec="h264", alpha=True)).video.pix_fmt == "yuv420p"
