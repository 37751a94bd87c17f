"""What a worker and its children say to each other: one JSON object a line, over the child's standard streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from rushes.engine.job import Job, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.meter import Run
from rushes.model import Result
from rushes.noun import Noun, Reason
from rushes.storage.timed import Counts, Requests


class Order(Noun):
    """Worker to child: do this."""

    job: Job
    scratch: Path
    storage: str
    tools: ToolSettings
    traceparent: str = ""
    """W3C Trace Context of the attempt; empty where nothing is traced."""


class Ready(Noun):
    """Child to worker: the imports are done."""

    say: Literal["ready"] = "ready"


class Progress(Noun):
    say: Literal["progress"] = "progress"
    fraction: float
    cpu_seconds: float = 0.0
    """So far."""


class Ran(Noun):
    """What an attempt did, for its trace. Bounded, and without anything that a stranger wrote."""

    tools: tuple[Run, ...] = ()
    store: dict[str, Requests] = Field(default_factory=dict)
    """By operation: get, put ..."""


class Done(Noun):
    say: Literal["done"] = "done"
    result: Result
    cpu_seconds: float
    copied: bool = False
    """It is the result of the job's twin."""
    bytes_read: int = 0
    bytes_written: int = 0
    """From and to the object store."""
    requests: Counts = Field(default_factory=dict)
    """How long that took to answer."""
    ran: Ran | None = None
    """None: the order had no `traceparent`."""


class Failed(Noun):
    say: Literal["failed"] = "failed"
    reason: Reason
    blame: Blame
    detail: str
    cpu_seconds: float
    bytes_read: int = 0
    bytes_written: int = 0
    requests: Counts = Field(default_factory=dict)
    ran: Ran | None = None

    @classmethod
    def of(cls, failure: StepFailure, cpu_seconds: float) -> Failed:
        reason = Reason(code=failure.code, message=failure.message)
        return cls(reason=reason, blame=failure.blame, detail=failure.detail, cpu_seconds=cpu_seconds)


Message = Annotated[Ready | Progress | Done | Failed, Field(discriminator="say")]
MESSAGE: TypeAdapter[Ready | Progress | Done | Failed] = TypeAdapter(Message)
