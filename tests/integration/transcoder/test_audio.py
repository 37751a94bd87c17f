"""The step `audio` on generated clips: what is heard, and when."""

from __future__ import annotations

import av
import numpy as np
import pytest

from rushes.model import Skipped

BARS = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=30:duration=5")
X264 = ("-c:v", "libx264", "-preset", "ultrafast")
RATE = 48000
AAC_FRAME = 1024 / RATE


def tone(seconds: float, source: str = "sine=frequency=1000") -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"{source}:duration={seconds}")


def loudness(samples: np.ndarray, start: float, end: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start * RATE) : round(end * RATE)] ** 2)))


def as_recorded(place):
    """With a profile that leaves loudness alone."""
    audio = place.profile.audio.model_copy(update={"loudness": None})
    place.profile = place.profile.model_copy(update={"audio": audio})
    return place


def test_sound_is_stereo_aac_as_long_as_the_picture(stage, make_clip):
    place = as_recorded(stage(make_clip("mono.mp4", *BARS, *tone(5), *X264, "-c:a", "aac", "-ac", "1")))
    (track,) = place.audio().tracks
    assert (track.name, track.codecs, track.channels, track.sample_rate) == ("audio", "mp4a.40.2", 2, RATE)
    start, samples = place.sound(track)
    assert start == pytest.approx(0, abs=0.001)
    assert len(samples) / RATE == pytest.approx(5, abs=AAC_FRAME)
    # And both sides carry the one channel there was, at its level
    assert loudness(samples[:, :1], 1, 4) == pytest.approx(loudness(samples[:, 1:], 1, 4), rel=0.01)
    assert loudness(samples, 1, 4) == pytest.approx(0.125 / np.sqrt(2), rel=0.05)
    assert track.default


def test_segments_begin_at_the_frames_next_to_the_grids_cuts(stage, make_clip):
    place = stage(make_clip("long.mkv", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30:duration=9", *tone(9)))
    (track,) = place.audio().tracks
    assert len(track.segments) == 3
    ends = np.cumsum([segment.ticks for segment in track.segments]) / RATE - AAC_FRAME
    assert ends[:2] == pytest.approx([4, 8], abs=AAC_FRAME)
    assert ends[2] == pytest.approx(9, abs=AAC_FRAME)


def test_a_beep_is_heard_when_it_was_recorded(stage, make_clip):
    # Given silence with a beep from 2.0 to 2.5 s
    place = stage(
        make_clip(
            "beep.mp4",
            *BARS,
            *tone(5),
            *("-filter:a", "volume='between(t,2,2.5)':eval=frame", *X264, "-c:a", "aac"),
        )
    )
    _, samples = place.sound(place.audio().tracks[0])
    heard = np.flatnonzero(np.abs(samples[:, 0]) > 0.03)
    assert heard[0] / RATE == pytest.approx(2.0, abs=0.03)
    assert heard[-1] / RATE == pytest.approx(2.5, abs=0.05)


def test_surround_is_mixed_down(stage, make_clip):
    # Given 5.1 sound that comes from the centre only
    surround = "aevalsrc=0|0|0.3*sin(2000*PI*t)|0|0|0:channel_layout=5.1"
    place = stage(make_clip("surround.mp4", *BARS, *tone(5, surround), *X264, "-c:a", "aac"))
    _, samples = place.sound(place.audio().tracks[0])
    assert samples.shape[1] == 2
    assert 0.02 < loudness(samples[:, :1], 1, 4) == pytest.approx(loudness(samples[:, 1:], 1, 4), rel=0.02)


def test_sound_that_begins_late_is_preceded_by_silence(stage, make_clip):
    source = make_clip(
        "late-sound.mkv", *BARS, "-itsoffset", "1.5", *tone(3), "-map", "0:v", "-map", "1:a", *X264, "-c:a", "aac"
    )
    start, samples = (place := stage(source)).sound(place.audio().tracks[0])
    assert start == pytest.approx(0, abs=0.001)
    assert loudness(samples, 0, 1.4) < 0.001
    assert loudness(samples, 1.6, 4) > 0.05
    assert len(samples) / RATE == pytest.approx(5, abs=AAC_FRAME)


@pytest.mark.parametrize("seconds", [2, 12])
def test_sound_ends_with_the_picture(stage, make_clip, seconds):
    place = stage(make_clip(f"sound{seconds}.mp4", *BARS, *tone(seconds), *X264, "-c:a", "aac"))
    _, samples = place.sound(place.audio().tracks[0])
    assert len(samples) / RATE == pytest.approx(5, abs=AAC_FRAME)
    assert (loudness(samples, 3, 4.9) < 0.001) == (seconds == 2)


def test_the_length_asked_for_wins_over_the_declared_one(stage, make_clip):
    place = stage(make_clip("mono.mp4", *BARS, *tone(5), *X264, "-c:a", "aac", "-ac", "1"))
    _, samples = place.sound(place.audio(duration=3.0).tracks[0])
    assert len(samples) / RATE == pytest.approx(3, abs=AAC_FRAME)


def test_sound_is_as_long_as_a_picture_that_begins_late(stage, make_clip):
    # Given a picture that begins two seconds after the sound, and the engine's word that it lasts five
    source = make_clip(
        "late-picture.mkv", "-itsoffset", "2", *BARS, *tone(7), "-map", "0:v", "-map", "1:a", *X264, "-c:a", "aac"
    )
    place = stage(source)
    assert place.facts.video.duration == pytest.approx(5, abs=0.05)
    # Then it fills the two seconds of held picture as well
    _, samples = place.sound(place.audio(duration=place.facts.video.duration).tracks[0])
    assert len(samples) / RATE == pytest.approx(7, abs=0.05)
    assert loudness(samples, 6, 6.9) > 0.05


def test_a_short_gap_in_the_sound_does_not_shift_what_follows(stage, make_clip):
    # Given fragments without edit lists, whose sound jumps by 59 ms after its first frame, and a beep at 2 s
    source = make_clip(
        "fragments.mp4",
        *(*BARS, *tone(5), "-filter:a", "volume='between(t,2,2.5)':eval=frame"),
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-c:a", "aac"),
        *("-movflags", "frag_keyframe+empty_moov"),
    )
    place = stage(source)
    with av.open(str(source)) as container:
        frames = [(frame.time, np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio=0)]
    recorded = next(time for time, level in frames if level > 0.03)
    _, samples = place.sound(place.audio().tracks[0])
    heard = np.flatnonzero(np.abs(samples[:, 0]) > 0.03)[0] / RATE
    assert recorded - 0.01 <= heard <= recorded + 0.035


def test_each_language_is_a_track(stage, make_clip):
    source = make_clip(
        "languages.mkv",
        *(*BARS, *tone(5), *tone(5, "sine=frequency=500"), *tone(5)),
        *("-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:a", *X264, "-c:a", "libopus"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:a:2", "language=eng"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", "-disposition:a:2", "0"),
    )
    tracks = stage(source).audio().tracks
    assert [(track.language, track.default) for track in tracks] == [("de", True), ("en", False)]
    assert [track.name for track in tracks] == ["audio", "audio-en"]


def test_a_transport_streams_picture_and_sound_share_time_zero(stage, make_clip):
    # Given a transport stream whose picture begins 0.8 s before its sound, and a beep 2 s into the picture
    source = make_clip(
        "offset.ts",
        *(*BARS, "-itsoffset", "0.8", *tone(4)),
        *("-filter:a", "volume='between(t,2,2.5)':eval=frame", "-map", "0:v", "-map", "1:a", *X264, "-c:a", "aac"),
    )
    _, samples = (place := stage(source)).sound(place.audio().tracks[0])
    heard = np.flatnonzero(np.abs(samples[:, 0]) > 0.03)
    assert heard[0] / RATE == pytest.approx(2.0, abs=0.05)


def test_without_sound_the_step_has_nothing_to_do(stage, make_clip):
    result = stage(make_clip("silent.mp4", *BARS, *X264)).audio()
    assert isinstance(result, Skipped)
    assert result.reason.code == "no_audio"


def test_unreadable_sound_does_not_fail_the_asset(stage, make_clip):
    # Given a clip whose sound alone was overwritten
    source = make_clip("noise.mkv", *BARS, *tone(5), *X264, "-c:a", "ac3")
    place = stage(source)
    data = source.read_bytes().replace(b"\x0b\x77", b"\0\0")
    place.store.put_bytes("sources/t/a/1", data)
    result = place.audio()
    assert isinstance(result, Skipped)
    assert result.reason.code == "audio_unreadable"


def test_sound_goes_on_behind_damage_at_its_time(stage, make_clip):
    # Given a transport stream with a beep at 3.5 s, damaged before it for so long that the demuxer loses its way
    picture = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=5")
    whole = make_clip(
        "damaged.ts",
        *(*picture, *tone(5), "-filter:a", "volume='between(t,3.5,4)':eval=frame"),
        *("-c:v", "mpeg2video", "-b:v", "3M", "-c:a", "mp2"),
    )
    data = bytearray(whole.read_bytes())
    start, length = len(data) * 4 // 10, max(150_000, len(data) // 10)
    data[start : start + length] = bytes(length)
    whole.with_name("damage.ts").write_bytes(data)
    place = stage(whole.with_name("damage.ts"))
    (track,) = place.audio().tracks
    _, samples = place.sound(track)
    assert len(samples) / RATE == pytest.approx(5, abs=0.1)
    heard = np.flatnonzero(np.abs(samples[:, 0]) > 0.03)
    assert heard[0] / RATE == pytest.approx(3.5, abs=0.06)
    assert any("the sound has gaps" in warning for warning in place.facts.warnings)
