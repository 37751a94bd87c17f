"""What traces cost: the calls in a step's way, switched off and on; and no-op steps through claim and complete, by turns without
a collector, with one, and with one that nobody answers for. CPU is that of the whole process, with the thread that sends."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rushes import wiring
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.records import Upload
from rushes.catalog.telling import Ended
from rushes.engine.job import Job
from rushes.ffmpeg.meter import Run
from rushes.keys import new_id
from rushes.model import Asset, Skipped, StepSpec
from rushes.noun import Reason
from rushes.settings import load_settings
from rushes.states import Pool, StepKind
from rushes.storage.timed import Requests
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.order import Ran
from rushes.workers.parts import for_later
from rushes.workers.spans import Spans, open_spans
from tests.services.collector import listening
from tests.services.postgres import Postgres, binaries, running_postgres

STEPS, ROUNDS, CALLS = 600, 5, 450
DEAD = "http://127.0.0.1:9"
SKIPPED = Skipped(reason=Reason(code="not_evaluated", message="A no-op of the benchmark."))
RUN = Run(program="ffmpeg", verb="libx264", began=1.0, seconds=1.0, cpu_seconds=1.0, exit=0, frames=60)
RAN = Ran(tools=(RUN, RUN), store={op: Requests(began=1.0, ended=2.0, count=3) for op in ("get", "put")})
"""What a child tells of a usual step."""


def main() -> None:
    programs = binaries()
    if programs is None:
        sys.exit("This benchmark needs PostgreSQL.")
    with running_postgres(programs, durable=True) as postgres, _collector() as url:
        floor = _step(postgres, Spans(None))[0]
        print(f"traces: a no-op step (claim and complete, PostgreSQL with fsync) takes {1e3 * floor:.2f} ms")
        for name, spans in (("off", Spans(None)), ("on", Spans(lambda _: ""))):
            call = min(_calls(spans) for _ in range(ROUNDS))
            print(f"  calls in its way, {name:3}  {1e6 * call:6.2f} µs  {call / floor:.2%} of it")
        _compare(
            postgres,
            {
                "no collector": ("", "1"),
                "a collector": (url, "1"),
                "of a twentieth": (url, "0.05"),
                "a dead one": (DEAD, "1"),
            },
        )


def _compare(postgres: Postgres, ways: dict[str, tuple[str, str]]) -> None:
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, told in ways.items():
            found[way].append(_step(postgres, _spans(*told)))
    base = [statistics.median(column) for column in zip(*found["no collector"], strict=True)]
    for way, rounds in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"  {way:14}  {1e3 * wall:.2f} ms a step ({wall / base[0] - 1:+.1%})"
            f"  CPU {1e6 * cpu:.0f} µs ({1e6 * (cpu - base[1]):+.0f} µs)"
        )


def _spans(url: str, share: str) -> Spans:
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    if url:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    os.environ["OTEL_TRACES_SAMPLER"] = "traceidratio"
    os.environ["OTEL_TRACES_SAMPLER_ARG"] = share
    return open_spans(os.environ, "bench")


def _calls(spans: Spans) -> float:
    """Seconds that a step spends on its trace: whether it is wanted, what its child told, that it ended."""
    job = Job.model_construct(step_id="s", fence=1, asset="a")
    ended = Ended("poster", "done", step="s", fence=1)
    start = time.perf_counter()
    for _ in range(CALLS):
        if spans.traces(job.asset):
            spans.later(for_later(job, RAN))
        spans(ended)
    return (time.perf_counter() - start) / (CALLS)


def _step(postgres: Postgres, spans: Spans) -> tuple[float, float]:
    """(seconds of claim and complete, median; CPU seconds of everything) of one step."""
    settings = load_settings({}, database_url=postgres.fresh())
    store = wiring.open_catalog(settings, MemoryDoorbell(), tell=spans)
    catalog, pipeline = wiring.catalog(store), wiring.pipeline(settings, store)
    now = time.time()
    for number in range(STEPS):
        asset = Asset(id=new_id(now), tenant=f"tenant-{number % 5}", created_at=now, policy="development")
        catalog.create_upload(
            Upload(id=new_id(now), asset=asset.id, tenant=asset.tenant, length=1, created_at=now, expires_at=now + 60),
            asset,
        )
        with store.change() as change:
            change.add_steps(asset, [StepSpec(key="lint.bench", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False)])
    spans.start(catalog.spans)
    before, times = _cpu(), list(_done(pipeline, spans))
    spans.close()
    spent = _cpu() - before
    store.database.close()
    assert len(times) == STEPS, "a step was done twice, or not at all"
    return statistics.median(times), spent / STEPS


def _done(pipeline: Pipeline, spans: Spans) -> Iterator[float]:
    before = time.perf_counter()
    while one := pipeline.claim((Pool.IMAGE,), "bench"):
        if spans.traces(one.job.asset):
            spans.later(for_later(one.job, RAN))
        assert pipeline.complete(one.job, SKIPPED, 0.0)
        now = time.perf_counter()
        yield now - before
        before = now


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _collector() -> Iterator[str]:
    """In a process of its own, so that what it costs is not counted."""
    command = [sys.executable, "-m", "bench.traces"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    with listening() as ear:
        print(ear.url, flush=True)
        sys.stdin.read()
