from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from struct import pack

import pytest

from rushes.facts import SourceFacts, VideoFacts
from rushes.isobmff.boxes import box
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.plan import Grid, Plan
from rushes.settings import load_profile
from rushes.transcoder.cuts import CutError
from rushes.transcoder.ladder import plan
from rushes.transcoder.reuse import frame_numbers, may_be, on_grid, with_reuse

PROFILE = load_profile("fast")
RATE = Fraction(30000, 1001)


def facts(**changes: object) -> SourceFacts:
    known = {"width": 1280, "height": 720, "fps": RATE, "duration": 20.02, "bitrate": 2_000_000, "matrix": "bt709"}
    video = VideoFacts.model_validate({"index": 0, "codec": "h264", "profile": "High", **known, **changes})
    return SourceFacts(container="mp4", demuxer="mov", size=5_000_000, duration=20.02, video=video, indexed=True)


def track(frames: int = 600, gop: int = 60, size: int = 8000) -> MovieTrack:
    """At 90 kHz, every third picture reordered, key pictures every `gop` frames."""
    samples = []
    for at in range(frames):
        place = at % gop
        swap = {1: 1, 2: -1}.get(place % 3, 0) if place and place - place % 3 + 2 < min(gop, frames - at + place) else 0
        samples.append(Sample(at * 3003, (swap + 1) * 3003, 3003, at * size, size, place == 0))
    return MovieTrack(1, "vide", 90_000, b"", "avc1.64001f", 1280, 720, media_time=3003, samples=samples, edits=1)


def made(found: SourceFacts) -> Plan:
    return plan(found, PROFILE)


def test_a_good_source_becomes_the_top_rung_and_its_key_pictures_the_grid() -> None:
    found = with_reuse(made(facts()), track(), facts(), PROFILE)
    assert found.reuse
    assert found.top is not None and found.top.name == "720p"
    assert found.grid.starts == tuple(range(0, 600, 60))
    assert [rung.name for rung in found.ladders[0].rungs] == [rung.name for rung in made(facts()).ladders[0].rungs[1:]]
    assert all(ladder.grid == found.grid for ladder in found.ladders)
    assert all(chunk.first in found.grid.starts for chunk in found.chunks)


@pytest.mark.parametrize(
    "changes",
    [
        {"codec": "hevc"},
        {"profile": "High 10"},
        {"rotation": 90},
        {"flip": True},
        {"vfr": True},
        {"interlaced": True},
        {"sar": Fraction(4, 3)},
        {"full_range": True},
        {"bitrate": 9_000_000},
        {"width": 1281},
        {"primaries": "smpte432"},
        {"width": 640, "height": 360, "matrix": None},
        {"width": 3840, "height": 2160},
    ],
)
def test_what_is_no_rung_of_ours_is_encoded(changes: dict[str, object]) -> None:
    found = facts(**changes)
    assert may_be(found, PROFILE, made(found)) is None


def test_a_profile_may_not_want_it() -> None:
    video = PROFILE.video.model_copy(update={"reuse_source": False})
    assert may_be(facts(), PROFILE.model_copy(update={"video": video}), made(facts())) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (track(gop=240), "would last"),
        (track(size=20_000), "rate"),
        (replace(track(), width=1920, height=1080), "another size"),
        (replace(track(), sar=(4, 3)), "another size"),
        (replace(track(), edits=2), "edit list"),
        (replace(track(), delay=Fraction(1, 10)), "edit list"),
        (replace(track(), shown=Fraction(10)), "hides"),
        (replace(track(), media_time=0), "missing"),
        (replace(track(), samples=[track().samples[0]._replace(duration=0)]), "no time"),
        (replace(track(), samples=track().samples[:300] + track().samples[301:]), "missing"),
    ],
)
def test_an_index_that_says_otherwise_is_heard(changed: MovieTrack, says: str) -> None:
    with pytest.raises(CutError, match=says):
        with_reuse(made(facts()), changed, facts(), PROFILE)


def test_a_burst_is_no_rung() -> None:
    quiet = track(size=2000)
    loud = [sample._replace(size=40_000) if 120 <= at < 180 else sample for at, sample in enumerate(quiet.samples)]
    with pytest.raises(CutError, match="a part of the source"):
        with_reuse(made(facts()), replace(quiet, samples=loud), facts(), PROFILE)


def test_pictures_are_put_exactly_on_their_frames() -> None:
    grid = Grid(fps=RATE, gop_frames=60, segment_frames=120)
    # Given the clock of a phone, which rounds to 1/600 s
    rounded = [
        sample._replace(dts=round(sample.dts / 150), offset=round(sample.pts / 150) - round(sample.dts / 150))
        for sample in track().samples
    ]
    coarse = replace(track(), timescale=600, samples=rounded, media_time=20)
    moved = on_grid(coarse, grid)
    assert moved.timescale == grid.timescale
    assert sorted(sample.pts for sample in moved.samples) == [number * grid.frame_ticks for number in range(600)]
    assert frame_numbers(coarse, grid) == frame_numbers(track(), grid)


def test_a_rate_that_varies_is_not_on_the_grid() -> None:
    grid = Grid(fps=RATE, gop_frames=60, segment_frames=120)
    late = [
        sample._replace(offset=sample.offset + (1500 if 100 < at < 110 else 0))
        for at, sample in enumerate(track().samples)
    ]
    with pytest.raises(CutError, match="off the constant rate"):
        frame_numbers(replace(track(), samples=late), grid)


@pytest.mark.parametrize("transfer", [16, 18])
def test_an_index_that_says_hdr_of_pictures_that_are_not(transfer: int) -> None:
    """Players believe it, so this rung would look unlike the others; and no playlist could say what it is."""
    colr = box("colr", b"nclx", pack(">HHHB", 9, transfer, 9, 0))
    wrong = replace(track(), sample_entry=box("avc1", bytes(78), colr))
    with pytest.raises(CutError, match="HDR"):
        with_reuse(made(facts()), wrong, facts(), PROFILE)
    with_reuse(made(facts()), replace(wrong, sample_entry=box("avc1", bytes(78))), facts(), PROFILE)
