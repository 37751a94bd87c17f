"""Where ffmpeg is, found without starting it."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import pytest

from rushes.errors import StepFailure
from rushes.ffmpeg.binary import find_binary


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    find_binary.cache_clear()
    yield
    find_binary.cache_clear()


def test_the_bundled_binary_is_found_without_running_it(monkeypatch):
    # Given a moment in which no process can be started
    def refuse(*arguments, **options):
        raise OSError("no process can be started now")

    expected = imageio_ffmpeg.get_ffmpeg_exe()
    imageio_ffmpeg._utils._get_ffmpeg_exe.cache_clear()
    monkeypatch.setattr(subprocess, "check_call", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    try:
        assert str(find_binary()) == expected
    finally:
        imageio_ffmpeg._utils._get_ffmpeg_exe.cache_clear()


def test_no_binary_at_all_is_our_fault(monkeypatch, tmp_path):
    def none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(StepFailure) as failure:
        find_binary()
    assert failure.value.code == "internal"


def test_a_named_binary_that_is_not_there_is_our_fault():
    with pytest.raises(StepFailure) as failure:
        find_binary("/nonexistent/ffmpeg")
    assert failure.value.code == "internal"
