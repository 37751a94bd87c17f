"""One process of a tool: spawned away from any terminal, killed with all its descendants, reaped with its costs.

This file holds the only `Popen` for tools in the product; everything else asks `door.Door`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import psutil

from rushes.ffmpeg.family import family
from rushes.ffmpeg.giving_way import give_way_as_session, is_alone, own_niceness

_LOOK_SECONDS = 0.002
_REAP_SECONDS = 0.5
_GONE_SECONDS = 5.0
"""How long killed descendants are waited for; SIGKILL cannot be refused, so more is a sick machine."""


class Process:
    """A running tool. Close it, or use it as a context manager: whatever happens, nothing of it stays behind."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        pass_fds: Sequence[int] = (),
        quiet: bool = False,
    ) -> None:
        """Spawn. `quiet` connects all its streams to /dev/null. Raises OSError where the program cannot be started."""
        stream = subprocess.DEVNULL if quiet else subprocess.PIPE
        alone = is_alone()
        self._popen = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=dict(environment),
            cwd="/",
            pass_fds=tuple(pass_fds),
            start_new_session=not alone,
            process_group=0 if alone else None,
        )
        if not alone and (nice := own_niceness()):
            give_way_as_session(self._popen.pid, nice)
        self._killed = False
        self.returncode: int | None = None
        """Exit code, or minus the signal's number; None while it runs."""
        self.cpu_seconds = 0.0
        self.peak_memory = 0
        """Bytes: the largest resident set of any one of its processes."""

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def stdout(self) -> int:
        """File descriptor of the pipe. Only of processes that are not quiet."""
        return _descriptor(self._popen.stdout)

    @property
    def stderr(self) -> int:
        return _descriptor(self._popen.stderr)

    def poll(self) -> bool:
        """Whether it has ended."""
        return self._reap(os.WNOHANG)

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not self.poll():
            if time.monotonic() >= deadline:
                return False
            pause.wait(_LOOK_SECONDS)
        return True

    def tree(self) -> list[psutil.Process]:
        """The process and all its descendants that still live."""
        return [] if self.returncode is not None else family(self.pid)

    def kill(self) -> None:
        """End the whole tree now, and reap it. Safe to call twice, and after the end."""
        descendants = self.tree()[1:]
        for member in descendants:
            with contextlib.suppress(psutil.Error):
                member.kill()
        if descendants:
            self.wait(_REAP_SECONDS)  # bubblewrap then reaps its child itself, and leaves nothing to the init process
        if not self._killed:  # once only: later the number may be somebody else's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._killed = True
        self._reap(0)
        _await_end(descendants)
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _reap(self, options: int) -> bool:
        if self.returncode is not None:
            return True
        pid, status, usage = os.wait4(self.pid, options)
        if pid == 0:
            return False
        self.returncode = self._popen.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.peak_memory = usage.ru_maxrss * 1024
        return True


def _await_end(processes: Sequence[psutil.Process]) -> None:
    """Until all have stopped running; a zombie holds nothing any more."""
    deadline, pause = time.monotonic() + _GONE_SECONDS, threading.Event()
    while any(_is_alive(process) for process in processes) and time.monotonic() < deadline:
        pause.wait(_LOOK_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descriptor(pipe: object) -> int:
    if pipe is None:
        raise ValueError("a quiet process has no pipes")
    return int(pipe.fileno())  # type: ignore[attr-defined]  # Popen's pipes are files; typeshed's IO hides it here
