"""Whole argument lists: a change of any of them has to be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.facts import AudioFacts
from rushes.ffmpeg.argv import input_args
from rushes.transcoder.command import audio_args, decode_args, encode_args, remux_args, slices
from rushes.transcoder.filters import filter_graph
from rushes.transcoder.inputs import Input
from rushes.transcoder.ladder import plan


def words(text: str) -> list[str]:
    return text.split(" ")


CLIP = Path("/in/clip")
SOUND = AudioFacts(index=1, codec="aac", channels=2, sample_rate=44100)
X264 = (
    "-c:v libx264 -preset veryfast -profile:v high -pix_fmt yuv420p -crf 23 -maxrate {rate} -bufsize {buffer}"
    " -g 60 -keyint_min 60 -sc_threshold 0 -forced-idr 1 -x264-params open-gop=0:stitchable=1:sliced-threads=1 -threads 1"
    " -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"
    " -map_metadata -1 -map_chapters -1 -video_track_timescale 30000"
    " -movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof -f mp4"
)


@pytest.fixture
def small(make_facts):
    return make_facts(width=640, height=360, audio=(SOUND,))


def test_encode(small, profile):
    ladder = plan(small, profile)
    arguments = encode_args(Input(CLIP, small, (SOUND,)), ladder, profile, [Path("/out/a"), Path("/out/b")], 100.0)
    assert arguments == [
        *words("-loglevel level+verbose -noautorotate -reinit_filter 0 -max_error_rate 1"),
        *input_args(CLIP, "mov"),
        "-filter_complex",
        filter_graph(small.video, ladder),
        *words("-map [v0] -t 100.000 -fps_mode passthrough"),
        *words(X264.format(rate=800_000, buffer=1_600_000)),
        "/out/a",
        *words("-map [v1] -t 100.000 -fps_mode passthrough"),
        *X264.format(rate=ladder.rungs[1].max_bitrate, buffer=ladder.rungs[1].buffer_bits).split(),
        "/out/b",
    ]


def test_the_number_of_threads_is_the_profiles_if_it_names_one(small, profile):
    fixed = profile.model_copy(update={"video": profile.video.model_copy(update={"threads": 2})})
    arguments = encode_args(Input(CLIP, small), plan(small, fixed), fixed, [Path("a"), Path("b")], 1.0)
    assert arguments[arguments.index("-threads") + 1] == "2"


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(1920, 1080, 4), (720, 1280, 2), (480, 854, 1), (256, 144, 1)]
)
def test_large_pictures_are_cut(make_facts, profile, width: int, height: int, expected: int):
    assert slices(plan(make_facts(width=width, height=height), profile).rungs[0]) == expected


def test_audio(small, profile):
    assert audio_args(Input(CLIP, small, (SOUND,)), SOUND, profile.audio, 96_000, Path("/out/audio.mp4")) == [
        *words("-loglevel level+verbose -max_error_rate 1"),
        *input_args(CLIP, "mov"),
        *words("-map 0:1 -filter:a"),
        "aresample=osr=48000:ochl=stereo:async=1:min_hard_comp=0.03:first_pts=0,apad=whole_len=96000,atrim=end_sample=96000",
        *words("-c:a aac -profile:a aac_low -b:a 128000 -ac 2 -map_metadata -1 -map_chapters -1"),
        *words("-movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof -f mp4"),
        *words("-frag_duration 2000000 /out/audio.mp4"),
    ]


def test_mono_keeps_its_level(small, profile):
    mono = SOUND.model_copy(update={"channels": 1})
    arguments = audio_args(Input(CLIP, small, (mono,)), mono, profile.audio, 96_000, Path("/out/audio.mp4"))
    assert arguments[arguments.index("-filter:a") + 1].startswith("pan=stereo|c0=c0|c1=c0,aresample=")


def test_remux(small):
    assert remux_args(Input(CLIP, small, (SOUND,)), Path("/out/source.mp4")) == [
        *input_args(CLIP, "mov"),
        *words("-map 0:0 -map 0:1 -c copy -map_metadata -1 -map_chapters -1"),
        *words("-movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof -f mp4 /out/source.mp4"),
    ]


def test_decode_check():
    assert decode_args(CLIP) == ["-xerror", *input_args(CLIP, "mov"), *words("-map 0:0 -f null -")]


def test_streams_that_share_a_jumping_clock_are_read_by_every_command(make_facts, profile):
    # Given a transport stream, whose time zero is the earliest start of the streams in use
    facts = make_facts(demuxer="mpegts", audio=(SOUND,))
    source = Input(CLIP, facts, (SOUND,))
    ladder = plan(facts, profile)
    # Then picture and sound are read by both commands
    outputs = [Path(rung.name) for rung in ladder.rungs]
    assert encode_args(source, ladder, profile, outputs, 1.0)[-7:] == words("-map 0:1 -c copy -f null -")
    assert audio_args(source, SOUND, profile.audio, 1, Path("a"))[-7:] == words("-map 0:0 -c copy -f null -")


def test_a_stream_without_a_known_rate_cannot_be_read_along(make_facts, profile):
    unknown = SOUND.model_copy(update={"sample_rate": 0})
    assert Input(CLIP, make_facts(demuxer="mpegts"), (unknown,)).companions(0) == []


def test_without_video_there_is_nothing_to_encode(make_facts, profile):
    facts = make_facts()
    source = Input(CLIP, facts.model_copy(update={"video": None}))
    with pytest.raises(ValueError, match="no ladder"):
        encode_args(source, plan(facts, profile), profile, [], 1.0)
    with pytest.raises(ValueError, match="no fast lane"):
        remux_args(source, Path("a"))
