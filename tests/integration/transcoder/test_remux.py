"""The step `remux`: standard sources are cut as they are, everything else is left to the encode."""

from __future__ import annotations

import numpy as np
import pytest

from rushes.model import Skipped

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast")


def bars(seconds: int, rate: int = 30) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={rate}:duration={seconds}")


TONE = ("-f", "lavfi", "-i", "sine=frequency=1000:duration=9")


def test_a_standard_clip_is_cut_as_it_is(stage, make_clip):
    # Given key pictures every second, B-pictures, and AAC with its priming
    source = make_clip("standard.mp4", *bars(9), *TONE, *X264, "-g", "30", "-flags", "+cgop", "-c:a", "aac", "-ac", "2")
    place = stage(source)
    result = place.remux()
    picture, sound = result.tracks
    assert result.provisional
    assert (picture.name, sound.name) == ("source", "source-audio")
    # Then segments last two seconds at least, and picture and sound are cut at the same times
    assert [segment.ticks / picture.timescale for segment in picture.segments] == pytest.approx([2, 2, 2, 2, 1])
    assert len(sound.segments) == 5
    frames = place.pictures(picture)
    assert len(frames) == 270
    assert frames[0][0] == pytest.approx(0, abs=0.001)
    start, samples = place.sound(sound)
    assert start == pytest.approx(0, abs=0.001)
    assert len(samples) / sound.sample_rate == pytest.approx(9, abs=0.05)


def test_pictures_are_the_sources_own(stage, make_clip, original):
    source = make_clip("silent9.mp4", *bars(9), *X264, "-g", "60", "-flags", "+cgop")
    place = stage(source)
    (picture,) = place.remux().tracks
    wanted = original(source, 4.0, 320, 240, "bt601")
    shown = place.pictures(picture)[120][1]
    assert np.abs(shown.astype(int) - wanted).mean() < 2


def test_the_rotation_is_kept(stage, make_clip):
    plain = make_clip("silent9.mp4", *bars(9), *X264, "-g", "60", "-flags", "+cgop")
    source = make_clip("turned9.mp4", "-display_rotation", "270", "-i", str(plain), "-c", "copy")
    place = stage(source)
    (picture,) = place.remux().tracks
    assert picture.rotation == place.facts.video.rotation == 90
    assert (picture.width, picture.height) == (320, 240)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        (
            "open.mp4",
            ("-g", "60", "-x264-params", "open-gop=1:bframes=3:b-adapt=0:scenecut=0:keyint=60:min-keyint=60"),
            "Not delivered",
        ),
        ("long.mp4", ("-g", "600"), "10.5 s apart"),
        ("ten.mp4", ("-profile:v", "high10", "-pix_fmt", "yuv420p10le"), "profile"),
    ],
)
def test_what_is_not_standard_is_skipped_with_its_reason(stage, make_clip, name, arguments, says):
    result = stage(make_clip(name, *bars(12), *X264, *arguments)).remux()
    assert isinstance(result, Skipped)
    assert result.reason.code == "not_standard"
    assert says in result.reason.message


def test_a_cut_off_start_is_left_to_the_encode(stage, make_clip):
    # Given a clip of which a camera's editor hides the first second by an edit list
    plain = make_clip("silent9.mp4", *bars(9), *X264, "-g", "60", "-flags", "+cgop")
    source = make_clip("edited.mp4", "-ss", "1", "-i", str(plain), "-c", "copy")
    assert isinstance(stage(source).remux(), Skipped)


def test_a_cut_off_end_is_left_to_the_encode(stage, make_clip):
    # Given a clip of which an editor hides the second half by its edit list, all pictures still being there
    plain = make_clip("silent9.mp4", *bars(9), *X264, "-g", "60", "-flags", "+cgop")
    data = bytearray(plain.read_bytes())
    at = data.index(b"elst") + 12  # past version, flags and count: the duration of the only edit
    shown = int.from_bytes(data[at : at + 4])
    data[at : at + 4] = (shown // 2).to_bytes(4)
    source = plain.with_name("halved9.mp4")
    source.write_bytes(data)
    place = stage(source)
    assert place.facts.video.duration == pytest.approx(4.5, abs=0.1)
    result = place.remux()
    assert isinstance(result, Skipped)
    assert "hides the last pictures" in result.reason.message


def test_sound_after_the_last_picture_is_left_out(stage, make_clip):
    source = make_clip("longer-sound.mp4", *bars(4), *TONE, *X264, "-g", "60", "-flags", "+cgop", "-c:a", "aac")
    picture, sound = stage(source).remux().tracks
    assert picture.duration == pytest.approx(4)
    assert sound.duration == pytest.approx(4, abs=0.05)


def test_a_cut_file_is_left_to_the_encode(stage, make_clip):
    source = make_clip("whole.mp4", *bars(9), *X264, "-g", "30", "-movflags", "+faststart")
    place = stage(source)
    place.store.put_bytes("sources/t/a/1", source.read_bytes()[: source.stat().st_size // 2])
    assert isinstance(place.remux(), Skipped)


def test_before_the_probe_it_is_the_same(stage, make_clip):
    # Given a source of which nothing is known yet
    source = make_clip("standard.mp4", *bars(9), *TONE, *X264, "-g", "30", "-flags", "+cgop", "-c:a", "aac", "-ac", "2")
    place = stage(source)
    known = place.remux()
    place.facts = None
    (place.root / "scratch-remux").rename(place.root / "before")
    assert place.remux().tracks == known.tracks


@pytest.mark.parametrize("name", ["other.mkv", "other.ts"])
def test_before_the_probe_other_containers_are_told_by_their_first_bytes(stage, make_clip, name):
    place = stage(make_clip(name, *bars(3), *X264))
    place.facts = None
    assert isinstance(place.remux(), Skipped)


def test_what_the_camera_wrote_beside_the_pictures_does_not_go_out(stage, make_clip):
    # Given a source whose encoder put its settings into the stream, as phones do with places
    source = make_clip("talks.mp4", *bars(5), *X264, "-g", "30", "-flags", "+cgop")
    assert b"x264 - core" in source.read_bytes()
    place = stage(source)
    (picture,) = place.remux().tracks
    assert b"x264 - core" not in place.joined(picture)
    assert len(place.pictures(picture)) == 150
