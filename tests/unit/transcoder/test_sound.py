"""Whole argument lists for sound: a change of any of them has to be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.facts import AudioFacts
from rushes.ffmpeg.argv import input_args
from rushes.transcoder.inputs import Input
from rushes.transcoder.loudness import Level
from rushes.transcoder.sound import Samples, audio_args, measure_args, silence_args

CLIP = Path("/in/clip")
SOUND = AudioFacts(index=1, codec="aac", channels=2, sample_rate=44100)
ZERO = "aresample=osr=48000:ochl=stereo:osf=fltp:async=1:min_hard_comp=0.03:first_pts=0"
FITTED = "apad=whole_len=96000,atrim=end_sample=96000"
MP4 = (
    "-c:a aac -profile:a aac_low -b:a 128000 -ac 2 -map_metadata -1 -map_chapters -1"
    " -movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof -f mp4 -frag_duration 2000000 /out/audio.mp4"
)


@pytest.fixture
def clip(make_facts) -> Input:
    return Input(CLIP, make_facts(audio=(SOUND,)), (SOUND,))


def chain(arguments: list[str]) -> str:
    return arguments[arguments.index("-filter:a") + 1]


def test_audio(clip, profile):
    assert audio_args(clip, SOUND, profile.audio, Samples(96_000), Level(), Path("/out/audio.mp4")) == [
        *["-loglevel", "level+verbose", "-max_error_rate", "1"],
        *input_args(CLIP, "mov"),
        *["-map", "0:1", "-filter:a"],
        f"{ZERO},{FITTED}",
        *MP4.split(),
    ]


def test_the_meter_hears_what_is_encoded(clip, profile):
    level = Level(gain=6.2, ceiling=-2.0)
    encoded = chain(audio_args(clip, SOUND, profile.audio, Samples(96_000), level, Path("/out/audio.mp4")))
    limited = "aresample=192000,alimiter=limit=0.79433:attack=5:release=100:level=false:latency=true,aresample=48000"
    assert encoded == f"{ZERO},volume=volume=6.2dB:precision=float,{limited},{FITTED}"
    measured = measure_args(clip, SOUND, profile.audio, Samples(96_000), level)
    assert chain(measured) == f"{encoded},ebur128=peak=true:framelog=quiet"
    assert measured[-3:] == ["-f", "null", "-"]


def test_one_channel_is_measured_as_it_is_heard(clip, profile):
    mono = profile.audio.model_copy(update={"channels": 1})
    assert chain(measure_args(clip, SOUND, mono, Samples(1), Level())).endswith(":dualmono=true")


def test_a_stretch_from_the_middle(clip, profile):
    samples = Samples(48_000, first=24_000)
    found = chain(audio_args(clip, SOUND, profile.audio, samples, Level(), Path("/out/a")))
    assert found == f"{ZERO},apad=whole_len=72000,atrim=start_sample=24000:end_sample=72000,asetpts=PTS-STARTPTS"


def test_mono_keeps_its_level(clip, profile):
    mono = SOUND.model_copy(update={"channels": 1})
    found = chain(audio_args(clip, mono, profile.audio, Samples(96_000), Level(), Path("/out/audio.mp4")))
    assert found.startswith("pan=stereo|c0=c0|c1=c0,aresample=")


def test_silence(profile):
    assert silence_args(profile.audio, Samples(96_000), Path("/out/audio.mp4")) == [
        *["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-filter:a", "atrim=end_sample=96000"],
        *MP4.split(),
    ]
