"""A progressive file is read back by our own reader; that players read it is shown where there is a real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from rushes.isobmff.boxes import BoxError, iter_boxes
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.progressive import Source, progressive
from rushes.isobmff.samples import Sample

MakePictures = Callable[[list[list[int]]], tuple[MovieTrack, bytes]]
CLOSED = [0, 2, 1, 3]


def sound(count: int, entry: bytes) -> tuple[MovieTrack, bytes]:
    payload = bytes(number % 250 for number in range(3 * count))
    samples = [Sample(number * 1024, 0, 1024, 3 * number, 3, True) for number in range(count)]
    track = MovieTrack(1, "soun", 48000, entry, "mp4a.40.2", media_time=1024, samples=samples, channels=2)
    return track, payload


@pytest.fixture
def entry(make_mp4a: Callable[[], bytes]) -> bytes:
    return make_mp4a()


def content(data: bytes, track: MovieTrack) -> list[tuple[int, int, bytes, bool]]:
    return [
        (sample.dts, sample.pts, data[sample.position : sample.position + sample.size], sample.sync)
        for sample in track.samples
    ]


def test_the_same_samples_at_the_same_times(make_pictures: MakePictures, entry: bytes) -> None:
    # Given 40 s of pictures and of sound with priming
    video, pictures = make_pictures([CLOSED] * 300)
    video = replace(video, media_time=3 * 512)
    audio, heard = sound(1875, entry)
    # When they become one file
    data = b"".join(progressive([Source(video, pictures), Source(audio, heard)]))
    # Then the index is in front, and both tracks are what they were
    assert [box.kind for box in iter_boxes(data, 0, len(data))] == ["ftyp", "moov", "mdat"]
    first, second = read_movie(data)
    assert content(data, first) == content(pictures, video)
    assert content(data, second) == content(heard, audio)
    assert (first.media_time, second.media_time) == (video.media_time, audio.media_time)
    assert (first.codecs, first.width, second.codecs) == ("avc1.64001f", 320, "mp4a.40.2")
    # And each second of picture is followed by its second of sound
    places = sorted((sample.position, 0, sample.dts / 15360) for sample in first.samples)
    places = sorted([*places, *((sample.position, 1, sample.dts / 48000) for sample in second.samples)])
    latest = [0.0, 0.0]
    for _, which, time in places:
        latest[which] = time
        assert abs(latest[0] - latest[1]) <= 1.1


def test_pictures_alone_and_all_of_them_key_pictures(make_pictures: MakePictures) -> None:
    video, pictures = make_pictures([[0]] * 5)
    (track,) = read_movie(b"".join(progressive([Source(video, pictures)])))
    assert [sample.sync for sample in track.samples] == [True] * 5


def test_a_track_that_begins_late_still_does(make_pictures: MakePictures) -> None:
    video, pictures = make_pictures([CLOSED])
    late = replace(video, samples=[sample._replace(dts=sample.dts + 15360) for sample in video.samples])
    (track,) = read_movie(b"".join(progressive([Source(late, pictures)])))
    assert track.delay == Fraction(1)
    assert track.samples[0].dts == 0


def test_the_same_bytes_every_time(make_pictures: MakePictures) -> None:
    video, pictures = make_pictures([CLOSED] * 3)
    assert list(progressive([Source(video, pictures)])) == list(progressive([Source(video, pictures)]))


def test_nothing_is_made_of_nothing(make_pictures: MakePictures) -> None:
    video, pictures = make_pictures([CLOSED])
    for sources in ([], [Source(replace(video, samples=[]), pictures)]):
        with pytest.raises(BoxError):
            list(progressive(sources))
