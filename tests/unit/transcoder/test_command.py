"""Whole argument lists: a change of any of them has to be meant."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from rushes.facts import AudioFacts
from rushes.ffmpeg.argv import input_args
from rushes.plan import Viewing
from rushes.transcoder.command import decode_args, encode_args, preroll_args
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.filters import filter_graph
from rushes.transcoder.inputs import Input
from rushes.transcoder.kept import Kept
from rushes.transcoder.ladder import plan
from rushes.transcoder.loudness import Level
from rushes.transcoder.sound import Samples, audio_args
from rushes.transcoder.stretch import Stretch


def words(text: str) -> list[str]:
    return text.split(" ")


CLIP = Path("/in/clip")
SOUND = AudioFacts(index=1, codec="aac", channels=2, sample_rate=44100)
CONTAINER = (
    "-map_metadata -1 -map_chapters -1 -video_track_timescale 30000"
    " -movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof -f mp4"
)


@pytest.fixture
def small(make_facts):
    return make_facts(width=640, height=360, audio=(SOUND,))


def test_encode(small, profile):
    ladder = plan(small, profile).ladders[0]
    arguments = encode_args(Input(CLIP, small, (SOUND,)), ladder, [Path("/out/a"), Path("/out/b")], 100.0)
    assert arguments == [
        *words("-loglevel level+verbose -noautorotate -reinit_filter 0 -max_error_rate 1"),
        *input_args(CLIP, "mov"),
        "-filter_complex",
        filter_graph(small.video, ladder),
        *words("-map [v0] -t 100.000 -fps_mode passthrough -stats_enc_pre /out/a.shown -stats_enc_pre_fmt"),
        "{ptsi} {tbi}",
        *encoder_args(ladder.rungs[0], ladder.grid),
        *words(CONTAINER),
        "/out/a",
        *words("-map [v1] -t 100.000 -fps_mode passthrough"),
        *encoder_args(ladder.rungs[1], ladder.grid),
        *words(CONTAINER),
        "/out/b",
    ]


def test_a_stretch_is_sought_and_cut(small, profile):
    ladder = plan(small, profile).ladders[0]
    stretch = Stretch(ladder.grid, first=240, frames=120, seek=Fraction(13, 2), at=120)
    arguments = encode_args(Input(CLIP, small), ladder, [Path("/out/a"), Path("/out/b")], 100.0, stretch)
    # Then the place to read from is said of the input, and the frames are counted in the graph
    before = arguments[: arguments.index("-i")]
    assert before[7:13] == words("-copyts -start_at_zero -noaccurate_seek -ss 6.500000 -protocol_whitelist")
    assert filter_graph(small.video, ladder, stretch) in arguments
    assert arguments[-len(words(CONTAINER)) - 1 - len(encoder_args(ladder.rungs[1], ladder.grid, 120)) :] == [
        *encoder_args(ladder.rungs[1], ladder.grid, 120),
        *words(CONTAINER),
        "/out/b",
    ]


def test_pictures_that_are_kept_come_before_the_rungs_are_made_of_them(small, profile):
    ladder = plan(small, profile).ladders[0]
    kept = Kept(Path("/out/kept.yuv"), Viewing(model="phone", width=640, height=360), (5,))
    outputs = [Path("/out/a"), Path("/out/b")]
    plain, arguments = (encode_args(Input(CLIP, small), ladder, outputs, 100.0, None, one) for one in (None, kept))
    graph = arguments[arguments.index("-filter_complex") + 1]
    assert graph.endswith(";[v0]trim=end_frame=7,select='eq(n,5)+eq(n,6)'[kept]")
    assert [arguments[at + 1] for at, one in enumerate(arguments) if one == "-map"] == ["[v1]", "[v2]", "[kept]"]
    assert arguments[-8:] == words("-map [kept] -fps_mode passthrough -c:v rawvideo -f rawvideo /out/kept.yuv")[-8:]
    assert len(arguments) == len(plain) + 9


def test_what_lies_before_a_stretch_is_decoded_alone(small, profile):
    stretch = Stretch(plan(small, profile).grid, first=240, frames=120, seek=Fraction(13, 2))
    assert preroll_args(Input(CLIP, small), stretch) == [
        *words("-loglevel level+verbose -noautorotate -reinit_filter 0 -max_error_rate 1"),
        *words("-copyts -start_at_zero -noaccurate_seek -ss 6.500000 -threads 1"),
        *input_args(CLIP, "mov"),
        *words("-map 0:0 -filter:v trim=end=8.000000 -fps_mode passthrough -f null -"),
    ]


def test_decode_check():
    assert decode_args(CLIP) == ["-xerror", *input_args(CLIP, "mov"), *words("-map 0:0 -f null -")]


def test_streams_that_share_a_jumping_clock_are_read_by_every_command(make_facts, profile):
    # Given a transport stream, whose time zero is the earliest start of the streams in use
    facts = make_facts(demuxer="mpegts", audio=(SOUND,))
    source = Input(CLIP, facts, (SOUND,))
    ladder = plan(facts, profile).ladders[0]
    # Then picture and sound are read by both commands
    outputs = [Path(rung.name) for rung in ladder.rungs]
    assert encode_args(source, ladder, outputs, 1.0)[-7:] == words("-map 0:1 -c copy -f null -")
    sound = audio_args(source, SOUND, profile.audio, Samples(1), Level(), Path("a"))
    assert sound[-7:] == words("-map 0:0 -c copy -f null -")


def test_a_stream_without_a_known_rate_cannot_be_read_along(make_facts, profile):
    unknown = SOUND.model_copy(update={"sample_rate": 0})
    assert Input(CLIP, make_facts(demuxer="mpegts"), (unknown,)).companions(0) == []


def test_without_video_there_is_nothing_to_encode(make_facts, profile):
    facts = make_facts()
    source = Input(CLIP, facts.model_copy(update={"video": None}))
    with pytest.raises(ValueError, match="no ladder"):
        encode_args(source, plan(facts, profile).ladders[0], [], 1.0)
