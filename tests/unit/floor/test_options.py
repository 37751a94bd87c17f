from __future__ import annotations

import pytest
from pydantic import ValidationError

from rushes.errors import Refused
from rushes.options import SAID, Clip, Mark, Options, Watermark, asked, clip_of, mark_of, parse_mark, playback_of
from rushes.profiles import CodecTarget, fitted
from rushes.settings import load_profile

LOGO = Watermark(name="logo", key="watermarks/t/logo/ab.png", width=60, height=30)


def test_what_says_nothing_asks_for_nothing() -> None:
    wanted = asked({"filename": "a.mp4", "clip_start": "", "watermark": ""})
    assert (wanted.profile, wanted.clip, wanted.watermark) == ("", None, None)


def test_an_uploads_metadata_may_ask_for_all_of_it() -> None:
    said = {"profile": "quality", "clip_start": "1.5", "clip_end": "4", "watermark": "logo, position=top-left,size=.2"}
    wanted = asked(said)
    assert wanted.profile == "quality"
    assert wanted.clip == Clip(start=1.5, end=4.0)
    assert wanted.watermark == Mark(name="logo", position="top-left", size=0.2)


def test_half_of_a_clip_is_one() -> None:
    assert asked({"clip_start": "2"}).clip == Clip(start=2.0)
    assert asked({"clip_end": "2"}).clip == Clip(end=2.0)


@pytest.mark.parametrize(
    "said",
    [
        {"clip_start": "4", "clip_end": "4"},
        {"clip_start": "-1"},
        {"clip_end": "0"},
        {"clip_start": "nan"},
        {"clip_end": "inf"},
        {"clip_end": "1e300"},
        {"clip_start": "1,5"},
        {"clip_start": "00:01"},
        {"clip_start": "1_0"},
        {"clip_start": "1e1"},
        {"clip_start": " 1"},
        {"clip_start": "."},
        {"clip_start": "\u0663"},
    ],
)
def test_no_clip_is_made_of_nonsense(said: dict[str, str]) -> None:
    with pytest.raises(Refused, match="bad_clip"):
        asked(said)


@pytest.mark.parametrize(
    "text",
    [
        "../logo", "Logo", "", " ", "logo,size=9", "logo,size=0", "logo,opacity=0", "logo,margin=0.5", "logo,position=here",
        "logo,key=sources/t/a/1", "logo,size", "x" * 65, "logo,size=1e-1", "logo,size=0_1",
    ],
)  # fmt: skip
def test_no_watermark_is_made_of_nonsense(text: str) -> None:
    with pytest.raises(Refused, match="bad_watermark"):
        parse_mark(text)


def test_a_profile_is_a_name() -> None:
    with pytest.raises(Refused, match="bad_profile"):
        asked({"profile": "x" * 65})


def test_only_an_asset_without_options_is_plain() -> None:
    assert Options().is_plain
    assert not Options(clip=Clip(start=1)).is_plain
    assert not Options(watermark=LOGO).is_plain


def test_nothing_else_goes_into_options() -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"crop": 1})


def test_a_cut_or_marked_asset_does_not_reuse_its_source() -> None:
    profile = load_profile("fast")
    assert fitted(profile, Options()) == profile
    for options in (Options(clip=Clip(start=1)), Options(watermark=LOGO)):
        assert not fitted(profile, options).video.reuse_source


def test_a_watermark_is_not_laid_on_hdr() -> None:
    plain, hdr = (CodecTarget(codec="hevc", preset="fast", crf=24, hdr=hdr) for hdr in (False, True))
    profile = load_profile("fast")
    both = profile.model_copy(update={"video": profile.video.model_copy(update={"codecs": (plain, hdr)})})
    assert fitted(both, Options(watermark=LOGO)).video.codecs == (plain,)
    assert fitted(both, Options(clip=Clip(start=1))).video.codecs == (plain, hdr)


def test_json_says_the_same_with_numbers() -> None:
    assert clip_of({"start": 1, "end": None}) == Clip(start=1.0)
    assert clip_of(None) is None
    assert mark_of({"name": "logo", "size": 1}) == Mark(name="logo", size=1.0)
    assert mark_of(None) is None


@pytest.mark.parametrize(
    "said",
    [{}, {"start": None}, {"start": True}, {"start": "1"}, {"start": 2, "end": 1}, {"from": 1}, [], "1-2", False],
)
def test_no_clip_is_made_of_other_json(said: object) -> None:
    with pytest.raises(Refused, match="bad_clip"):
        clip_of(said)


@pytest.mark.parametrize("said", [{}, {"name": "logo", "size": "0.2"}, {"name": "logo", "opacity": True}, "logo", []])
def test_no_watermark_is_made_of_other_json(said: object) -> None:
    with pytest.raises(Refused, match="bad_watermark"):
        mark_of(said)


@pytest.mark.parametrize(
    ("said", "playback"), [(None, "public"), ("", "public"), ("public", "public"), ("signed", "signed")]
)
def test_who_may_play(said: str | None, playback: str) -> None:
    assert playback_of(said) == playback
    assert asked({"playback": said or ""}).playback == playback
    assert "playback" in SAID


@pytest.mark.parametrize("said", ["Signed", "private", "signed ", 1, True, ["signed"]])
def test_who_may_play_is_one_of_two_words(said: object) -> None:
    with pytest.raises(Refused, match="`public` or `signed`"):
        playback_of(said)


def test_who_may_play_does_not_change_the_source() -> None:
    assert Options(playback="signed").is_plain
    assert Options.model_validate_json('{"clip": null}').playback == "public"  # records of before
