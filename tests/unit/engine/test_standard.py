from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine.standard import not_standard
from rushes.facts import AudioFacts, SourceFacts, VideoFacts

SOUND = AudioFacts(index=1, codec="aac", profile="LC", channels=2, sample_rate=48000)


def source(audio: tuple[AudioFacts, ...] = (SOUND,), **changes) -> SourceFacts:
    """A phone clip that needs no encode, with changes to the video's facts (or the file's, prefixed `file_`)."""
    video = {"index": 0, "codec": "h264", "profile": "High", "width": 1920, "height": 1080, "fps": Fraction(30)}
    video |= {key: value for key, value in changes.items() if not key.startswith("file_")}
    whole = {"container": "mp4", "demuxer": "mov", "size": 20_000_000, "duration": 20.0, "keyframes": (0.0, 2.0, 4.0)}
    whole |= {key.removeprefix("file_"): value for key, value in changes.items() if key.startswith("file_")}
    return SourceFacts(**whole, video=VideoFacts(**video), audio=audio)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rotation": 90},
        {"profile": "Constrained Baseline"},
        {"profile": "Baseline"},
        {"file_keyframes": (0.0, 10.43)},
        {"pix_fmt": "yuvj420p", "full_range": True},
        {"width": 1080, "height": 1920},
        {"width": 1920, "height": 1088},
        {"fps": Fraction(60000, 1001)},
        {"file_keyframes": ()},
        {"file_keyframes": (0.0,), "file_duration": 8.0},
        {"vfr": True},
        {"file_keyframes": (0.0,), "duration": 4.0, "file_duration": 60.0},  # the sound is longer
    ],
)
def test_standard_sources_take_the_fast_lane(changes):
    assert not_standard(source(**changes)) is None


def test_silent_video_is_standard():
    assert not_standard(source(audio=())) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"codec": "hevc"}, "codec is hevc"),
        ({"profile": "High 10"}, "profile is High 10"),
        ({"profile": None}, "profile is unknown"),
        ({"pix_fmt": "yuv422p"}, "pixel format"),
        ({"bit_depth": 10}, "pixel format"),
        ({"interlaced": True}, "interlaced"),
        ({"hdr": "hlg"}, "HDR"),
        ({"sar": Fraction(16, 11)}, "square"),
        ({"flip": True}, "mirrored"),
        ({"width": 3840, "height": 2160}, "3840x2160"),
        ({"width": 1440, "height": 1440}, "1440x1440"),
        ({"fps": Fraction(120)}, "frame rate"),
        ({"start": 0.5}, "start together"),
        ({"file_container": "webm"}, "container is webm"),
        ({"file_size": 80_000_000}, "bit rate"),
        ({"file_bitrate": 25_000_000}, "bit rate"),
        ({"file_keyframes": (0.0, 11.0)}, "keyframes"),
        ({"file_keyframes": (0.0,)}, "keyframes"),
    ],
)
def test_everything_else_is_encoded_first(changes, reason):
    assert reason in (not_standard(source(**changes)) or "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codec": "opus"}, "audio codec is opus"),
        ({"profile": "HE-AAC"}, "HE-AAC"),
        ({"channels": 6}, "6 channels"),
        ({"start": 0.4}, "start together"),
    ],
)
def test_sound_has_to_be_aac_stereo_from_the_start(change, reason):
    assert reason in (not_standard(source(audio=(SOUND.model_copy(update=change),))) or "")


def test_a_file_without_picture_is_not_standard():
    assert not_standard(source().model_copy(update={"video": None})) == "there is no video"
