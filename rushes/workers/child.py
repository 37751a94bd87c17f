"""The child that does steps: started warm, given one order at a time, killed without ceremony when it must stop.

It holds no database and no settings, and no keys but those of the object store, where that needs them. Standard output
belongs to the conversation with the worker; whatever a library prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import resource
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from rushes.clock import Clock, SystemClock
from rushes.engine.job import Job
from rushes.engine.kinds import KINDS
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.giving_way import give_way
from rushes.ffmpeg.meter import metered
from rushes.model import Result
from rushes.noun import Noun
from rushes.states import Pool, StepKind
from rushes.storage.open import open_store
from rushes.storage.store import ObjectMissing, ObjectStore, StoreError
from rushes.storage.timed import Timings, timed
from rushes.storage.workspace import Workspace
from rushes.workers.avoidance import copied
from rushes.workers.order import Done, Failed, Order, Progress, Ran, Ready

PR_SET_PDEATHSIG = 1
PROGRESS_EVERY = 0.2
"""Seconds between two progress messages at the least."""
_LATE = frozenset({Pool.PULL, Pool.IMAGE, Pool.SPEECH, Pool.MODERATION})
"""Imported when they are needed. NumPy, OpenCV and an HTTP client take as long as all the rest (0.3 s of CPU instead of 0.16,
66 MB instead of 37, in every child); with the analysis, these are the steps that have the time."""
PULSE_EVERY = 1.0
"""Seconds between signs of life: a child that is stopped or stuck in native code gives none."""


def main() -> None:
    parent, nice = int(sys.argv[1]), int(sys.argv[2])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # the worker died before we could ask to die with it
    give_way(nice)
    talk = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    for name, kind in KINDS.items():
        if kind.pool not in _LATE and name is not StepKind.ANALYZE:
            importlib.import_module(kind.module)
    _say(talk, Ready())
    timings = Timings()
    # A remote store is opened once: its connections stay warm too.
    opened = functools.cache(lambda url: timed(open_store(url), timings))
    for line in sys.stdin:
        _serve(Order.model_validate_json(line), talk, opened, timings)


def _say(talk: TextIO, message: Noun) -> None:
    talk.write(message.model_dump_json() + "\n")


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _serve(order: Order, talk: TextIO, opened: Callable[[str], ObjectStore], timings: Timings) -> None:
    before = _own_cpu()

    def used() -> dict[str, Any]:
        """What the attempt has cost so far."""
        requests, read, written = timings.taken()
        cpu_seconds = _own_cpu() - before + tools.cpu_seconds
        ran = None if tools.runs is None else Ran(tools=tuple(tools.runs), store=timings.requests or {})
        return {
            "cpu_seconds": cpu_seconds, "bytes_read": read, "bytes_written": written, "requests": requests, "ran": ran,
        }  # fmt: skip

    order.scratch.mkdir(parents=True, exist_ok=True)
    timings.requests = {} if order.traceparent else None
    with metered(runs=bool(order.traceparent)) as tools:
        try:
            with _Reporter(talk, SystemClock()) as reporter:
                workspace = Workspace(opened(order.storage), order.scratch, order.tools, reporter)
                twin = copied(order.job, workspace)
                result = twin or perform(order.job, workspace)
            _say(talk, Done(result=result, copied=twin is not None, **used()))
        except StepFailure as failure:
            _say(talk, Failed.of(failure, 0.0).model_copy(update=used()))
        finally:
            shutil.rmtree(order.scratch, ignore_errors=True)


def perform(job: Job, workspace: Workspace) -> Result:
    """Do one step; whatever goes wrong comes out as a classified StepFailure."""
    module = importlib.import_module(KINDS[job.kind].module)
    try:
        result: Result = module.run(job, workspace)
    except StepFailure:
        raise
    except ObjectMissing as error:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"object missing: {error}") from error
    except StoreError as error:
        raise StepFailure("storage_unavailable", Blame.TRANSIENT, detail=str(error)) from error
    except OSError as error:
        if error.errno in (28, 122):  # ENOSPC, EDQUOT
            raise StepFailure("scratch_full", Blame.RESOURCE, detail=traceback.format_exc()) from error
        raise StepFailure("internal", Blame.TRANSIENT, detail=traceback.format_exc()) from error
    except Exception as error:
        raise StepFailure("internal", Blame.TRANSIENT, detail=traceback.format_exc()) from error
    return result


class _Reporter:
    """Sends progress, but not at every call; and the last one again now and then from a thread, as a sign of life."""

    def __init__(self, talk: TextIO, clock: Clock) -> None:
        self._talk = talk
        self._clock = clock
        self._last = 0.0
        self._fraction = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> _Reporter:
        threading.Thread(target=self._pulse, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()

    def __call__(self, fraction: float) -> None:
        now = self._clock.monotonic()
        self._fraction = max(0.0, min(1.0, fraction))
        if now - self._last >= PROGRESS_EVERY:
            self._last = now
            self._send()

    def _pulse(self) -> None:
        while not self._over.wait(PULSE_EVERY):
            self._send()

    def _send(self) -> None:
        with self._lock:
            if not self._over.is_set():  # nothing may come after the answer
                _say(self._talk, Progress(fraction=self._fraction))


if __name__ == "__main__":
    main()
