"""The whole pipeline on a bucket: no step may need a local object."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.keys import tombstone_key
from rushes.states import AssetState, Publication, StepKind, StepState
from rushes.storage.store import IMMUTABLE, POINTER
from tests.integration.workers.conftest import Works, until
from tests.services.swift import Swift


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Picture and sound, and no fast lane."""
    path = tmp_path / "clip.mkv"
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=5", "-f", "lavfi", "-i", "sine=duration=5"]
    command = [str(find_binary()), "-v", "error", *inputs, "-c:v", "mpeg4", "-q:v", "5", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


async def test_from_the_source_to_the_tombstone(s3: Swift, tmp_path: Path, clip: Path) -> None:
    prefix = f"pipeline/{secrets.token_hex(6)}"
    works = Works(tmp_path / "data", slots=2, storage_url=s3.url(s3.shared, prefix))
    async with works.working():
        asset = works.ingest(clip)
        await until(lambda: works.all_final(asset), 90)
        found = works.catalog.asset(asset)
        assert (found.state, found.publication) == (AssetState.READY, Publication.PUBLISHED)
        done = {step.kind for step in works.catalog.steps(asset) if step.state is StepState.DONE}
        assert {StepKind.PROBE, StepKind.ENCODE, StepKind.AUDIO, StepKind.PACKAGE, StepKind.PUBLISH} <= done
        assert StepKind.POSTER in done
        keys = [each.key for each in works.objects.list("")]
        for track in found.tracks:
            assert track.init is None or track.prefix + track.init in keys
            for segment in track.segments:
                info = works.objects.head(track.prefix + segment.name)
                assert (info.size, info.cache_control) == (segment.size, IMMUTABLE)
        master = works.objects.head(f"media/{asset}/master.m3u8")
        assert (master.content_type, master.cache_control) == ("application/vnd.apple.mpegurl", POINTER)
        assert any(key.endswith("/poster.jpg") for key in keys)
        # When it is deleted
        works.catalog.delete(asset)
        await until(lambda: works.all_final(asset), 30)
    # Then nothing of it is left in the bucket
    assert [each.key for each in works.objects.list("")] == [tombstone_key(asset)]
    assert not (tmp_path / "data" / "objects").exists()
