"""What tools cost that the door ran, and on request what was run. CPU seconds: the operating system does not charge them to us,
for bwrap does not pass them on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise

from rushes.noun import Noun

MOST_RUNS = 32
"""Of one step, each by itself; what comes after is one more that stands for all the rest."""
REST = "others"
_SAYS = ("-c:v", "-c:a", "-f")
"""Options of what is written that say what a command is for: the encoder of pictures, that of sound, the form."""
_WORD = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)


class Run(Noun):
    """One run of a tool. Not its arguments and not what it said: they name files, and may hold what is nobody's business."""

    program: str
    verb: str = ""
    """A module of ours, an encoder or a format; `others` where it stands for several runs."""
    began: float
    """Seconds since the epoch by this machine's clock."""
    seconds: float
    cpu_seconds: float
    exit: int | None = None
    """Minus a signal's number; None where it was not waited for to the end."""
    error: str = ""
    """The reason's code where it failed."""
    frames: int | None = None
    memory: int = 0
    """Bytes held at most."""
    runs: int = 1

    def with_another(self, other: Run) -> Run:
        """The two as one."""
        seconds = max(self.began + self.seconds, other.began + other.seconds) - self.began
        return self.model_copy(update={
            "verb": REST, "seconds": seconds, "cpu_seconds": self.cpu_seconds + other.cpu_seconds, "exit": None,
            "error": self.error or other.error, "frames": None, "memory": max(self.memory, other.memory),
            "runs": self.runs + other.runs,
        })  # fmt: skip


@dataclass
class Meter:
    cpu_seconds: float = 0.0
    runs: list[Run] | None = None
    """None: nobody asked."""

    def note(self, run: Run) -> None:
        """At most MOST_RUNS, and one for the rest."""
        if self.runs is None:
            return
        if len(self.runs) <= MOST_RUNS:
            self.runs.append(run)
        else:
            self.runs[-1] = self.runs[-1].with_another(run)


_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered(*, runs: bool = False) -> Iterator[Meter]:
    """Collects what tools use within the block, in this context; and which ran, where that is asked for."""
    meter = Meter(runs=[] if runs else None)
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def charge(cpu_seconds: float, run: Callable[[], Run] | None = None) -> None:
    """Called by the door when a tool has ended. `run` is called only where somebody asked."""
    meter = _current.get()
    if meter is None:
        return
    meter.cpu_seconds += cpu_seconds
    if meter.runs is not None and run is not None:
        meter.note(run())


def verb_of(args: Sequence[str]) -> str:
    """What an ffmpeg command is for, in a word that is never a name or a path of somebody's: `libx264`, `rawvideo`, `null`."""
    output = args[len(args) - list(reversed(args)).index("-i") :] if "-i" in args else args
    said = [value for name in _SAYS for value in _values(name, output)[-1:]]
    return next((value for value in said if _WORD.fullmatch(value)), "")


def _values(name: str, args: Sequence[str]) -> list[str]:
    return [value for before, value in pairwise(args) if before == name]
