"""Spans of what an attempt did, as its child has told it: tools, and requests to the object store."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from rushes.catalog.spans import Attributes, Span
from rushes.engine.job import Job
from rushes.ffmpeg.meter import Run
from rushes.storage.timed import Requests
from rushes.tracing import attempt_span, part_span, trace_id
from rushes.workers.order import Ran


class Whose(NamedTuple):
    """What a job says of that, alone."""

    asset: str
    step_id: str
    fence: int


def for_later(job: Job, ran: Ran) -> partial[list[Span]]:
    """`parts_of`, for whoever waits: a job's inputs may be megabytes, and are not kept."""
    return partial(parts_of, Whose(job.asset, job.step_id, job.fence), ran)


def parts_of(job: Job | Whose, ran: Ran) -> list[Span]:
    """Below the attempt. As many as `ffmpeg.meter` lets through, and one for each operation of a store."""
    tools = [_of_tool(job, number, run) for number, run in enumerate(ran.tools)]
    return tools + [_of_store(job, op, requests) for op, requests in ran.store.items()]


def _of_tool(job: Job | Whose, number: int, run: Run) -> Span:
    failed = run.error or (str(run.exit) if run.exit else "")
    found: dict[str, str | int | float | None] = {
        "process.executable.name": run.program, "process.exit.code": run.exit, "error.type": failed or None,
        "rushes.tool.verb": run.verb or None, "rushes.tool.runs": run.runs, "rushes.cpu_seconds": run.cpu_seconds,
        "rushes.frames": run.frames, "rushes.memory_bytes": run.memory,
    }  # fmt: skip
    tool = "ffmpeg" if "ffmpeg" in run.program else "python" if "python" in run.program else "tool"
    return _below(
        job, f"tool {number}", f"{tool} {run.verb}".strip(), (run.began, run.began + run.seconds),
        {name: value for name, value in found.items() if value is not None}, failed,
    )  # fmt: skip


def _of_store(job: Job | Whose, op: str, requests: Requests) -> Span:
    """From the first to the last of them; `rushes.store.seconds` is what they took, side by side or not."""
    found: Attributes = {
        "rushes.store.operation": op, "rushes.store.requests": requests.count, "rushes.store.failed": requests.failed,
        "rushes.store.seconds": requests.seconds, "rushes.store.bytes": requests.bytes,
    }  # fmt: skip
    return _below(job, f"store {op}", f"store {op}", (requests.began, requests.ended), found)


def _below(
    job: Job | Whose, part: str, name: str, times: tuple[float, float], attributes: Attributes, error: str = ""
) -> Span:
    return Span(
        trace=trace_id(job.asset), span=part_span(job.step_id, job.fence, part),
        parent=attempt_span(job.step_id, job.fence), name=name, began=times[0], ended=times[1], error=error or None,
        kind="client", attributes=attributes,
    )  # fmt: skip
