"""Stand-ins for the steps that work on media, for rehearsals: they take the time they are told to, and give tracks of a few bytes.

Everything else is real: packaging, verdicts, pointers, cleanups, leases, children, stores. Python itself has them put in
place, in every process of a rehearsal, by a `sitecustomize` on the path (`chaos.rehearsal`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from rushes.chaos.rehearsal import Rehearsal, What, read, sprung
from rushes.clock import SystemClock, pause
from rushes.engine import version
from rushes.engine.job import Job
from rushes.engine.kinds import KINDS, Kind
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.ffmpeg.door import Door
from rushes.model import LintResult, PackageResult, ProbeResult, Result, Skipped, TracksResult
from rushes.noun import Reason
from rushes.plan import Chunk, Grid, Ladder, Plan, Rung
from rushes.states import StepKind
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

REAL = (StepKind.PULL, StepKind.PACKAGE, StepKind.VERDICT, StepKind.PUBLISH, StepKind.CLEANUP)
SKEW, OLDER = "REHEARSAL_SKEW", "REHEARSAL_OLDER"
"""Variables of one process: seconds by which its clock is wrong; set where it is of the release before."""
STORED = 0.97
"""Progress of a step whose outputs are stored while the catalog does not know it yet."""
TICK = 0.05

FACTS = SourceFacts(
    container="mkv", demuxer="matroska", size=9, duration=4.0,
    video=VideoFacts(index=0, codec="hevc", width=640, height=360, fps=Fraction(30), duration=4.0),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48_000),),
)  # fmt: skip
LADDER = Ladder(
    rungs=(Rung(name="360p", width=640, height=360, crf=23, max_bitrate=800_000, buffer_bits=1_600_000),),
    grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=60),
)
PLAN = Plan(ladders=(LADDER,), chunks=(Chunk(frames=60), Chunk(number=1, first=60)))


def plant() -> None:
    """Take the places of the real steps in this process."""
    for kind, real in list(KINDS.items()):
        if kind not in REAL:
            KINDS[kind] = Kind(real.pool, __name__, version=real.version)
    if OLDER in os.environ:
        version.GRAPH -= 1
        KINDS.pop(StepKind.POSTER)
    if skew := float(os.environ.get(SKEW, "0")):
        _be_wrong(skew)


def _be_wrong(skew: float) -> None:
    """This process's clock goes wrong by so many seconds."""
    right = SystemClock.now
    wrong = lambda clock: right(clock) + skew  # noqa: E731 - in the place of a method
    setattr(SystemClock, "now", wrong)  # noqa: B010


def run(job: Job, workspace: Workspace) -> Result:
    """One step of a rehearsal."""
    folder = Path(str(sys.modules["sitecustomize"].__file__)).parent
    rehearsal = read(folder)
    for number, trap in enumerate(rehearsal.traps):
        if trap.fits(job.asset, job.key) and sprung(folder, number, trap.times):
            _TRAPS[trap.what](workspace)
    _take(rehearsal.seconds.get(job.kind, 0.0) * STORED, workspace.progress)
    result = _result(job, workspace)
    _after(rehearsal, job, workspace)
    return result


def _take(seconds: float, progress: Callable[[float], None]) -> None:
    clock = SystemClock()
    started = clock.monotonic()
    while (spent := clock.monotonic() - started) < seconds:
        progress(STORED * spent / seconds)
        pause(min(TICK, seconds - spent))


def _after(rehearsal: Rehearsal, job: Job, workspace: Workspace) -> None:
    """The time between the last stored byte and the answer."""
    workspace.progress(STORED + 0.01)
    pause(rehearsal.holding.get(job.kind, 0.0))


def _result(job: Job, workspace: Workspace) -> Result:
    match job.kind:
        case StepKind.PROBE:
            return ProbeResult(facts=FACTS, plan=PLAN)
        case StepKind.ENCODE:
            return _tracks(job, workspace, Track(
                name="360p", kind="video", prefix="", codecs="avc1.64001e", timescale=30, segments=(),
                width=640, height=360, fps=Fraction(30), start_ticks=60 * int(job.params["chunk"]["number"]),
            ), ticks=60, count=1)  # fmt: skip
        case StepKind.AUDIO:
            return _tracks(job, workspace, Track(
                name="audio", kind="audio", prefix="", codecs="mp4a.40.2", timescale=48_000, segments=(),
                channels=2, sample_rate=48_000,
            ), ticks=96_000, count=2)  # fmt: skip
        case StepKind.LINT:
            builds = [found.build for found in job.inputs.values() if isinstance(found, PackageResult)]
            return LintResult(build=max(builds, default=job.build), checked=1)
        case _:
            return Skipped(reason=Reason(code="not_evaluated", message="Not part of this rehearsal."))


def _tracks(job: Job, workspace: Workspace, track: Track, *, ticks: int, count: int) -> TracksResult:
    """Stored, in the attempt's own place."""
    prefix = job.clear_prefix
    segments = tuple(Segment(name=f"{job.key}.{number}.m4s", ticks=ticks, size=9) for number in range(count))
    workspace.publish_bytes(f"{prefix}init.mp4", b"init", "video/mp4")
    for segment in segments:
        workspace.publish_bytes(prefix + segment.name, b"rehearsed", "video/iso.segment")
    return TracksResult(tracks=(track.model_copy(update={"prefix": prefix, "segments": segments, "init_size": 4}),))


# -- What may befall a step ---------------------------------------------------------------------------------------------


def _kill_worker(_: Workspace) -> None:
    """A step that brings its worker down with it."""
    os.kill(os.getppid(), signal.SIGKILL)
    pause(60.0)  # it dies with the worker


def _kill_child(_: Workspace) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(_: Workspace) -> None:
    """It stops and gives no sign of life any more."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _fill_disk(_: Workspace) -> None:
    raise OSError(28, "No space left on device")


def _eat_memory(workspace: Workspace) -> None:
    """More than the limit, and then wait to be found."""
    size = workspace.tools.limits.memory + 50_000_000
    eaten = ctypes.create_string_buffer(size)
    ctypes.memset(eaten, 1, size)
    pause(60.0)


def _run_ffmpeg(workspace: Workspace) -> None:
    """A real tool that takes ten seconds unless somebody stops it."""
    arguments = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=10", "-f", "null", "-"]
    Door(workspace.tools).run(arguments, progress=workspace.progress, duration=10.0)


def _fail(_: Workspace) -> None:
    raise StepFailure("tool_failed", Blame.TRANSIENT)


_TRAPS: dict[What, Callable[[Workspace], None]] = {
    "kill_worker": _kill_worker, "kill_child": _kill_child, "hang": _hang, "fill_disk": _fill_disk,
    "eat_memory": _eat_memory, "run_ffmpeg": _run_ffmpeg, "fail": _fail,
}  # fmt: skip
