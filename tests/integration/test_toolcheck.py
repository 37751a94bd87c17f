"""The doctor's checks of tools, with the real tools and with tools that are missing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from rushes.moderation import nudenet
from rushes.moderation.detector import Absent
from rushes.settings import Settings
from rushes.workers import toolcheck


def test_ffmpeg_of_the_wheel():
    check = toolcheck.ffmpeg(Settings())
    assert check.ok, check.detail
    assert check.detail[0].isdigit() or check.detail[0] in "nN"


def test_ffmpeg_that_is_not_there():
    check = toolcheck.ffmpeg(Settings(ffmpeg="/nowhere/ffmpeg"))
    assert not check.ok
    assert "RUSHES_FFMPEG" in check.remedy


def test_a_program_that_is_no_ffmpeg():
    check = toolcheck.ffmpeg(Settings(ffmpeg="/bin/true"))
    assert not check.ok


def test_sandbox_says_which_mode():
    check = toolcheck.sandbox(Settings(sandbox="preferred"))
    assert check.ok
    assert check.detail.split()[0] in ("bwrap", "landlock", "rlimits", "off")
    off = toolcheck.sandbox(Settings(sandbox="off"))
    assert "not hidden" in off.detail


def test_speech_model_that_is_not_one(tmp_path: Path):
    check = toolcheck.speech(Settings(whisper_model=str(tmp_path)))
    assert not check.ok
    assert "model.bin" in check.detail
    assert "rushes models pull" in check.remedy


def test_speech_without_a_model_is_fine_and_says_so():
    assert toolcheck.speech(Settings(speech_draft=False)).detail.startswith("none")
    if find_spec("pocketsphinx"):
        assert "drafts" in toolcheck.speech(Settings()).detail


def test_policy_that_nothing_here_can_satisfy(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nversion = 1\npublish_when = "labelled"\nrequire_coverage = ["violence"]\n')
    check = toolcheck.policy(Settings(policy=str(path)))
    assert not check.ok
    assert "violence" in check.detail
    assert toolcheck.policy(Settings(policy="development")).ok


def test_strict_needs_a_detector(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nudenet, "find", lambda: Absent("nudenet", "The nudenet extra is not installed."))
    check = toolcheck.policy(Settings(policy="strict"))
    assert not check.ok
    assert "every asset will be held" in check.detail
    labels = toolcheck.visual_labels()
    assert "not_evaluated" in labels.detail


def test_strict_with_the_detector():
    if find_spec("nudenet") is None:
        pytest.skip("the nudenet extra is not installed")
    assert toolcheck.policy(Settings(policy="strict")).ok
    assert "AGPL" in toolcheck.visual_labels().detail
