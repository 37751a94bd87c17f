from __future__ import annotations

import pytest
from pydantic import ValidationError

from rushes.profiles import AudioTargets, CodecTarget, VideoTargets
from rushes.settings import load_profile

RUNGS = ({"short_side": 360, "max_bitrate": 800_000},)
H264 = {"codec": "h264", "preset": "veryfast", "crf": 23}


@pytest.mark.parametrize("name", ["fast", "balanced", "quality", "archive", "lazy"])
def test_shipped_profiles_begin_with_what_plays_everywhere(name: str):
    profile = load_profile(name)
    assert profile.name == name
    assert (profile.video.codecs[0].codec, profile.audio.codecs[0]) == ("h264", "aac")
    assert [target.hdr for target in profile.video.codecs[:2]] == [False] * min(2, len(profile.video.codecs))
    # Rates fall with the sizes, so that no rung is worth less than the one below it
    rates = [rung.max_bitrate for rung in sorted(profile.video.rungs, key=lambda rung: -rung.short_side)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("codecs", "sentence"),
    [
        ([{**H264, "codec": "hevc", "hdr": True}], "cannot be an HDR one"),
        ([H264, {**H264, "hdr": True}], "no HDR in H.264"),
        ([H264, {**H264, "preset": "slow"}], "named twice"),
        ([], "at least 1"),
        ([{**H264, "codec": "vp9"}], "h264"),
    ],
)
def test_codecs_that_make_no_sense_are_refused(codecs: list[dict[str, object]], sentence: str):
    with pytest.raises(ValidationError, match=sentence):
        VideoTargets.model_validate({"rungs": RUNGS, "codecs": codecs})


def test_hdr_beside_the_same_codec_is_no_double():
    codecs = [H264, {**H264, "codec": "hevc"}, {**H264, "codec": "hevc", "hdr": True}]
    found = VideoTargets.model_validate({"rungs": RUNGS, "codecs": codecs})
    assert found.codecs[2] == CodecTarget(codec="hevc", preset="veryfast", crf=23, hdr=True)


@pytest.mark.parametrize("codecs", [(), ("opus",), ("aac", "aac"), ("opus", "aac"), ("aac", "mp3")])
def test_sound_begins_with_aac(codecs: tuple[str, ...]):
    with pytest.raises(ValidationError):
        AudioTargets(codecs=codecs)


def test_sound_of_one_codec():
    targets = AudioTargets(codecs=("aac", "opus"), bitrate=128_000, opus_bitrate=64_000, sample_rate=44_100)
    assert (targets.only("aac").bitrate, targets.only("aac").sample_rate) == (128_000, 44_100)
    assert (targets.only("opus").bitrate, targets.only("opus").sample_rate) == (64_000, 48_000)
    assert targets.only("opus").codecs == ("opus",)


def test_profiles_of_older_assets_are_still_read():
    found = VideoTargets.model_validate({"rungs": RUNGS, "preset": "fast", "crf": 21, "threads": 4})
    assert found.codecs == (CodecTarget(codec="h264", preset="fast", crf=21),)


@pytest.mark.parametrize(
    ("rungs", "codec", "sentence"),
    [
        (RUNGS, {"lazy": True}, "the first codec is what an asset is ready with, so it cannot be lazy"),
        (({**RUNGS[0], "lazy": True},), {}, "at least one rung of the first codec must not be lazy"),
        (
            (*RUNGS, {"short_side": 720, "max_bitrate": 2_000_000, "lazy": True}),
            {"rungs": (720,)},
            "at least one rung of the first codec must not be lazy",
        ),
    ],
)
def test_an_asset_is_ready_with_something(
    rungs: tuple[dict[str, object], ...], codec: dict[str, object], sentence: str
):
    with pytest.raises(ValidationError, match=sentence):
        VideoTargets.model_validate({"rungs": rungs, "codecs": [H264 | codec]})


def test_only_a_profile_that_says_so_puts_anything_off():
    assert [
        name for name in ("fast", "balanced", "quality", "archive", "lazy") if load_profile(name).video.has_lazy
    ] == ["lazy"]
