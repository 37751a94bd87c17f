from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.plan import Chunk, Grid, Ladder, Rung
from rushes.tracks import Segment, Track
from rushes.transcoder import verify
from rushes.transcoder.verify import Measured

GRID = Grid(fps=Fraction(30000, 1001), gop_frames=60, segment_frames=120)
LADDER = Ladder(
    rungs=(
        Rung(name="360p", width=640, height=360, crf=23, max_bitrate=800_000, buffer_bits=1_600_000),
        Rung(name="240p", width=426, height=240, crf=23, max_bitrate=400_000, buffer_bits=800_000),
    ),
    grid=GRID,
)

WHOLE = Chunk()


def good(name: str = "360p", frames: int = 150) -> Measured:
    rung = next(rung for rung in LADDER.rungs if rung.name == name)
    return Measured(name, rung.width, rung.height, frames, frames * 1001, 0, tuple(range(0, frames, 60)))


def check(*rungs: Measured, chunk: Chunk = WHOLE) -> int:
    return verify.check_rungs(rungs, LADDER, chunk)


def refused(*rungs: Measured) -> StepFailure:
    with pytest.raises(StepFailure) as failure:
        check(*rungs)
    return failure.value


def test_good_rungs_give_their_frames():
    assert check(good(), good("240p")) == 150


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frames": 149, "ticks": 149 * 1001}, "149 frames"),
        ({"width": 424}, "424x240"),
        ({"starts_at": 2002}, "starts at tick 2002"),
        ({"syncs": (0, 120)}, r"lacks key pictures at frames \[60\]"),
        ({"syncs": (0, 61, 120)}, "lacks key pictures"),
        ({"ticks": 152 * 1001}, "lasts"),
    ],
)
def test_a_wrong_rung_is_our_fault_and_says_why(change, says):
    failure = refused(good(), replace(good("240p"), **change))
    assert (failure.code, failure.blame) == ("verify_failed", Blame.TRANSIENT)
    assert re.search(says, failure.detail)


def test_more_key_pictures_than_asked_do_no_harm():
    assert check(replace(good(), syncs=(0, 30, 60, 120)), good("240p")) == 150


def test_no_frames_is_the_creators_fault():
    failure = refused(good(frames=0), good("240p", 0))
    assert (failure.code, failure.blame) == ("no_decodable_frames", Blame.PERMANENT)


def test_a_later_chunk_may_lie_behind_the_end_of_its_source():
    later = Chunk(number=1, first=240, frames=240)
    assert check(good(frames=0), good("240p", 0), chunk=later) == 0
    assert check(good(), good("240p"), chunk=later) == 150


def test_a_chunk_has_no_more_frames_than_planned():
    with pytest.raises(StepFailure, match="verify_failed"):
        check(good(), good("240p"), chunk=Chunk(frames=120))


@pytest.mark.parametrize(
    ("chunk", "frames"),
    [
        (Chunk(), 300),
        (Chunk(first=0, frames=120), 120),
        (Chunk(number=2, first=240), 60),
        (Chunk(number=2, first=240, frames=120), 60),
        (Chunk(number=3, first=360), 0),
    ],
)
def test_what_a_chunk_is_to_give(chunk, frames):
    assert verify.expected_frames(chunk, 10.01, GRID) == frames


def test_a_rung_without_pictures_is_our_fault():
    assert refused(good()).code == "verify_failed"
    assert refused().code == "no_decodable_frames"


def test_the_decode_check_counts():
    verify.check_decoded(150, 150)
    with pytest.raises(StepFailure, match="verify_failed"):
        verify.check_decoded(150, 149)


def test_the_declared_length_is_the_pictures(make_facts):
    assert verify.declared_seconds(make_facts(duration=20.0, start=1.5)) == 20.0
    earlier = AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000, start=1.0)
    assert verify.declared_seconds(make_facts(duration=20.0, start=1.5, audio=(earlier,))) == 20.5
    facts = make_facts(duration=20.0).model_copy(update={"duration": 60.0})
    assert verify.declared_seconds(facts) == 20.0
    assert verify.declared_seconds(facts.model_copy(update={"video": None})) == 60.0


def sound(frames: int, *, priming: int = 1024, delay: Fraction = Fraction(0)) -> MovieTrack:
    samples = [Sample(n * 1024, 0, 1024, n, 1, True) for n in range(frames)]
    return MovieTrack(2, "soun", 48000, b"", "mp4a.40.2", media_time=priming, samples=samples, delay=delay)


def test_sound_has_to_last_as_long_as_asked_to_within_a_frame():
    verify.check_audio(sound(95), 94 * 1024 / 48000)
    verify.check_audio(sound(95), 2.0)
    with pytest.raises(StepFailure, match="verify_failed"):
        verify.check_audio(sound(95), 2.05)
    with pytest.raises(StepFailure, match="verify_failed"):
        verify.check_audio(sound(95, delay=Fraction(1, 2)), 2.0)


def track(timescale: int, ticks: int, start: int = 0) -> Track:
    segment = Segment(name="00001.m4s", ticks=ticks, size=1)
    return Track(
        name="t", kind="video", prefix="p/", codecs="c", timescale=timescale, segments=(segment,), start_ticks=start
    )


def test_offsets_of_sound_and_picture():
    # Given 5 s of picture, and sound of 5.02 s of which the first 1024 samples are priming
    start, end = verify.offsets(track(30000, 150_000), track(48000, 240_960 + 1024), 1024)
    assert start == pytest.approx(0, abs=1e-9)
    assert end == pytest.approx(0.02)
