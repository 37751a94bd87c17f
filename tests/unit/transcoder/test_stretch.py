from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.plan import Chunk
from rushes.transcoder.ladder import plan
from rushes.transcoder.stretch import Shown, Stretch


@pytest.fixture
def indexed(make_facts):
    return make_facts(duration=60.0).model_copy(update={"indexed": True})


def of(facts, profile, chunk: Chunk, in_source: Chunk | None = None) -> Stretch:
    return Stretch.of(chunk, in_source or chunk, plan(facts, profile).ladders[0], facts)


def test_the_whole_source_is_read_as_ever(indexed, profile):
    whole = of(indexed, profile, Chunk())
    assert (whole.is_whole, whole.input_options(), whole.filters()) == (True, [], [])


def test_the_first_chunk_is_read_from_the_beginning_and_ends_early(indexed, profile):
    first = of(indexed, profile, Chunk(frames=600))
    assert first.input_options() == []
    assert first.filters() == ["trim=start_frame=0:end_frame=600", "setpts=PTS-STARTPTS"]


def test_a_later_one_is_sought_with_time_to_spare(indexed, profile):
    # Given a chunk that begins at 20 s of 30 fps: a second and 16 frames are decoded before it at the least
    chunk = of(indexed, profile, Chunk(number=1, first=600, frames=600))
    assert chunk.seek == 20 - 1 - Fraction(16, 30)
    assert chunk.input_options()[-1] == "18.466667"
    assert chunk.before == pytest.approx(1.533, abs=0.001)
    assert chunk.from_the_beginning().before == 20
    assert chunk.filters()[0] == "trim=start_frame=600:end_frame=1200"


def test_where_pictures_are_rare_for_a_while_more_time_is_spared(indexed, profile):
    # Given pictures that follow each other by a thirtieth of a second, but only four a second on average
    video = indexed.video.model_copy(update={"vfr": True, "frames": 240})
    chunk = of(indexed.model_copy(update={"video": video}), profile, Chunk(number=1, first=600, frames=600))
    assert chunk.seek == 20 - 1 - 4


def test_the_last_one_has_no_end(indexed, profile):
    assert of(indexed, profile, Chunk(number=2, first=1200)).filters()[0] == "trim=start_frame=1200"


def test_without_an_index_all_before_is_decoded(make_facts, profile):
    chunk = of(make_facts(), profile, Chunk(number=1, first=300))
    assert chunk.seek is None
    assert chunk.filters()[0] == "trim=start_frame=300"


def test_what_begins_within_the_preroll_is_not_sought(indexed, profile):
    assert of(indexed, profile, Chunk(number=1, first=45)).seek is None
    assert of(indexed, profile, Chunk(number=1, first=47)).seek is not None


def test_a_clips_chunk_lies_elsewhere_in_its_source(indexed, profile):
    chunk = of(indexed, profile, Chunk(number=1, first=120, frames=120), Chunk(number=1, first=720, frames=120))
    assert (chunk.first, chunk.at, chunk.begins) == (720, 120, 24)


def test_what_ffmpeg_wrote_is_read_and_the_rest_passed_over():
    shown = Shown.read("147147 1/30000\n151151 1/30000\nnonsense\n-20 1/10\n")
    assert shown.times == (Fraction(147147, 30000), Fraction(151151, 30000), -2)


@pytest.mark.parametrize(
    ("first_shown", "late"), [(Fraction(0), False), (Fraction(10), False), (Fraction(301, 30), True)]
)
def test_a_picture_that_comes_too_late_is_noticed(indexed, profile, first_shown, late):
    chunk = of(indexed, profile, Chunk(number=1, first=300))
    shown = Shown((first_shown, Fraction(11)))
    assert shown.begins_late(chunk) is late
    assert not shown.begins_late(chunk.from_the_beginning())


def test_without_pictures_nothing_is_late(indexed, profile):
    assert not Shown(()).begins_late(of(indexed, profile, Chunk(number=1, first=300)))


def test_frames_that_show_an_older_picture_for_too_long_are_counted(indexed, profile):
    # Given a stretch from 10 s on whose pictures of 10.1 to 10.9 s could not be decoded
    chunk = of(indexed, profile, Chunk(number=1, first=300))
    shown = Shown(tuple(Fraction(min(number, 303) if number < 327 else number, 30) for number in range(300, 360)))
    assert shown.held(chunk, Fraction(1, 4)) == 327 - 303 - 8
    assert shown.held(chunk, Fraction(2)) == 0
