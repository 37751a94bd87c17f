"""One damaged file through everything that touches media, step by step as a worker's child does them."""

from __future__ import annotations

import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rushes.engine import graph
from rushes.engine.job import Job, Limits, ToolSettings
from rushes.errors import REASONS, StepFailure
from rushes.facts import SourceFacts, SourceRef
from rushes.ingest.early_look import Hopeless, View, look
from rushes.model import PackageResult, ProbeResult, Result, StepSpec
from rushes.profiles import Profile
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.workers.child import perform
from tests.services.children import descendants

LEFT_OUT = frozenset((StepKind.TRANSCRIPT, StepKind.LABELS, StepKind.VERDICT, StepKind.PUBLISH, StepKind.ANALYZE))
"""They touch no bytes of a source, or only by way of what is tried here."""
OUR_FAULT = frozenset(
    ("internal", "verify_failed", "tool_failed", "tool_killed", "storage_unavailable", "scratch_full")
)
"""Codes that no damaged file may lead to: nobody could act on them."""
HANG = 240
"""Seconds for one file."""
KEY = "sources/t/a/1"
TOOLS = ToolSettings(limits=Limits(memory=1_500_000_000, wall=40.0, stall=20.0))


class Hang(Exception):
    """A file took longer than HANG seconds."""


@dataclass
class Report:
    """What became of one file: `outcome` is `ready`, or the reason it was refused; `faults` are defects of ours."""

    name: str
    outcome: str = ""
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Optional steps that gave up, with their reasons."""
    seconds: float = 0.0


def profile() -> Profile:
    """The shipped `fast` profile with two small rungs: what is damaged is the way in."""
    fast = load_profile("fast")
    rungs = tuple(rung for rung in fast.video.rungs if rung.short_side <= 360)
    video = fast.video.model_copy(update={"rungs": rungs})
    quiet = fast.enrichment.model_copy(update={"transcript": False, "labels": False})
    limits = fast.limits.model_copy(update={"duration": 600.0, "pixel_frames": 4.0e8})
    return fast.model_copy(update={"video": video, "enrichment": quiet, "limits": limits})


def run(name: str, data: bytes, folder: Path) -> Report:
    """Everything, in `folder`, which is empty before and after."""
    report, started = Report(name), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _bounded(HANG):
            _early(data, report)
            _steps(data, folder, report)
    except Hang:
        report.outcome = "hang"
        report.faults.append(f"hang: {HANG} s passed")
    report.seconds = time.monotonic() - started
    left = descendants(zombies=True)
    if left:
        report.faults.append(f"leak: processes {left}")
    shutil.rmtree(folder)
    return report


@contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _early(data: bytes, report: Report) -> None:
    """What the web server itself looks at while the bytes arrive."""
    for size in (512, 65536, len(data)):
        try:
            look(View(data[:size], b"", len(data)), profile().limits)
        except Hopeless:
            return
        except Exception:  # noqa: BLE001 - whatever escapes here would take the web server's request with it
            report.faults.append(f"early look: {traceback.format_exc(limit=-3)}")
            return


def _steps(data: bytes, folder: Path, report: Report) -> None:
    store = LocalStore(folder / "objects")
    store.put_bytes(KEY, data)
    runner = _Runner(store, folder / "scratch", len(data), report)
    probed = runner.step(StepSpec(key="probe", kind=StepKind.PROBE, pool="io"))
    if not isinstance(probed, ProbeResult):
        return
    runner.facts = probed.facts
    for spec in graph.plan(probed.facts, probed.plan, runner.profile, load_policy("development")):
        if spec.kind in LEFT_OUT or any(key in runner.failed for key in spec.after):
            continue
        if runner.step(spec) is None and spec.required:
            return
    report.outcome = "ready" if isinstance(runner.results.get("package.ready"), PackageResult) else "nothing"
    if report.outcome == "nothing":
        report.faults.append("neither ready nor refused")


class _Runner:
    """Runs steps one after the other and keeps their results."""

    def __init__(self, store: LocalStore, scratch: Path, size: int, report: Report) -> None:
        self.store, self.scratch, self.report = store, scratch, report
        self.source = SourceRef(key=KEY, size=size)
        self.profile = profile()
        self.facts: SourceFacts | None = None
        self.results: dict[str, Result] = {}
        self.failed: set[str] = set()
        self._number = 0

    def step(self, spec: StepSpec) -> Result | None:
        """None where it failed; then the report says why."""
        self._number += 1
        scratch = self.scratch / str(self._number)
        scratch.mkdir(parents=True)
        try:
            result = perform(self._job(spec), Workspace(self.store, scratch, TOOLS))
        except StepFailure as failure:
            self._note(spec, failure)
            return None
        finally:
            shutil.rmtree(scratch)
        self.results[spec.key] = result
        return result

    def _note(self, spec: StepSpec, failure: StepFailure) -> None:
        self.failed.add(spec.key)
        if failure.code not in REASONS:
            self.report.faults.append(f"{spec.key}: no sentence for {failure.code}")
        if failure.code in OUR_FAULT:
            self.report.faults.append(f"{spec.key}: {failure.code}: {failure.detail[-1500:]}")
        if spec.required:
            self.report.outcome = failure.code
        else:
            self.report.notes.append(f"{spec.key}: {failure.code}")

    def _job(self, spec: StepSpec) -> Job:
        return Job(
            step_id=spec.key, key=spec.key, kind=spec.kind, asset="a", tenant="t", fence=1, recipe=f"r{self._number}",
            params=spec.params, source=self.source, facts=self.facts, profile=self.profile, build=self._number,
            inputs={key: self.results[key] for key in spec.after if key in self.results},
            policy=load_policy("development"),
        )  # fmt: skip
