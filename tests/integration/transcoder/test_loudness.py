"""Sound at one loudness, in its place to a few milliseconds: measured on what the step `audio` delivers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest

from rushes.options import Clip, Options

BARS = ("-f", "lavfi", "-i", "color=size=160x120:rate=30:duration={seconds}")
X264 = ("-c:v", "libx264", "-preset", "ultrafast")
RATE = 48000
CLICKS = (1.0, 2.5, 4.0)
CLICK = "+".join(f"between(t,{at},{at}+0.002)" for at in CLICKS)
SPEECHLIKE = "(0.5+0.5*sin(2*PI*3*t))*(0.6+0.4*sin(2*PI*0.3*t))*(sin(880*PI*t)+0.5*sin(2300*PI*t)+0.4*(random(0)-0.5))"
"""Syllables and phrases of two tones and some noise: a range of loudness, as a voice has."""


def sound(expression: str, seconds: float, channels: str = "mono") -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"aevalsrc='{expression}':s={RATE}:d={seconds}:c={channels}")


def picture(seconds: float) -> tuple[str, ...]:
    return tuple(part.format(seconds=seconds) for part in BARS)


def wanting(place: Any, **audio: Any) -> Any:
    targets = place.profile.audio.model_copy(update=audio)
    place.profile = place.profile.model_copy(update={"audio": targets})
    return place


def heard(place: Any, track: Any, tmp_path: Path) -> tuple[float, float]:
    """(integrated loudness in LUFS, true peak in dBTP) of a delivered track."""
    file = tmp_path / f"{track.name}.mp4"
    file.write_bytes(place.joined(track))
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-nostdin",
        "-i",
        str(file),
        "-af",
        "ebur128=peak=true",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr
    integrated = re.findall(r"I:\s+(\S+) LUFS", said)[-1]
    return float(integrated), float(re.findall(r"Peak:\s+(\S+) dBFS", said)[-1])


def clicks(samples: np.ndarray) -> list[float]:
    loud = np.flatnonzero(np.abs(samples).max(axis=1) > 0.4 * np.abs(samples).max())
    return [float(at) / RATE for at in loud[np.r_[True, np.diff(loud) > RATE // 4]]]


@pytest.mark.parametrize(
    ("name", "expression", "target"),
    [
        ("soft", f"0.05*{SPEECHLIKE}", -16.0),
        ("loud", f"0.55*{SPEECHLIKE}", -23.0),
        ("peaky", f"0.1*{SPEECHLIKE}+0.6*sin(1400*PI*t)*lt(mod(t,1),0.004)", -16.0),
        ("peaky", f"0.1*{SPEECHLIKE}+0.6*sin(1400*PI*t)*lt(mod(t,1),0.004)", -23.0),
    ],
)
def test_the_target_is_met_and_no_peak_passes_the_ceiling(stage, make_clip, tmp_path, name, expression, target):
    source = make_clip(f"{name}.mkv", *picture(12), *sound(expression, 12), *X264, "-c:a", "pcm_s16le")
    place = wanting(stage(source), loudness=target)
    (track,) = place.audio().tracks
    integrated, peak = heard(place, track, tmp_path)
    assert integrated == pytest.approx(target, abs=0.5)
    assert peak <= -1.0
    assert target - 0.2 <= track.loudness.integrated + track.loudness.gain <= target + 3
    assert track.loudness.limited == (name == "peaky")


def test_one_gain_for_the_whole_track(stage, make_clip):
    # Given three seconds of a tone, three of the same 12 dB softer, and three as before
    stairs = "0.2*sin(2000*PI*t)*(1-0.75*between(t,3,6))"
    source = make_clip("stairs.mkv", *picture(9), *sound(stairs, 9), *X264, "-c:a", "pcm_s16le")
    place = wanting(stage(source), loudness=-23.0)
    _, samples = place.sound(place.audio().tracks[0])
    power = [float(np.mean(samples[round(at * RATE) : round((at + 2) * RATE)] ** 2)) for at in (0.5, 3.5, 6.5)]
    # Then the steps between them are as high as they were
    assert 10 * np.log10(power[0] / power[1]) == pytest.approx(12.04, abs=0.2)
    assert 10 * np.log10(power[0] / power[2]) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "expression", "seconds"),
    [("silence", "0", 3), ("short", "0.2*sin(2000*PI*t)", 0.3), ("hiss", "0.0004*(random(0)-0.5)", 4)],
)
def test_silence_and_short_sounds_stay_as_they_are(stage, make_clip, name, expression, seconds):
    source = make_clip(f"{name}.mkv", *picture(seconds), *sound(expression, seconds), *X264, "-c:a", "pcm_s16le")
    place = wanting(stage(source), loudness=-16.0)
    (track,) = place.audio().tracks
    assert (track.loudness.integrated, track.loudness.gain) == (None, 0.0)
    _, samples = place.sound(track)
    assert np.abs(samples).max() < 0.25


def test_a_rooms_noise_is_not_made_loud(stage, make_clip, tmp_path):
    source = make_clip("room.mkv", *picture(4), *sound("0.003*(random(0)-0.5)", 4), *X264, "-c:a", "pcm_s16le")
    place = wanting(stage(source), loudness=-16.0)
    (track,) = place.audio().tracks
    assert (track.loudness.gain, track.loudness.limited) == (0.0, False)
    assert heard(place, track, tmp_path)[0] < -50


def test_the_same_bytes_every_time(stage, make_clip, tmp_path):
    peaky = f"0.1*{SPEECHLIKE}+0.6*sin(1400*PI*t)*lt(mod(t,1),0.004)"
    source = make_clip("peaky.mkv", *picture(12), *sound(peaky, 12), *X264, "-c:a", "pcm_s16le")
    place = wanting(stage(source), loudness=-16.0)
    found = []
    for attempt in range(2):
        place.root = tmp_path / f"attempt-{attempt}"
        place.root.mkdir()
        found.append(place.joined(place.audio().tracks[0]))
    assert found[0] == found[1]


def recorded(source: Path) -> list[float]:
    """Where the clicks are by the source's own timestamps, from its earliest one on."""
    with av.open(str(source)) as container:
        zero = min(stream.start_time * float(stream.time_base) for stream in container.streams)
        frames = [(frame.time, np.atleast_2d(frame.to_ndarray())) for frame in container.decode(audio=0)]
    found: list[float] = []
    for time, samples in frames:
        whole = samples.astype(float) / (32768 if samples.dtype == np.int16 else 1)
        loud = np.flatnonzero(np.abs(whole).max(axis=0) > 0.1)
        at = time - zero + (loud[0] / RATE if len(loud) else 0)
        if len(loud) and (not found or at - found[-1] > 0.25):
            found.append(at)
    return found


@pytest.mark.parametrize("loudness", [None, -20.0])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clicks.mp4", "aac"),
        ("clicks.mkv", "libopus"),
        ("clicks.ts", "aac"),
        ("clicks.mov", "pcm_s16le"),
        ("clicks.avi", "libmp3lame"),
    ],
)
def test_clicks_are_where_they_were(stage, make_clip, name, codec, loudness):
    """A file's priming is left out, and a limiter's delay too: within 10 ms of the source's own timestamps, and within
    30 ms of the recording where the container (TS, AVI) has no word for priming."""
    body = f"0.9*({CLICK})*sin(6000*PI*t)+0.01*sin(500*PI*t)"
    source = make_clip(name, *picture(5), *sound(body, 5), *X264, "-c:a", codec)
    place = wanting(stage(source), loudness=loudness)
    start, samples = place.sound(place.audio().tracks[0])
    assert start == pytest.approx(0, abs=0.001)
    assert clicks(samples) == pytest.approx(recorded(source), abs=0.01)
    assert clicks(samples) == pytest.approx(CLICKS, abs=0.03 if name.endswith(("ts", "avi")) else 0.005)
    assert len(samples) / RATE == pytest.approx(place.facts.duration, abs=0.02 + 1024 / RATE)


@pytest.mark.parametrize("late", ["picture", "sound"])
def test_clicks_keep_their_distance_from_a_picture_that_begins_elsewhere(stage, make_clip, late):
    """Whichever begins later, by an edit list: a click a second after time zero of the file stays there."""
    body = sound(f"0.9*({CLICK})*sin(6000*PI*t)", 5)
    offset = ("-itsoffset", "0.7")
    inputs = (*offset, *picture(5), *body) if late == "picture" else (*picture(5), *offset, *body)
    source = make_clip(f"late-{late}.mp4", *inputs, "-map", "0:v", "-map", "1:a", *X264, "-c:a", "aac")
    place = wanting(stage(source), loudness=None)
    _, samples = place.sound(place.audio().tracks[0])
    shift = 0.0 if late == "picture" else 0.7
    assert clicks(samples)[:2] == pytest.approx([at + shift for at in CLICKS[:2]], abs=0.02)


def test_a_clip_has_the_sound_of_its_own_stretch(stage, make_clip):
    # Given clicks at 1, 2.5 and 4 s, and a clip from 2 to 4.5 s that begins with the first frame shown then
    source = make_clip("clicks.mp4", *picture(5), *sound(f"0.9*({CLICK})*sin(6000*PI*t)", 5), *X264, "-c:a", "aac")
    place = wanting(stage(source), loudness=-20.0)
    place.options = Options(clip=Clip(start=2.0, end=4.5))
    (track,) = place.audio().tracks
    _, samples = place.sound(track)
    assert clicks(samples) == pytest.approx([0.5, 2.0], abs=0.01)
    assert len(samples) / RATE == pytest.approx(2.5, abs=1024 / RATE)


def test_every_channel_of_surround_is_heard_on_its_side(stage, make_clip):
    """5.1: left, right, centre, LFE, and both surrounds, one after the other for a second each."""
    each = "|".join(f"0.3*sin(1600*PI*t)*between(t,{n}+0.2,{n}+0.8)" for n in range(6))
    source = make_clip("channels.mkv", *picture(6), *sound(each, 6, "5.1"), *X264, "-c:a", "flac")
    place = wanting(stage(source), loudness=None)
    _, samples = place.sound(place.audio().tracks[0])
    power = np.array(
        [np.sqrt(np.mean(samples[round((n + 0.3) * RATE) : round((n + 0.7) * RATE)] ** 2, axis=0)) for n in range(6)]
    )
    front, centre = 0.3 / np.sqrt(2), 0.3 / 2
    # Then fronts keep their level, the centre and each surround are 3 dB lower (ITU-R BS.775-3 table 2), the LFE is left out
    assert power[0] == pytest.approx([front, 0], abs=0.01)
    assert power[1] == pytest.approx([0, front], abs=0.01)
    assert power[2] == pytest.approx([centre, centre], abs=0.01)
    assert power[3] == pytest.approx([0, 0], abs=0.01)
    assert power[4] == pytest.approx([centre, 0], abs=0.01)
    assert power[5] == pytest.approx([0, centre], abs=0.01)


def test_surround_that_would_clip_is_held(stage, make_clip, tmp_path):
    loud = "|".join(["0.8*sin(1600*PI*t)"] * 6)
    source = make_clip("full.mkv", *picture(3), *sound(loud, 3, "5.1"), *X264, "-c:a", "flac")
    place = wanting(stage(source), loudness=None)
    assert heard(place, place.audio().tracks[0], tmp_path)[1] <= -1.0


def test_silence_only_where_the_profile_wants_it(stage, make_clip):
    place = wanting(stage(make_clip("mute.mp4", *picture(3), *X264)), silence=True)
    (track,) = place.audio(duration=3.0).tracks
    _, samples = place.sound(track)
    assert (track.name, track.default, track.codecs) == ("audio", True, "mp4a.40.2")
    assert np.abs(samples).max() < 1e-4
    assert len(samples) / RATE == pytest.approx(3, abs=1024 / RATE)


def test_a_second_stream_stands_in_for_one_that_cannot_be_decoded(stage, make_clip):
    tones = (*sound("0.3*sin(1600*PI*t)", 4), *sound("0.3*sin(800*PI*t)", 4))
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a")
    source = make_clip("two.mkv", *picture(4), *tones, *maps, *X264, "-c:a:0", "ac3", "-c:a:1", "flac")
    place = wanting(stage(source), loudness=None)
    place.store.put_bytes("sources/t/a/1", source.read_bytes().replace(b"\x0b\x77", b"\0\0"))
    (track,) = place.audio().tracks
    assert (track.name, track.default) == ("audio", True)
    assert np.abs(place.sound(track)[1]).max() > 0.2
