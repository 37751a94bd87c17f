"""The one door to ffmpeg, and to our own Python children that touch media: sandboxed, bounded, killed whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from rushes.clock import SystemClock
from rushes.engine.job import Limits, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.argv import command_line, with_progress
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.confinement import Confinement
from rushes.ffmpeg.failure import classify, describe
from rushes.ffmpeg.meter import Run, charge, verb_of
from rushes.ffmpeg.process import Process
from rushes.ffmpeg.progress import Progress
from rushes.ffmpeg.sandbox import confine, detect, minimal_environment, python_arguments, python_libraries
from rushes.ffmpeg.tail import Tail
from rushes.ffmpeg.watchdog import PERIOD, Watchdog

_PIPE_BYTES = 1 << 20
_MAX_ANSWER = 64 * 1024 * 1024
_F_SETPIPE_SZ = 1031


class Request(TypedDict, total=False):
    """What may be said of a run. `reads`: the files and directories it may read; `writes`: one directory it may fill."""

    reads: Sequence[Path]
    writes: Path | None
    duration: float | None
    """Seconds of output to come, for `progress`."""
    progress: Callable[[float], None] | None
    limits: Limits | None


@dataclass(frozen=True)
class Finished:
    """How a run ended and what it cost. Seconds and bytes; `frames` and `out_seconds` as ffmpeg last reported."""

    returncode: int
    stderr: str
    wall: float
    cpu_seconds: float
    peak_memory: int
    frames: int | None = None
    out_seconds: float | None = None


class Door:
    """Runs tools by the settings of this child. Cheap to make; safe to use from several threads."""

    def __init__(self, tools: ToolSettings) -> None:
        """Raises StepFailure `internal` where there is no ffmpeg, or no sandbox though one is required."""
        self.tools = tools
        self.binary = find_binary(tools.ffmpeg)
        self.mode = detect(tools.sandbox)

    def run(
        self,
        args: Sequence[str],
        *,
        check: bool = True,
        stdout: Callable[[bytes], None] | None = None,
        **request: Unpack[Request],
    ) -> Finished:
        """Run ffmpeg with `args` (without the binary; absolute paths, the same inside as outside) to its end.

        Raises a classified StepFailure for a non-zero exit (unless `check` is off), and whatever the exit for a
        passed bound: `over_limit_memory`, `over_limit_time`, `stalled`. If `stdout` or `progress` raise, the tool is
        killed and the exception goes on.
        """
        stream = self.stream(args, check=check, **request)
        with contextlib.closing(stream):
            while True:
                try:
                    chunk = next(stream)
                except StopIteration as end:
                    finished: Finished = end.value
                    return finished
                if stdout is not None:
                    stdout(chunk)

    def stream(
        self, args: Sequence[str], *, check: bool = True, **request: Unpack[Request]
    ) -> Generator[bytes, None, Finished]:
        """The same as an iterator over ffmpeg's standard output. Starts when first asked; closing it kills ffmpeg."""
        reader, writer = os.pipe()
        try:
            command = [str(self.binary), *with_progress(args, writer)]
            confined = self._confine(command, request, (self.binary,))
            process = Process(confined, self._environment(request), pass_fds=(writer,))
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        return (yield from self._watch(_Run(command, request, Progress(), reader), process, check))

    def run_python(self, module: str, args: Sequence[str] = (), **request: Unpack[Request]) -> bytes:
        """Run a module of ours (its `__main__` part) in the same sandbox; its standard output, at most 64 MB.

        Raises StepFailure as `run` does. Nothing is expected of it before its end, so it cannot stall.
        """
        command = [sys.executable, *python_arguments(module), *args]
        answer = bytearray()
        process = Process(self._confine(command, request, python_libraries()), self._environment(request))
        with contextlib.closing(self._watch(_Run(command, request, module=module), process, check=True)) as chunks:
            for chunk in chunks:
                answer += chunk
                if len(answer) > _MAX_ANSWER:
                    raise StepFailure("tool_failed", detail=f"{module} answered more than {_MAX_ANSWER} bytes")
        return bytes(answer)

    def command_line(self, args: Sequence[str]) -> str:
        """What `run` would run, without the sandbox, to paste into a shell."""
        return command_line(self.binary, args)

    def _confine(self, command: list[str], request: Request, libraries: tuple[Path, ...]) -> list[str]:
        return confine(self.mode, _confinement(request, libraries), command)

    def _environment(self, request: Request) -> dict[str, str]:
        return minimal_environment(self.mode, _confinement(request, ()))

    def _watch(self, run: _Run, process: Process, check: bool) -> Generator[bytes, None, Finished]:
        """Pump the pipes under the watchdog's eye. However it is left, the process tree is gone after it."""
        limits = run.request.get("limits") or self.tools.limits
        watchdog = Watchdog(process, limits, expects_progress=run.progress is not None)
        try:
            with process:
                yield from run.pump(process, watchdog)
                run.is_over = True
            finished = run.finished(process, watchdog)
        except StepFailure as failure:
            run.error = failure.code
            if not failure.detail or failure.blame is not Blame.PERMANENT or failure.code.startswith("over_limit"):
                failure.detail = describe(f"{run.command_line}\n{failure.detail}", None, run.tail.text())
            raise
        finally:
            run.close()
            charge(max(process.cpu_seconds, watchdog.cpu_seconds), lambda: run.told(process, watchdog))
        if check and finished.returncode != 0:
            raise classify(finished.returncode, finished.stderr, run.command_line)
        return finished


@dataclass
class _Run:
    """The streams of one process, on their way."""

    command: list[str]
    request: Request
    progress: Progress | None = None
    progress_pipe: int | None = None
    module: str = ""
    """Of ours, that Python runs."""
    tail: Tail = field(default_factory=Tail)
    is_over: bool = False
    """It came to its own end."""
    error: str = ""
    """The reason's code where it was ended."""

    @property
    def command_line(self) -> str:
        return command_line(Path(self.command[0]), self.command[1:])

    def pump(self, process: Process, watchdog: Watchdog) -> Iterator[bytes]:
        with contextlib.suppress(OSError):  # a smaller pipe is only slower
            fcntl.fcntl(process.stdout, _F_SETPIPE_SZ, _PIPE_BYTES)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")
            if self.progress_pipe is not None:
                selector.register(self.progress_pipe, selectors.EVENT_READ, "progress")
            while selector.get_map():
                for key, _ in selector.select(PERIOD):
                    data = os.read(key.fd, _PIPE_BYTES)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.data == "stdout":
                        yield data
                        watchdog.advanced()
                    else:
                        self._take(key.data, data, watchdog)
                watchdog.look()
        while not process.wait(PERIOD):
            watchdog.look()

    def finished(self, process: Process, watchdog: Watchdog) -> Finished:
        progress = self.progress or Progress()
        return Finished(
            returncode=process.returncode or 0,
            stderr=self.tail.text(),
            wall=watchdog.wall,
            cpu_seconds=max(process.cpu_seconds, watchdog.cpu_seconds),
            peak_memory=max(process.peak_memory, watchdog.peak_memory),
            frames=progress.frames,
            out_seconds=progress.out_seconds,
        )

    def told(self, process: Process, watchdog: Watchdog) -> Run:
        """For who asks what was run."""
        how, wall = self.finished(process, watchdog), watchdog.wall
        return Run(
            program=Path(self.command[0]).name, verb=self.module or verb_of(self.command), began=SystemClock().now() - wall,
            seconds=wall, cpu_seconds=how.cpu_seconds, exit=process.returncode if self.is_over or self.error else None,
            error=self.error, frames=how.frames, memory=how.peak_memory,
        )  # fmt: skip

    def close(self) -> None:
        if self.progress_pipe is not None:
            os.close(self.progress_pipe)
            self.progress_pipe = None

    def _take(self, stream: Literal["stderr", "progress"], data: bytes, watchdog: Watchdog) -> None:
        if stream == "stderr" or self.progress is None:
            self.tail.feed(data)
            return
        before = self.progress.advanced
        self.progress.feed(data)
        if self.progress.advanced > before:
            watchdog.advanced()
        if self.progress.ended:
            watchdog.count()
        report, fraction = self.request.get("progress"), self.progress.fraction(self.request.get("duration"))
        if report is not None and fraction is not None:
            report(fraction)


def _confinement(request: Request, libraries: tuple[Path, ...]) -> Confinement:
    writes = request.get("writes")
    return Confinement(
        reads=tuple(path.absolute() for path in request.get("reads", ())),
        writes=writes.absolute() if writes else None,
        libraries=libraries,
    )
