"""The simulator against a real fleet: what it says of 200 small uploads beside what an embedded stack took for them.

It is calibrated on another run, of other clips: one upload after another for what steps take alone (`rushes simulate record`), then
many at once for what the engine adds and how many cores there are to be had. `UPLOADS` (200), `CLIPS` of the calibration (32),
`LOAD` (0.6 of the cores).
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import httpx
import psutil

from bench.clips import ffmpeg
from rushes.catalog import trace
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.engine.fair import Share
from rushes.engine.simulate.fleet import Rules, parse_group
from rushes.engine.simulate.report import Times, times
from rushes.engine.simulate.run import Run
from rushes.rehearsal import Terms, read_trace
from rushes.settings import load_policy, load_profile
from rushes.testing import Stack, running_stack

UPLOADS = int(os.environ.get("UPLOADS", "200"))
CLIPS = int(os.environ.get("CLIPS", "32"))
LOAD = float(os.environ.get("LOAD", "0.6"))
SLOTS = 4
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
FAST = Path(__file__).parents[1] / "rushes" / "data" / "profiles" / "fast.toml"


@dataclass(frozen=True)
class Machine:
    """What calibration found of it."""

    cores: float
    """To be had."""
    engine: float
    """CPU seconds for a step beside its own."""
    bell: float
    """Seconds from ready to claimed by an idle worker."""
    each: float
    """CPU seconds of an upload."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = _profile(folder)
        heading, machine = _calibrated(folder, profile)
        print(
            f"simulate: {UPLOADS} small uploads, calibrated on another run: {machine.cores:.2f} cores to be had,"
            f" {machine.each:.1f} CPU-s an upload, of them {1000 * machine.engine:.0f} ms a step for the engine,"
            f" {1000 * machine.bell:.0f} ms to a claim"
        )
        real, lines = _real(folder, profile, LOAD * machine.cores / machine.each)
        keep = Path(os.environ.get("KEEP", ""))
        if keep.name:
            keep.write_text(json.dumps({"heading": heading, "machine": vars(machine), "real": real, "lines": lines}))
        compare(profile, heading, machine, (real, lines))


def compare(profile: Path, heading: str, machine: Machine, ran: tuple[dict[str, list[float]], list[str]]) -> None:
    real, lines = ran
    terms = Terms(load_profile(str(profile)), load_policy("development"))
    arrivals, _ = read_trace([heading, *lines], terms)
    rules = Rules(engine=machine.engine, bell=machine.bell)
    group = replace(parse_group(f"all=1x4:{SLOTS}"), cores=machine.cores)
    report = Run([group], rules, lambda _: Share(), 1).play(arrivals).report(0.0)
    for what, told in (("playable", report.playable), ("ready", report.ready)):
        _row(what, times(real[what]), told)


def _row(what: str, real: Times, told: Times) -> None:
    cells = [f"{name} {getattr(told, name):7.2f} / {getattr(real, name):7.2f} s" for name in ("p50", "p95", "p99")]
    print(f"  {what:9} predicted / real: {'   '.join(cells)}   p95 off by {told.p95 / real.p95 - 1:+.1%}")


# -- the clips --------------------------------------------------------------------------------------------------------


def _profile(folder: Path) -> Path:
    """`fast` without what needs models."""
    path = folder / "small.toml"
    path.write_text(
        FAST.read_text().replace("transcript = true", "transcript = false").replace("labels = true", "labels = false")
    )
    return path


def _clips(folder: Path, count: int, seed: int) -> list[Path]:
    """Of different lengths and sizes; every second one has to be encoded before it plays."""
    random, found = Random(seed), []
    folder.mkdir()
    for number in range(count):
        seconds, (width, height) = (
            random.uniform(2, 12),
            random.choice([(320, 180), (426, 240), (640, 360), (360, 640)]),
        )
        clip = folder / f"{number}.mp4"
        picture = (
            f"testsrc2=size={width}x{height}:rate=30:duration={seconds:.2f},noise=alls={random.randint(2, 14)}:allf=t"
        )
        codec = (
            ("-c:v", "libx264", "-preset", "ultrafast")
            if number % 2
            else ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1")
        )
        quiet = () if number % 2 else ("-x265-params", "log-level=error")
        sound = ("-f", "lavfi", "-i", f"sine=frequency={random.randint(200, 900)}:duration={seconds:.2f}")
        ffmpeg(
            "-f", "lavfi", "-i", picture, *sound, *codec, *quiet, "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", clip
        )
        found.append(clip)
    return found


def _upload(http: httpx.Client, clip: Path, number: int) -> None:
    """Made unlike all others by a box that readers skip, so that nothing is spared because it was done before."""
    data = clip.read_bytes() + (8 + number).to_bytes(4, "big") + b"free" + bytes(number)
    created = http.post("/files", headers={**TUS, "Upload-Length": str(len(data))}).raise_for_status()
    http.patch(created.headers["location"], content=data, headers={**TUS, "Upload-Offset": "0"}).raise_for_status()


# -- the runs ---------------------------------------------------------------------------------------------------------


def _calibrated(folder: Path, profile: Path) -> tuple[str, Machine]:
    clips = _clips(folder / "some", CLIPS, seed=7)
    with _stack(folder / "calibration", profile) as (stack, http):
        _upload(http, clips[0], 999)
        _settle(stack)  # children have done everything once
        since = time.time()
        for number, clip in enumerate(clips):
            _upload(http, clip, number)
            _settle(stack)
        heading = next(_recorded(stack, time.time() - since))
        bell = _bell(stack, since)
        before, busy = _engine(stack), time.time()
        for number, clip in enumerate(clips):
            _upload(http, clip, 100 + number)
        _settle(stack)
        engine, spans = _engine(stack) - before, _spans(stack, busy)
    own = sum(cpu for _, _, cpu in spans)
    cores = _most(spans) + engine / (time.time() - busy)
    return heading, Machine(cores, engine / len(spans), bell, (own + engine) / len(clips))


def _most(spans: Sequence[tuple[float, float, float]]) -> float:
    """Cores in use by steps in the busy seconds of a run: four fifths of its seconds had less. `spans`: begin, end, CPU seconds."""
    first, last = min(begin for begin, _, _ in spans), max(end for _, end, _ in spans)
    bins = [0.0] * (int(last - first) + 1)
    for begin, end, cpu in spans:
        for second in range(int(begin - first), int(end - first) + 1):
            shared = min(end - first, second + 1) - max(begin - first, second)
            bins[second] += cpu * max(0.0, shared) / max(1e-3, end - begin)
    return statistics.quantiles(bins, n=10)[7]


def _real(folder: Path, profile: Path, rate: float) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds to playable and ready, and the uploads as a trace."""
    clips, random = _clips(folder / "others", 50, seed=8), Random(9)
    with _stack(folder / "real", profile) as (stack, http), ThreadPoolExecutor(8) as pool:
        _upload(http, clips[0], 999)
        _settle(stack)
        since = time.time()
        sent = []
        for number in range(UPLOADS):
            time.sleep(random.expovariate(rate))
            sent.append(pool.submit(_upload, http, clips[number % len(clips)], number))
        for one in sent:
            one.result()
        _settle(stack)
        docs = [json.loads(doc) for (doc,) in _rows(stack, "SELECT doc FROM assets WHERE created_at >= ?", since)]
        lines = list(_recorded(stack, time.time() - since))[1:]
    return {
        what: [doc[f"{what}_at"] - doc["uploaded_at"] for doc in docs if doc[f"{what}_at"]]
        for what in ("playable", "ready")
    }, lines


class _stack:
    def __init__(self, data: Path, profile: Path) -> None:
        self._running = running_stack(data, profile=str(profile), slots=str(SLOTS), speech_draft="false")

    def __enter__(self) -> tuple[Stack, httpx.Client]:
        stack = self._running.__enter__()
        self._http = httpx.Client(base_url=stack.url, timeout=120)
        return stack, self._http

    def __exit__(self, *error: object) -> None:
        self._http.close()
        self._running.__exit__(None, None, None)


def _settle(stack: Stack) -> None:
    while _rows(stack, "SELECT 1 FROM steps WHERE state IN ('waiting', 'ready', 'running') LIMIT 1"):
        time.sleep(0.1)


def _recorded(stack: Stack, seconds: float) -> Iterator[str]:
    """As `rushes simulate record` writes it."""
    database = open_database(f"sqlite:///{next(stack.data.glob('*.db'))}")
    with closing(database):
        yield from [json.dumps(line) for line in trace.lines(Store(database), seconds)]


def _bell(stack: Stack, since: float) -> float:
    query = "SELECT t.started_at - s.ready_at FROM steps s JOIN attempts t ON t.step = s.id WHERE t.started_at >= ?"
    return statistics.median(wait for (wait,) in _rows(stack, query, since))


def _spans(stack: Stack, since: float) -> list[tuple[float, float, float]]:
    return _rows(stack, "SELECT started_at, finished_at, cpu_seconds FROM attempts WHERE started_at >= ?", since)


def _rows(stack: Stack, query: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{next(stack.data.glob('*.db'))}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query, values).fetchall()


def _engine(stack: Stack) -> float:
    """CPU seconds so far of supervisor, server and worker, without those of steps."""
    assert stack._process
    top = psutil.Process(stack._process.pid)
    return sum(used.user + used.system for used in (one.cpu_times() for one in (top, *top.children())))


def again(path: str) -> None:
    """From what was kept (`KEEP`)."""
    kept = json.loads(Path(path).read_text())
    with tempfile.TemporaryDirectory() as name:
        compare(_profile(Path(name)), kept["heading"], Machine(**kept["machine"]), (kept["real"], kept["lines"]))


if __name__ == "__main__":
    again(sys.argv[1]) if len(sys.argv) > 1 else main()
