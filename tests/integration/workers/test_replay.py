"""A step that kills its workers is set aside alone, and is done again from its bundle, harming nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.bundle import Bundle
from rushes.errors import Blame
from rushes.model import ProbeResult
from rushes.noun import stored
from rushes.replaying import run
from rushes.states import AssetState
from rushes.workers.order import Done, Failed
from tests.integration.workers.conftest import Works, until
from tests.services.children import descendants

KILLS = """
import os, signal
from rushes.transcoder.source import run as probe
def run(job, workspace):
    if job.source.filename == "poison.mkv":
        os.kill(os.getpid(), signal.SIGKILL)
    return probe(job, workspace)
"""


async def replayed(step: str, works: Works, **more: Path) -> tuple[Bundle, Done | Failed]:
    given = {"source": None, "keep": None, **more}
    return await asyncio.to_thread(run, step, data=works.settings.data, **given)


def objects(works: Works) -> dict[str, int]:
    return {found.key: found.size for found in works.objects.list("")}


async def test_what_kills_its_worker_is_set_aside_alone_and_seen_again(
    works: Works, quick_clip: Path, planted: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file that kills what looks at it, beside one that does no harm
    planted(KILLS)
    poison = Path(shutil.copy(quick_clip, tmp_path / "poison.mkv"))
    bad, good = works.ingest(poison, "a"), works.ingest(quick_clip, "b")
    async with works.working():
        await until(lambda: works.all_final(bad, good), 90)
    # Then the one is set aside, and the other is done
    assert works.catalog.asset(good).state is AssetState.READY
    (found,) = works.catalog.quarantine()
    assert (found.asset, found.key) == (bad, "probe")
    before = objects(works)
    # When it is done again by what is printed beside it, it dies again, and nothing else has changed
    bundle, ended = await replayed(found.replay.removeprefix("rushes replay "), works)
    assert isinstance(ended, Failed)
    assert (ended.reason.code, ended.blame) == ("tool_killed", Blame.POISON)
    assert len(bundle.trials) == 3
    assert descendants() == []
    # And so it does from a file, with another source in its place; where nothing kills it, it is done
    monkeypatch.delenv("PYTHONPATH")
    file = tmp_path / "bundle.json"
    file.write_text(found.bundle, encoding="utf-8")
    _, again = await replayed(str(file), works, source=quick_clip, keep=tmp_path / "kept")
    assert isinstance(again, Done) and isinstance(again.result, ProbeResult)
    assert stored(Bundle, file.read_bytes()) == bundle
    assert objects(works) == before


async def test_a_step_that_writes_keeps_to_its_own_place(works: Works, quick_clip: Path, tmp_path: Path) -> None:
    asset = works.ingest(quick_clip)
    async with works.working():
        await until(lambda: works.all_final(asset), 90)
    before = objects(works)
    _, ended = await replayed(f"{asset}/encode.0", works, keep=tmp_path / "kept")
    assert isinstance(ended, Done)
    assert objects(works) == before
    assert [path for path in (tmp_path / "kept" / "objects").rglob("*.m4s")]
