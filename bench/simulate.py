"""The simulator against a real fleet: what it says of 200 small uploads beside what an embedded stack took for them.

It is calibrated on other uploads, of other clips, to a stack of their own: many at once for what the engine adds and how many cores
there are, then at random moments, by turns with those that are foretold, so that both see the same machine. What steps take
alone is found out by playing those again (`rushes.rehearsal.read_fitted`). Of the same uploads: what `rushes why` said of their
time to ready (`bench.eta`). `UPLOADS` (200), `OTHERS` of the calibration (150), `CLIPS` of a burst (24), `LOAD` (0.6 of the
cores), `TURNS` (5), `LONGEST` (12 s: of the clips), `SEED` (1: of the moments),
`SOURCES` (a folder that keeps the clips), `KEEP` (a file, from which
`python -m bench.simulate FILE` foretells again).
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil

from bench import eta
from bench.clips import ffmpeg
from rushes.catalog import trace
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.engine.fair import Share
from rushes.engine.simulate.fleet import Group, Rules, parse_group
from rushes.engine.simulate.report import Times, times
from rushes.engine.simulate.run import Run
from rushes.engine.simulate.shape import Costs
from rushes.rehearsal import Terms, arrivals_of, read_fitted, read_trace
from rushes.settings import load_policy, load_profile
from rushes.testing import Stack, running_stack

UPLOADS = int(os.environ.get("UPLOADS", "200"))
OTHERS = int(os.environ.get("OTHERS", "150"))
CLIPS = int(os.environ.get("CLIPS", "24"))
LOAD = float(os.environ.get("LOAD", "0.6"))
TURNS = int(os.environ.get("TURNS", "5"))
LONGEST = float(os.environ.get("LONGEST", "12"))
SEED = int(os.environ.get("SEED", "1"))
SLOTS = 4
PLAYED = 20
"""Times that the uploads are foretold, each with other luck: the mean counts."""
STEPS = (0.7, 1.0, 1.4, 2.0, 2.8)
"""Times the cores that a burst found, which are tried."""
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
    child: float
    """CPU seconds until a child is warm."""
    each: float
    """CPU seconds of an upload."""


@dataclass(frozen=True)
class Seen:
    machine: Machine
    others: list[str]
    """The trace of the calibration."""
    lines: list[str]
    """That of the uploads which are foretold."""
    real: dict[str, list[float]]
    """What they took, and what the others did, seconds."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = _profile(folder)
        seen, sayings = _seen(folder, profile)
        keep = Path(os.environ.get("KEEP", ""))
        if keep.name:
            keep.write_text(json.dumps(vars(seen) | {"machine": vars(seen.machine)}))
        compare(profile, seen)
        print("\n".join(sayings))


def compare(profile: Path, seen: Seen) -> None:
    machine = seen.machine
    print(
        f"simulate: {len(seen.lines) - 1} small uploads, calibrated on {len(seen.others) - 1} others: {machine.cores:.2f} cores to"
        f" be had, {machine.each:.1f} CPU-s an upload, of them {1000 * machine.engine:.0f} ms a step for the engine,"
        f" {1000 * machine.bell:.0f} ms to a claim, {1000 * machine.child:.0f} ms a child"
    )
    terms = Terms(load_profile(str(profile)), load_policy("development"))
    rules = Rules(engine=machine.engine, bell=machine.bell, child=machine.child)
    group, costs = _fitting(seen, terms, rules)
    print(
        f"  fitted to the others: {group.cores:.2f} cores; walls of an asset's steps go together by {costs.together:.2f}"
    )
    for name, lines in (("others", seen.others), ("", seen.lines)):
        foretold = _foretold(lines, replace(terms, costs=costs), group, rules)
        for what in ("playable", "ready"):
            _row(f"{name or 'uploads'} {what}", times(seen.real[f"{name}{what}"]), foretold[what])
    _, plain = read_trace(seen.others, terms)
    for what, told in _foretold(seen.lines, replace(terms, costs=plain), group, rules).items():
        _row(f"(not fitted) {what}", times(seen.real[what]), told)


def _fitting(seen: Seen, terms: Terms, rules: Rules) -> tuple[Group, Costs]:
    """How many cores there were while the others ran, of those a burst suggests: as many as foretell the others best."""
    usual, found = parse_group(f"all=1x4:{SLOTS}"), []
    for times_of in STEPS:
        group = replace(usual, cores=min(seen.machine.cores * times_of, float(len(os.sched_getaffinity(0)))))
        costs = read_fitted(seen.others, terms, [group], rules)[1]
        told = _foretold(seen.others, replace(terms, costs=costs), group, rules)
        found.append((sum(_off(times(seen.real[f"others{what}"]), told[what]) for what in told), group, costs))
    _, group, costs = min(found, key=lambda one: one[0])
    return group, costs


def _off(real: Times, told: Times) -> float:
    """By p95 above all, which is what is to be foretold."""
    return abs(math.log(told.p50 / real.p50)) + 2 * abs(math.log(told.p95 / real.p95))


def _foretold(lines: Sequence[str], terms: Terms, group: Group, rules: Rules) -> dict[str, Times]:
    arrivals = arrivals_of(lines, terms)
    reports = [Run([group], rules, lambda _: Share(), seed).play(arrivals).report(0.0) for seed in range(PLAYED)]
    return {what: _mean([getattr(report, what) for report in reports]) for what in ("playable", "ready")}


def _mean(several: Sequence[Times]) -> Times:
    values = {name: statistics.fmean(getattr(one, name) for one in several) for name in ("p50", "p95", "p99", "worst")}
    return Times(count=several[0].count, **values)


def _row(what: str, real: Times, told: Times) -> None:
    cells = [f"{name} {getattr(told, name):7.2f} / {getattr(real, name):7.2f} s" for name in ("p50", "p95", "p99")]
    print(f"  {what:22} predicted / real: {'   '.join(cells)}   p95 off by {told.p95 / real.p95 - 1:+.1%}")


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
    folder.mkdir(exist_ok=True)
    for number in range(count):
        seconds, (width, height) = (
            random.uniform(2, LONGEST),
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
        if not clip.exists():
            ffmpeg(
                "-f",
                "lavfi",
                "-i",
                picture,
                *sound,
                *codec,
                *quiet,
                "-g",
                "30",
                "-pix_fmt",
                "yuv420p",
                "-c:a",
                "aac",
                clip,
            )
        found.append(clip)
    return found


def _upload(http: httpx.Client, clip: Path, number: int) -> None:
    """Made unlike all others by a box that readers skip, so that nothing is spared because it was done before."""
    data = clip.read_bytes() + (8 + number).to_bytes(4, "big") + b"free" + bytes(number)
    created = http.post("/files", headers={**TUS, "Upload-Length": str(len(data))}).raise_for_status()
    http.patch(created.headers["location"], content=data, headers={**TUS, "Upload-Offset": "0"}).raise_for_status()


# -- the runs ---------------------------------------------------------------------------------------------------------


def _seen(folder: Path, profile: Path) -> tuple[Seen, list[str]]:
    kept = Path(os.environ.get("SOURCES") or folder)
    clips, others = (_clips(kept / f"clips-{seed}", 40, seed) for seed in (2, 3))
    with _stack(folder / "a", profile) as (first, http), _stack(folder / "b", profile) as (second, http_too):
        child = _child()
        machine = _burst(first, http, others, child)
        _burst(second, http_too, clips, child)  # so that it has learned something as well
        since, random = time.time(), Random(SEED)
        rate = LOAD * machine.cores / machine.each
        with eta.watching(_database(second)) as watch:
            for turn in range(TURNS):
                _send(first, (http, others), _part(OTHERS, turn), (rate, random))
                _send(second, (http_too, clips), _part(UPLOADS, turn), (rate, random))
        lost = time.time() - since
        real = {f"others{what}": values for what, values in _took(first, since).items()} | _took(second, since)
        seen = Seen(
            replace(machine, bell=_bell(first, since)),
            list(_recorded(first, lost)),
            list(_recorded(second, lost)),
            real,
        )
        return seen, list(eta.told(watch.sayings, _ready(second)))


def _part(count: int, turn: int) -> range:
    return range(count * turn // TURNS, count * (turn + 1) // TURNS)


def _burst(stack: Stack, http: httpx.Client, clips: Sequence[Path], child: float) -> Machine:
    _upload(http, clips[0], 999)
    _settle(stack)  # children have done everything once
    before, busy = _engine(stack), time.time()
    for number in range(CLIPS):
        _upload(http, clips[number % len(clips)], 500 + number)
    _settle(stack)
    engine, spans = _engine(stack) - before, _spans(stack, busy)
    own = sum(cpu for _, _, cpu in spans)
    cores = _most(spans) + engine / (time.time() - busy)
    return Machine(cores, engine / len(spans), 0.005, child, (own + engine) / CLIPS)


def _send(
    stack: Stack, sender: tuple[httpx.Client, Sequence[Path]], numbers: range, pace: tuple[float, Random]
) -> None:
    """At random moments; until all is done."""
    (http, clips), (rate, random) = sender, pace
    with ThreadPoolExecutor(8) as pool:
        sent = []
        for number in numbers:
            time.sleep(random.expovariate(rate))
            sent.append(pool.submit(_upload, http, clips[number % len(clips)], number))
        for one in sent:
            one.result()
    _settle(stack)


def _child() -> float:
    """CPU seconds until a child could work; the median of a few that then find nothing to do."""
    command, found = [sys.executable, "-m", "rushes.workers.child", str(os.getpid()), "0"], []
    for _ in range(5):
        before = os.times()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        found.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(found)


def _most(spans: Sequence[tuple[float, float, float]]) -> float:
    """Cores in use by steps in the busy seconds of a run: four fifths of its seconds had less. `spans`: begin, end, CPU seconds."""
    first, last = min(begin for begin, _, _ in spans), max(end for _, end, _ in spans)
    bins = [0.0] * (int(last - first) + 1)
    for begin, end, cpu in spans:
        for second in range(int(begin - first), int(end - first) + 1):
            shared = min(end - first, second + 1) - max(begin - first, second)
            bins[second] += cpu * max(0.0, shared) / max(1e-3, end - begin)
    return statistics.quantiles(bins, n=10)[7]


def _took(stack: Stack, since: float) -> dict[str, list[float]]:
    """Seconds from the last byte to playable and ready."""
    docs = [json.loads(doc) for (doc,) in _rows(stack, "SELECT doc FROM assets WHERE created_at >= ?", since)]
    return {
        what: [doc[f"{what}_at"] - doc["uploaded_at"] for doc in docs if doc[f"{what}_at"]]
        for what in ("playable", "ready")
    }


def _ready(stack: Stack) -> dict[str, float]:
    docs = ((asset, json.loads(doc)["ready_at"]) for asset, doc in _rows(stack, "SELECT id, doc FROM assets"))
    return {asset: at for asset, at in docs if at}


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
    database = open_database(f"sqlite:///{_database(stack)}")
    with closing(database):
        yield from [json.dumps(line) for line in trace.lines(Store(database), seconds)]


def _bell(stack: Stack, since: float) -> float:
    query = "SELECT t.started_at - s.ready_at FROM steps s JOIN attempts t ON t.step = s.id WHERE t.started_at >= ?"
    return statistics.median(wait for (wait,) in _rows(stack, query, since))


def _spans(stack: Stack, since: float) -> list[tuple[float, float, float]]:
    return _rows(stack, "SELECT started_at, finished_at, cpu_seconds FROM attempts WHERE started_at >= ?", since)


def _rows(stack: Stack, query: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{_database(stack)}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query, values).fetchall()


def _engine(stack: Stack) -> float:
    """CPU seconds so far of supervisor, server and worker, without those of steps."""
    assert stack._process
    top = psutil.Process(stack._process.pid)
    return sum(used.user + used.system for used in (one.cpu_times() for one in (top, *top.children())))


def _database(stack: Stack) -> Path:
    return next(stack.data.glob("*.db"))


def again(path: str) -> None:
    """From what was kept (`KEEP`)."""
    kept: dict[str, Any] = json.loads(Path(path).read_text())
    with tempfile.TemporaryDirectory() as name:
        compare(_profile(Path(name)), Seen(**kept | {"machine": Machine(**kept["machine"])}))


if __name__ == "__main__":
    again(sys.argv[1]) if len(sys.argv) > 1 else main()
