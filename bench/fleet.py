"""What the engine costs: no-op steps through ring, claim, fence and complete, by 1, 2 and 4 worker processes, beside the two
bare statements that any queue in PostgreSQL needs; a claim among few and among many; and the CPU it adds to one real
transcode.

PostgreSQL with fsync, Redis with its log on, Swift as the store: all started here, on this machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from bench import dispatch
from bench.clips import landscape_720p
from rushes import wiring
from rushes.catalog.pipeline import Pipeline, Wish
from rushes.catalog.records import Claim, Upload
from rushes.engine.job import Job
from rushes.keys import new_id
from rushes.model import Asset, ImageArtifact, PosterResult, Result, Skipped, StepSpec
from rushes.noun import Reason
from rushes.settings import Settings, load_settings
from rushes.states import Pool, StepKind
from rushes.workers.doorbell import open_doorbell, open_listener
from tests.acceptance.corpus import all_settled, upload
from tests.services.fleet import Fleet
from tests.services.postgres import Postgres, binaries, running_postgres
from tests.services.redis import RedisServer
from tests.services.swift import Swift, home

STEPS = 2000
SKIPPED = Skipped(reason=Reason(code="not_evaluated", message="A no-op of the benchmark."))
POSTER = PosterResult(poster=ImageArtifact(key="artifacts/none", width=1, height=1))
NOOPS: dict[str, Result] = {"lint.bench": SKIPPED, "poster": POSTER}
"""By the key of their step: the first changes nothing but itself, as one chunk of many does; the second changes its asset and
tells an event."""


def main() -> None:
    with _services() as (folder, postgres, redis, swift):
        floor = _floor(postgres)
        print(f"fleet: {STEPS} no-op steps through ring, claim, fence and complete (PostgreSQL with fsync)")
        print(f"  floor, 1 process: two bare statements and commits a step   {floor:7.0f} steps/s")
        for processes, key in ((1, "lint.bench"), (2, "lint.bench"), (4, "lint.bench"), (4, "poster")):
            rate, times, passing = _throughput(postgres, redis, processes, key)
            print(
                f"  {processes} worker{'s' * (processes > 1):1}  {rate:7.0f} steps/s  claim and complete p50 {times[0]:.1f} ms"
                f"  p99 {times[1]:.1f} ms  ratio to the floor {rate / floor:.2f}"
                f"  {passing:.0%} claimed with the end of the one before{', each tells an event' * (key == 'poster')}"
            )
        dispatch.report(postgres)
        waits = _waits(postgres, redis)
        print(f"  from ready to claimed, idle fleet: p50 {waits[0]:.1f} ms  p99 {waits[1]:.1f} ms")
        _transcode(folder, postgres, redis, swift)


@contextmanager
def _services() -> Iterator[tuple[Path, Postgres, RedisServer, Swift]]:
    programs, place = binaries(), home()
    if programs is None or place is None or shutil.which("redis-server") is None:
        sys.exit("This benchmark needs PostgreSQL, redis-server and a file system with user attributes.")
    with running_postgres(programs, durable=True) as postgres, tempfile.TemporaryDirectory() as name:
        redis, swift = RedisServer(Path(name)), Swift(place)
        try:
            yield Path(name), postgres, redis, swift
        finally:
            redis.kill()
            swift.stop()
            shutil.rmtree(place, ignore_errors=True)


def _floor(postgres: Postgres) -> float:
    """Rows a second that one process takes with SKIP LOCKED and marks as done, each in a transaction of its own."""
    with psycopg.connect(postgres.empty(), autocommit=True) as connection:
        connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")
        connection.execute("INSERT INTO job SELECT n, 'ready' FROM generate_series(1, %s) n", (STEPS,))
        connection.execute("CREATE INDEX ready ON job (id) WHERE state = 'ready'")
        start = time.perf_counter()
        for _ in range(STEPS):
            row = connection.execute(
                "UPDATE job SET state = 'running' WHERE id = (SELECT id FROM job WHERE state = 'ready' ORDER BY id LIMIT 1"
                " FOR UPDATE SKIP LOCKED) RETURNING id"
            ).fetchone()
            connection.execute("UPDATE job SET state = 'done' WHERE id = %s", row)
        return STEPS / (time.perf_counter() - start)


def _settings(postgres: Postgres, redis: RedisServer) -> Settings:
    return load_settings({}, database_url=postgres.fresh(), broker_url=redis.url(f"bench-{time.monotonic_ns()}"))


def _plan(settings: Settings, count: int, key: str = "lint.bench") -> float:
    """Assets with one step each, over a few tenants. Gives the time at which the first was ready."""
    bell = open_doorbell(settings)
    store = wiring.open_catalog(settings, bell)
    catalog = wiring.catalog(store)
    now = time.time()
    for number in range(count):
        asset = Asset(id=new_id(now), tenant=f"tenant-{number % 5}", created_at=now, policy="development")
        record = Upload(
            id=new_id(now), asset=asset.id, tenant=asset.tenant, length=1, created_at=now, expires_at=now + 60
        )
        catalog.create_upload(record, asset)
    step = StepSpec(key=key, kind=StepKind.POSTER, pool=Pool.IMAGE, required=False)
    started = time.perf_counter()
    assets, cursor = catalog.assets(tenant=None, limit=count)
    assert cursor is None
    for planned in assets:
        with store.change() as change:
            change.add_steps(planned, [step])
    store.database.close()
    bell.close()
    return started


def _throughput(
    postgres: Postgres, redis: RedisServer, processes: int, key: str
) -> tuple[float, tuple[float, float], float]:
    """Steps a second, p50 and p99 in milliseconds of one claim with its completion, and the share of the claims that came with a
    completion."""
    settings = _settings(postgres, redis)
    _plan(settings, STEPS, key)
    address = json.dumps([settings.database_url, settings.broker_url])
    command = [sys.executable, "-m", "bench.fleet", address]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)]
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()  # it is ready
    with ThreadPoolExecutor(processes) as pool:
        answers = list(pool.map(lambda worker: worker.communicate(b"go\n")[0], workers))
    told = [json.loads(answer) for answer in answers]
    assert sum(len(found["times"]) for found in told) == STEPS, "a step was done twice, or not at all"
    elapsed = max(found["end"] for found in told) - min(found["start"] for found in told)
    times = sorted(took for found in told for took in found["times"])
    passing = sum(found["passing"] for found in told) / STEPS
    return STEPS / elapsed, (1e3 * statistics.median(times), 1e3 * times[int(0.99 * len(times))]), passing


def _work(database_url: str, broker_url: str) -> None:
    """A worker process of the benchmark: the real pipeline and the real bell, and no step to do. As a worker's slot does
    (`workers.dispatch`), it wishes for the next step with the end of each, and looks for itself where none comes."""
    settings = load_settings({}, database_url=database_url, broker_url=broker_url)
    bell = open_doorbell(settings)
    store = wiring.open_catalog(settings, bell)
    pipeline = wiring.pipeline(settings, store)
    pipeline.claim((Pool.VIDEO,), "bench")  # opens the connection
    print("ready", flush=True)
    sys.stdin.readline()
    wish, claim, passing = Wish((Pool.IMAGE,), "bench"), None, 0
    times, start, before = list[float](), time.time(), time.perf_counter()
    while claim := claim or pipeline.claim(wish.pools, wish.worker):
        claim = _done(pipeline, claim, wish)
        passing += claim is not None
        now = time.perf_counter()
        times.append(now - before)
        before = now
    print(json.dumps({"start": start, "end": time.time(), "times": times, "passing": passing}))
    store.database.close()
    bell.close()


def _done(pipeline: Pipeline, claim: Claim, wish: Wish) -> Claim | None:
    counted, following = pipeline.complete_and_claim(claim.job, NOOPS[claim.job.key], 0.0, wish)
    assert counted
    return following


def _waits(postgres: Postgres, redis: RedisServer, rounds: int = 200) -> tuple[float, float]:
    """p50 and p99 in milliseconds from the transaction that makes a step ready to its claim by a listening worker."""
    settings = _settings(postgres, redis)

    async def listen() -> list[float]:
        bell = open_doorbell(settings)
        store = wiring.open_catalog(settings, bell)
        pipeline, catalog = wiring.pipeline(settings, store), wiring.catalog(store)
        listener = open_listener(settings, (Pool.IMAGE,))
        waits: list[float] = []

        def make() -> float:
            now = time.time()
            asset = Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
            record = Upload(id=new_id(now), asset=asset.id, tenant="t", length=1, created_at=now, expires_at=now + 60)
            catalog.create_upload(record, asset)
            with store.change() as change:
                change.add_steps(asset, [StepSpec(key="poster", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False)])
            return time.perf_counter()

        async def hear() -> tuple[Job, float]:
            while True:
                await listener.wait(2.0)
                listener.free((Pool.IMAGE,))
                claim = await asyncio.to_thread(pipeline.claim, (Pool.IMAGE,), "bench")
                if claim:
                    return claim.job, time.perf_counter()

        for _ in range(rounds):
            ear = asyncio.create_task(hear())
            ready = await asyncio.to_thread(make)
            job, claimed = await ear
            waits.append(claimed - ready)
            await asyncio.to_thread(pipeline.complete, job, SKIPPED, 0.0)
        listener.close()
        bell.close()
        store.database.close()
        return sorted(waits)

    waits = asyncio.run(listen())
    return 1e3 * statistics.median(waits), 1e3 * waits[int(0.99 * len(waits))]


def _transcode(folder: Path, postgres: Postgres, redis: RedisServer, swift: Swift) -> None:
    """CPU of worker, database and Redis while one real clip goes through the fleet, beside that of its steps."""
    fleet = Fleet(folder, {
        "RUSHES_DATABASE_URL": postgres.fresh(), "RUSHES_BROKER_URL": redis.url("transcode"),
        "RUSHES_STORAGE_URL": swift.url(swift.bucket()), **swift.environment,
    })  # fmt: skip
    url, worker = fleet.serve(), fleet.worker()
    clip = landscape_720p(folder)
    try:
        all_settled(url, [upload(url, clip)])  # the first one pays for imports and caches
        with clip.open("ab") as end:  # another file, by a box that readers skip: else the work would be copied
            end.write((12).to_bytes(4, "big") + b"free" + bytes(4))
        before = _cpu(worker.pid, postgres, redis)
        start = time.perf_counter()
        (record,) = all_settled(url, [upload(url, clip)])
        wall = time.perf_counter() - start
        engine = _cpu(worker.pid, postgres, redis) - before
        steps = record["cost"]["cpu_seconds"]
        print(f"  one real transcode (30 s of 720p, all steps): {wall:.1f} s wall, steps {steps:.1f} CPU-s")
        print(f"  engine beside it (worker, PostgreSQL, Redis): {engine:.2f} CPU-s, ratio {engine / steps:.3f}")
    finally:
        fleet.stop()


def _cpu(worker: int, postgres: Postgres, redis: RedisServer) -> float:
    """CPU seconds so far of the worker's own process, Redis, and PostgreSQL with its backends."""
    server = psutil.Process(postgres.pid)
    members: Sequence[psutil.Process] = [
        psutil.Process(worker), psutil.Process(redis.pid), server, *server.children(recursive=True),
    ]  # fmt: skip
    return sum(used.user + used.system for used in (member.cpu_times() for member in members))


if __name__ == "__main__" and len(sys.argv) > 1:
    os.environ.pop("RUSHES_CONFIG", None)
    _work(*json.loads(sys.argv[1]))
