"""Running ffmpeg on a source: what failed, and how much of the stream came out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rushes.engine.job import ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.failure import classify
from rushes.transcoder.decoding import Decoding, loud, read_decoding
from rushes.transcoder.inputs import Input

VAGUE = frozenset({"corrupt", "tool_failed"})
"""Codes that say less than `no_decodable_frames` does."""

SLOWEST = 4
"""Seconds that a busy machine may take to decode one."""


def patient(tools: ToolSettings, silent: float) -> ToolSettings:
    """For a command that decodes so many seconds of the source before anything comes out: that is no standstill."""
    limits = tools.limits.model_copy(update={"stall": tools.limits.stall + SLOWEST * silent})
    return tools.model_copy(update={"limits": limits})


def read_source(
    door: Door,
    arguments: Sequence[str],
    source: Input,
    stream: int,
    *,
    writes: Path,
    report: tuple[float, Callable[[float], None]],
) -> Decoding:
    """Run a command on the source's stream `stream`. `report`: seconds expected, and what takes the share done.

    The tool is asked for its closing summary, which makes it print the file's own metadata too. Failures are judged
    by error lines only, so that a title such as "encrypted" decides nothing.

    Raises a classified StepFailure; `no_decodable_frames` where the stream gave nothing.
    """
    finished = door.run(
        arguments, reads=source.files, writes=writes, duration=report[0], progress=report[1], check=False
    )
    decoding = read_decoding(finished.stderr, stream)
    empty = decoding is not None and decoding.frames == 0
    if finished.returncode != 0:
        failure = classify(finished.returncode, loud(finished.stderr), door.command_line(arguments))
        if empty and failure.code in VAGUE:
            raise StepFailure("no_decodable_frames", detail=failure.detail)
        raise failure
    if empty:
        raise StepFailure("no_decodable_frames", detail=loud(finished.stderr))
    return decoding or Decoding(frames=0, errors=0)
