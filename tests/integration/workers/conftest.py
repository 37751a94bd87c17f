"""A real worker in the test's own event loop: database, store, children and tools are all real."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rushes import wiring
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Upload
from rushes.clock import SystemClock
from rushes.facts import SourceRef
from rushes.ffmpeg.binary import find_binary
from rushes.keys import new_id, source_key
from rushes.model import Asset, StepView
from rushes.settings import load_settings
from rushes.states import Pool, StepState
from rushes.storage.open import open_store
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.telemetry import Telemetry
from rushes.workers.worker import Worker
from tests.services.children import command_of, descendants

PLANT = """
import sys
from rushes.engine.kinds import KINDS, Kind
from rushes.states import StepKind
if sys.argv[1:2] != ["-c"]:
    KINDS[StepKind.PROBE] = Kind(KINDS[StepKind.PROBE].pool, "planted")
"""


class Works:
    """A catalog with its store and, while `working`, a worker."""

    def __init__(self, data: Path, **settings: object) -> None:
        self.settings = load_settings({}, data=data, speech_draft=False, **{"profile": "fast", **settings})
        self.bell = MemoryDoorbell()
        self.telemetry = Telemetry()
        self.store = wiring.open_catalog(self.settings, self.bell)
        self.catalog = Catalog(self.store)
        self.pipeline = wiring.pipeline(self.settings, self.store)
        self.objects = open_store(self.settings.storage)

    def ingest(self, file: Path, tenant: str = "default") -> str:
        """An upload that is complete, and that nobody waits for: no first look is made. Gives the asset's id."""
        now = SystemClock().now()
        asset = Asset(id=new_id(now), tenant=tenant, created_at=now, policy="development", priority=-1)
        size = file.stat().st_size
        upload = Upload(id=new_id(now), asset=asset.id, tenant=tenant, length=size, created_at=now, expires_at=now + 60)
        key = source_key(tenant, asset.id, 1)
        copy = self.settings.data / f"incoming-{asset.id}"
        shutil.copyfile(file, copy)
        self.objects.put_file(key, copy)
        self.catalog.create_upload(upload, asset)
        self.catalog.finish_upload(upload.id, SourceRef(key=key, size=size, filename=file.name))
        return asset.id

    def step(self, asset: str, key: str) -> StepView | None:
        return next((step for step in self.catalog.steps(asset) if step.key == key), None)

    def is_running(self, asset: str, key: str, *, beyond: float = -1.0) -> bool:
        step = self.step(asset, key)
        return step is not None and step.state is StepState.RUNNING and step.progress > beyond

    def all_final(self, *assets: str) -> bool:
        return all(step.state.is_final for asset in assets for step in self.catalog.steps(asset))

    def attempts(self, step: str) -> list[tuple[str, str | None]]:
        """(outcome, reason code) of each, in their order."""
        with self.store.database.read() as tx:
            rows = tx.all("SELECT outcome, reason_code FROM attempts WHERE step = :id ORDER BY fence", {"id": step})
        return [(row["outcome"], row["reason_code"]) for row in rows]

    @asynccontextmanager
    async def working(self, pools: Sequence[Pool] = tuple(Pool), heartbeat: float = 0.3) -> AsyncIterator[Worker]:
        """Ends with a drain, after which no child may be left."""
        plant = wiring.plant(self.settings, self.store, self.bell, telemetry=self.telemetry)
        plant = replace(plant, heartbeat=heartbeat)
        worker = Worker(plant, pools, self.settings.slots)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task
            assert descendants() == []


def children() -> list[psutil.Process]:
    return descendants("rushes.workers.child", direct=True)


def busy_child(tool: str = "ffmpeg") -> psutil.Process | None:
    """A child that has this tool running below it."""
    for child in children():
        try:
            if any(tool in command_of(below) for below in child.children(recursive=True)):
                return child
        except psutil.NoSuchProcess:
            continue
    return None


async def until(condition: Callable[[], object], patience: float = 60.0) -> float:
    """Wait for it; gives the seconds it took."""
    clock = SystemClock()
    started = clock.monotonic()
    while not condition():
        assert clock.monotonic() - started < patience, "it did not come true in time"
        await asyncio.sleep(0.02)
    return clock.monotonic() - started


@pytest.fixture
def works(tmp_path: Path) -> Works:
    return Works(tmp_path / "data", slots=2)


@pytest.fixture(scope="session")
def slow_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes no fast lane and some seconds to encode."""
    return _clip(tmp_path_factory.mktemp("slow") / "slow.mkv", "1280x720", 8)


@pytest.fixture(scope="session")
def endless_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test waits for the end of its encode."""
    return _clip(tmp_path_factory.mktemp("endless") / "endless.mkv", "1280x720", 60)


@pytest.fixture(scope="session")
def quick_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _clip(tmp_path_factory.mktemp("quick") / "quick.mkv", "320x180", 2)


def _clip(path: Path, size: str, seconds: int) -> Path:
    picture = f"testsrc2=size={size}:rate=30:duration={seconds}"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "5", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the children do this source text, a module with a `run(job, workspace)`, in the place of the probe.

    No test is known to the product: children take PYTHONPATH along, and Python itself imports `sitecustomize` from it.
    """

    def plant(source: str) -> None:
        folder = tmp_path / "planted"
        folder.mkdir()
        (folder / "planted.py").write_text(source, encoding="utf-8")
        (folder / "sitecustomize.py").write_text(PLANT, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return plant
