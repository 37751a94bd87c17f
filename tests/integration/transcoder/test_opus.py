"""Opus beside AAC: the same sound at the same times, cut where the picture is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from rushes.isobmff.boxes import Box, find
from rushes.isobmff.movie import read_movie
from rushes.model import TracksResult


@pytest.fixture
def clip(make_clip: Callable[..., Path]) -> Path:
    """Silence for a second, a tone for two, silence again."""
    tone = "sine=frequency=440:duration=5:sample_rate=44100,volume='between(t,1,3)':eval=frame"
    return make_clip(
        "tone.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=5", "-f", "lavfi", "-i", tone,
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
    )  # fmt: skip


@pytest.fixture
def made(stage, clip: Path):
    found = stage(clip)
    targets = found.profile.audio.model_copy(update={"codecs": ("aac", "opus"), "sample_rate": 44_100})
    found.profile = found.profile.model_copy(update={"audio": targets})
    result = found.audio()
    assert isinstance(result, TracksResult)
    return found, result.tracks


def heard(data: bytes) -> tuple[float, float]:
    """Seconds at which the tone begins and ends."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
        rate = container.streams.audio[0].rate
    start = frames[0].time
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    loud = np.flatnonzero(np.abs(samples) > 0.5 * np.abs(samples).max())
    return start + loud[0] / rate, start + loud[-1] / rate


def test_both_codecs_are_heard_at_the_same_time(made) -> None:
    found, (aac, opus) = made
    assert [(track.name, track.codecs) for track in (aac, opus)] == [("audio", "mp4a.40.2"), ("audio-opus", "opus")]
    assert (opus.sample_rate, opus.timescale, aac.sample_rate) == (48_000, 48_000, 44_100)
    times = [heard(found.joined(track)) for track in (aac, opus)]
    assert times[0] == pytest.approx((1, 3), abs=0.03)  # the generator itself changes its level every 23 ms
    assert times[1] == pytest.approx(times[0], abs=0.005)
    assert len(aac.segments) == len(opus.segments) == 2
    assert opus.loudness == aac.loudness


def test_what_goes_before_is_cut_off_and_said(made) -> None:
    found, (_, opus) = made
    data = found.joined(opus)
    (track,) = read_movie(data)
    # The pre-skip is in the edit list; the roll of 80 ms, four packets back, is described once for all samples
    assert track.media_time == 312
    assert (track.first_pts + track.ticks - track.media_time) / 48_000 == pytest.approx(5, abs=0.021)
    moov = find(data, Box("file", 0, 0, len(data)), "moov")
    sgpd = find(data, moov, "trak/mdia/minf/stbl/sgpd")
    assert data[sgpd.body : sgpd.end] == bytes([2, 0, 0, 0]) + b"roll" + bytes(
        [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0xFF, 0xFC]
    )


def test_the_same_recipe_gives_the_same_bytes(stage, made, tmp_path: Path) -> None:
    found, tracks = made
    again = stage(found.source)
    again.root = tmp_path / "again"
    again.root.mkdir()
    again.__post_init__()
    again.profile = found.profile
    assert [again.joined(track) for track in again.audio().tracks] == [found.joined(track) for track in tracks]
