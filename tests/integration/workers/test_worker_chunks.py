"""Chunks and real workers: what is lost with one of them is one chunk."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.states import AssetState
from tests.integration.workers.conftest import Works, busy_child, until

SMALL_CHUNKS = """
from rushes.transcoder import chunks, source
chunks.CPU_SECONDS = 1.0
run = source.run
"""
SECONDS = 26


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has an index, takes no fast lane."""
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    picture = f"testsrc2=size=640x360:rate=30:duration={SECONDS}"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "5", str(path)]
    subprocess.run(command, check=True)
    return path


async def test_a_killed_worker_costs_one_chunk(tmp_path: Path, long_clip: Path, planted: Callable[[str], None]) -> None:
    planted(SMALL_CHUNKS)
    works = Works(tmp_path / "data", slots=1)
    asset = works.ingest(long_clip)
    async with works.working():
        # Given three chunks, of which the second one is under way
        await until(lambda: works.is_running(asset, "encode.1") and busy_child("-start_at_zero"), 120)
        child = busy_child("-start_at_zero")
        assert child is not None
        # When the child that encodes it is killed
        child.send_signal(signal.SIGKILL)
        await until(lambda: works.all_final(asset), 180)
    # Then that chunk is encoded again, and no other
    steps = {step.key: step for step in works.catalog.steps(asset)}
    attempts = [works.attempts(steps[f"encode.{number}"].id) for number in range(3)]
    assert attempts == [[("done", None)], [("failed", "tool_killed"), ("done", None)], [("done", None)]]
    assert "encode.3" not in steps
    found = works.catalog.asset(asset)
    assert (found.state, found.partial) == (AssetState.READY, None)
    track = found.tracks[0]
    assert track.duration == pytest.approx(SECONDS)
    assert {segment.name.split("/")[-1] for segment in track.segments} >= {"00001.m4s", "00002.m4s"}
