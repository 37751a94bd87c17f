"""Tracks, jobs and workspaces for the packaging tests: measured segments without any media behind them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

ASSET = "0" * 26


def video(name: str = "720p", sizes: tuple[int, ...] = (500_000, 600_000, 100_000), **more: Any) -> Track:
    """4.004 s segments and a short last one, at 29.97 fps."""
    ticks = [120120] * (len(sizes) - 1) + [30030]
    segments = tuple(
        Segment(name=f"{n:05d}.m4s", ticks=t, size=s, keyframe_size=s // 10)
        for n, (t, s) in enumerate(zip(ticks, sizes, strict=True), 1)
    )
    fields: dict[str, Any] = {
        "name": name,
        "kind": "video",
        "prefix": f"media/{ASSET}/t/r/1/{name}/",
        "init_size": 700,
        "codecs": "avc1.64001f",
        "timescale": 30000,
        "segments": segments,
        "width": 1280,
        "height": 720,
        "fps": Fraction(30000, 1001),
    }
    return Track(**(fields | more))


def audio(name: str = "audio", **more: Any) -> Track:
    segments = tuple(
        Segment(name=f"{n:05d}.m4s", ticks=t, size=s)
        for n, (t, s) in enumerate([(192512, 65000), (192512, 64000), (49152, 16000)], 1)
    )
    fields: dict[str, Any] = {
        "name": name,
        "kind": "audio",
        "prefix": f"media/{ASSET}/t/a/1/{name}/",
        "init_size": 600,
        "codecs": "mp4a.40.2",
        "timescale": 48000,
        "segments": segments,
        "channels": 2,
        "sample_rate": 48000,
    }
    return Track(**(fields | more))


@pytest.fixture
def make_video() -> Callable[..., Track]:
    return video


@pytest.fixture
def make_audio() -> Callable[..., Track]:
    return audio


@pytest.fixture
def make_job() -> Callable[..., Job]:
    def make(kind: StepKind = StepKind.PACKAGE, build: int = 1, **more: Any) -> Job:
        fields: dict[str, Any] = {
            "step_id": "s",
            "key": str(kind),
            "kind": kind,
            "asset": ASSET,
            "tenant": "t",
            "fence": 7,
            "recipe": "pkg",
            "source": SourceRef(key=f"sources/t/{ASSET}/1", size=1),
            "profile": load_profile("fast"),
            "policy": load_policy("development"),
            "build": build,
        }
        return Job(**(fields | more))

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(MemoryStore(), tmp_path)


def board(name: str = "storyboard", **more: Any) -> Track:
    """Two sheets of 5 x 2 tiles, a second each; the last one ends where the picture does."""
    fields: dict[str, Any] = {
        "name": name,
        "kind": "image",
        "prefix": f"media/{ASSET}/t/s/1/{name}/",
        "init": None,
        "codecs": "jpeg",
        "timescale": 30000,
        "segments": (
            Segment(name="00001.jpg", ticks=300_000, size=40_000),
            Segment(name="00002.jpg", ticks=60_000, size=9_000),
        ),
        "width": 160,
        "height": 90,
        "tiles": (5, 2),
        "tile_ticks": 30_000,
    }
    return Track(**(fields | more))


@pytest.fixture
def make_board() -> Callable[..., Track]:
    return board
