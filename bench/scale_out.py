"""Scaling out: one long source by 1 to N worker processes with one slot each, beside as many bare ffmpeg processes that encode
the same chunks on the same cores (`bench.scale`). PostgreSQL, Redis and the worker processes are real, the store is a directory.

`PROCESSES` (1,2), `MINUTES` of 1080p (1; about 70 CPU seconds each, four times over). From the last byte of the upload to
`ready`: looks, packages and publication too. The bare ones give way to other programs as ours do (`ffmpeg.giving_way`): beside
them, both take longer, and the load says so. What takes `PATIENCE` times as long as the bare ones ends with the steps that are
left.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.clips import landscape_1080p
from bench.scale import _bare, _lean_profile
from rushes.engine.job import ToolSettings
from rushes.ffmpeg.probe import probe
from rushes.settings import load_profile
from rushes.transcoder.ladder import plan
from rushes.workers.attempting import GIVING_WAY
from tests.acceptance.corpus import record, upload
from tests.services.fleet import Fleet
from tests.services.postgres import Postgres, binaries, running_postgres
from tests.services.redis import RedisServer

PROCESSES = [int(count) for count in os.environ.get("PROCESSES", "1,2").split(",")]
MINUTES = float(os.environ.get("MINUTES", "1"))
PATIENCE = 3.0
LEAST = 60.0
"""Seconds of patience beyond that: looks, sound, packages and publication of a short source."""
GENTLY = (
    sys.executable, "-c",
    "import os, sys; from rushes.ffmpeg.giving_way import give_way;"
    f"give_way({GIVING_WAY}); os.execv(sys.argv[1], sys.argv[1:])",
)  # fmt: skip


def main() -> None:
    programs = binaries()
    if programs is None:
        sys.exit("This benchmark needs PostgreSQL and redis-server.")
    with running_postgres(programs, durable=True) as postgres, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = RedisServer(folder)
        try:
            _compare(folder, postgres, redis)
        finally:
            redis.kill()


def _compare(folder: Path, postgres: Postgres, redis: RedisServer) -> None:
    clip, profile = landscape_1080p(folder, round(60 * MINUTES)), _lean_profile(folder)
    found = plan(probe(clip, ToolSettings()), load_profile(str(profile)))
    print(f"scale out: {MINUTES:g} min of 1080p, {len(found.chunks)} chunks, {os.cpu_count()} cores", flush=True)
    for count in PROCESSES:
        bare = _bare(clip, found.ladders[0], found.chunks, count, folder, front=GENTLY)
        fleet = Fleet(folder / f"fleet{count}", {
            "RUSHES_STORAGE_URL": f"file://{folder / f'objects{count}'}",
            "RUSHES_DATABASE_URL": postgres.fresh(), "RUSHES_BROKER_URL": redis.url(f"scale{count}"),
            "RUSHES_PROFILE": str(profile),
        })  # fmt: skip
        wall = _ours(fleet, clip, count, PATIENCE * bare.wall + LEAST)
        text = f"  {count} processes: bare ffmpeg {bare.wall:7.1f} s   ours {wall:7.1f} s   {bare.wall / wall:6.1%} of bare"
        print(f"{text}   (load {os.getloadavg()[0]:.1f})", flush=True)


def _ours(fleet: Fleet, clip: Path, count: int, patience: float) -> float:
    """Seconds. Ends the bench where that takes longer than `patience`."""
    fleet.folder.mkdir()
    try:
        fleet.migrate()
        url = fleet.serve()
        for _ in range(count):
            fleet.worker(slots=1)
        fleet.until(lambda: len(httpx.get(f"{url}/v1/fleet").json()["workers"]) == count, "the workers")
        asset = upload(url, clip)
        start = time.perf_counter()
        try:
            fleet.until(lambda: record(url, asset)["state"] in ("ready", "failed"), "ready", patience=patience)
        except TimeoutError:
            sys.exit(
                f"  {count} processes: not ready within {patience:.0f} s (load {os.getloadavg()[0]:.1f}): {_left(url, asset)}"
            )
        wall = time.perf_counter() - start
        assert record(url, asset)["state"] == "ready"
        return wall
    finally:
        fleet.stop()


def _left(url: str, asset: str) -> str:
    """Its steps that run or could."""
    steps = record(url, asset)["steps"]
    return ", ".join(f"{step['key']} {step['state']}" for step in steps if step["state"] in ("ready", "running"))


if __name__ == "__main__":
    main()
