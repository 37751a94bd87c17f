"""What a movie says of itself, without its samples being looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from struct import pack

import pytest

from rushes.isobmff.boxes import Box, BoxError, box, full_box, iter_boxes
from rushes.isobmff.summary import FIRST_SAMPLES, MovieSummary, summarize
from tests.unit.ingest import movies


def moov_of(data: bytes) -> Box:
    return next(found for found in iter_boxes(data, 0, len(data)) if found.kind == "moov")


def summary(data: bytes) -> MovieSummary:
    return summarize(data, moov_of(data))


def test_tracks_are_described_by_their_headers_and_tables() -> None:
    kind = replace(movies.PICTURE, edited=3.5, declared=5.0)
    found = summary(movies.movie(kind, movies.SOUND, movies.TIMECODE))
    picture, sound, time_code = found.tracks
    assert (picture.handler, picture.kinds, picture.declared, picture.counted, picture.shown) == (
        "vide", ("avc1",), 5.0, 4.0, 3.5,
    )  # fmt: skip
    assert picture.entry is not None
    assert (picture.entry.width, picture.entry.height, picture.entry.codecs) == (320, 180, "avc1.64001f")
    assert (sound.handler, sound.kinds, sound.shown) == ("soun", ("mp4a",), None)
    assert (time_code.handler, time_code.kinds) == ("tmcd", ("tmcd",))
    assert (found.declared, found.fragmented) == (4.0, False)


def test_a_movie_in_fragments_says_so() -> None:
    assert summary(movies.movie(fragmented=True)).fragmented


def test_the_first_samples_end_where_the_tables_place_them(make_pictures: Callable, make_plain: Callable) -> None:
    """One sample to a chunk here, and all in one chunk there."""
    track, payload = make_pictures([list(range(10))] * 5)
    data = make_plain(track, payload)
    last = track.samples[FIRST_SAMPLES - 1]
    found = summary(data).tracks[0]
    assert found.start_reach == data.index(payload) + last.position + last.size
    data = movies.movie()
    assert summary(data).tracks[0].start_reach == data.index(b"mdat") + 4 + FIRST_SAMPLES * movies.SAMPLE


def test_fewer_samples_than_that_are_all_of_them(make_pictures: Callable, make_plain: Callable) -> None:
    track, payload = make_pictures([[0, 1, 2]])
    data = make_plain(track, payload)
    assert summary(data).tracks[0].start_reach == data.index(payload) + len(payload)


def test_samples_are_sound_where_all_have_bytes_within_the_file() -> None:
    data = movies.movie()
    track = summary(data).tracks[0]
    assert track.is_sound(data, len(data))
    assert not track.is_sound(data, data.index(b"mdat"))
    empty = movies.movie(replace(movies.PICTURE, sample=0))
    assert not summary(empty).tracks[0].is_sound(empty, len(empty))


@pytest.mark.parametrize(
    "moov",
    [
        box("moov"),
        box("moov", full_box("mvhd", 0, 0, bytes(16))),
        box("moov", full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, 9))),
        box("moov", full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, 9)), box("trak")),
        box("moov", full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, 9)), box("free") * 5000),
        box("moov", pack(">I", 99), b"mvhd"),
    ],
    ids=["empty", "no clock", "no tracks", "an empty track", "too many boxes", "a box that is too long"],
)
def test_what_is_no_movie_is_an_error(moov: bytes) -> None:
    with pytest.raises(BoxError):
        summarize(moov, Box("moov", 0, 8, len(moov)))


def test_tables_that_take_long_to_sum_up_are_left_out() -> None:
    data = movies.movie()
    where = data.index(b"stts") + 8
    claimed = data[:where] + (200_000).to_bytes(4) + data[where + 4 :]
    assert summary(claimed).tracks[0].counted is None
