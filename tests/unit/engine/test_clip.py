from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine.clip import check_holds, clip_start, in_source, shown, span
from rushes.errors import StepFailure
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.options import Clip, Options
from rushes.plan import Chunk

NTSC = Fraction(30000, 1001)
FACTS = SourceFacts(
    container="mp4", demuxer="mov", size=1000, duration=10.5, bitrate=800,
    video=VideoFacts(index=0, codec="h264", width=640, height=360, fps=Fraction(25), duration=10.0, start=0.5, frames=250),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000, duration=10.5),),
    keyframes=(0.5, 2.5, 4.5, 6.5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("clip", "fps", "first", "frames"),
    [
        (None, Fraction(25), 0, None),
        (Clip(start=1.5, end=4.0), Fraction(25), 38, 62),
        (Clip(start=1.52, end=4.0), Fraction(25), 38, 62),
        (Clip(start=0, end=0.04), Fraction(25), 0, 1),
        (Clip(start=2), Fraction(30), 60, None),
        (Clip(start=0.1, end=0.3), Fraction(10), 1, 2),
        (Clip(start=1001 / 1000, end=2002 / 1000), NTSC, 30, 30),
        (Clip(start=0.033, end=0.067), NTSC, 1, 2),
        (Clip(start=0.01, end=0.02), Fraction(25), 1, 1),
    ],
)
def test_a_clip_has_the_frames_whose_times_lie_in_it(
    clip: Clip | None, fps: Fraction, first: int, frames: int | None
) -> None:
    assert span(clip, fps) == (first, frames)


def test_where_a_clip_starts_is_where_its_first_frame_is_shown() -> None:
    assert clip_start(Options(clip=Clip(start=1.5)), Fraction(25)) == Fraction(38, 25)
    assert clip_start(Options(), NTSC) == 0


@pytest.mark.parametrize(
    ("chunk", "clip", "expected"),
    [
        (Chunk(), None, (0, None)),
        (Chunk(number=1, first=50, frames=50), None, (50, 50)),
        (Chunk(), Clip(start=2, end=6), (50, 100)),
        (Chunk(number=1, first=50, frames=None), Clip(start=2, end=6), (100, 50)),
        (Chunk(first=0, frames=50), Clip(start=2, end=6), (50, 50)),
        (Chunk(number=1, first=50, frames=200), Clip(start=2, end=6), (100, 50)),
        (Chunk(number=9, first=500, frames=None), Clip(start=2, end=6), (550, 0)),
        (Chunk(number=1, first=50, frames=None), Clip(start=2), (100, None)),
    ],
)
def test_a_chunk_of_the_clip_lies_in_the_source(
    chunk: Chunk, clip: Clip | None, expected: tuple[int, int | None]
) -> None:
    found = in_source(chunk, clip, Fraction(25))
    assert (found.first, found.frames) == expected
    assert found.number == chunk.number


def test_without_a_clip_the_facts_are_those_of_the_source() -> None:
    assert shown(FACTS, Options()) is FACTS


def test_a_clips_facts_are_as_long_as_it_is() -> None:
    found = shown(FACTS, Options(clip=Clip(start=2, end=5)))
    assert found.video is not None
    assert (found.duration, found.video.duration, found.video.start) == (3.0, 3.0, 0.0)
    assert [(stream.duration, stream.start) for stream in found.audio] == [(3.0, 0.0)]
    assert found.size == pytest.approx(1000 * 3 / 10.5, abs=1)
    assert found.keyframes == (0.5, 2.5)
    assert found.bitrate == FACTS.bitrate


def test_a_clip_ends_with_its_source_at_the_latest() -> None:
    found = shown(FACTS, Options(clip=Clip(start=10, end=60)))
    assert found.duration == pytest.approx(0.5)


def test_a_clip_behind_the_end_is_refused() -> None:
    with pytest.raises(StepFailure, match="clip_outside"):
        shown(FACTS, Options(clip=Clip(start=10.5)))


@pytest.mark.parametrize(("end", "cut_off"), [(None, 3.0), (20.0, 3.0), (11.5, 1.0), (10.5, 0.0), (5.0, 0.0)])
def test_a_clip_misses_what_the_source_misses_of_it(end: float | None, cut_off: float) -> None:
    assert FACTS.video is not None
    cut = FACTS.model_copy(update={"video": FACTS.video.model_copy(update={"cut_off": 3.0})})
    found = shown(cut, Options(clip=Clip(start=2, end=end))).video
    assert found is not None
    assert found.cut_off == pytest.approx(cut_off)


@pytest.mark.parametrize(
    ("start", "fps", "holds"), [(10.44, 25, True), (10.45, 25, False), (10.2, 5, True), (10.21, 5, False)]
)
def test_a_clip_behind_the_last_frame_is_outside(start: float, fps: int, holds: bool) -> None:
    options = Options(clip=Clip(start=start))
    if holds:
        check_holds(options, FACTS, Fraction(fps))
        return
    with pytest.raises(StepFailure) as caught:
        check_holds(options, FACTS, Fraction(fps))
    assert caught.value.code == "clip_outside"


def test_a_single_frame_holds_what_begins_with_it() -> None:
    assert FACTS.video is not None
    one = FACTS.model_copy(
        update={"audio": (), "video": FACTS.video.model_copy(update={"start": 0.0, "duration": 0.033})}
    )
    check_holds(Options(), one, Fraction(30))
    check_holds(Options(clip=Clip(start=0)), one, Fraction(30))
    with pytest.raises(StepFailure, match="clip_outside"):
        check_holds(Options(clip=Clip(start=0.02)), one, Fraction(30))
