"""What is needed to do a step again elsewhere and see it fail: its job, its history, what it was done with. Pure.

There are no secrets in it, and no bytes of the source: those are named, by key, size and digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from rushes.engine.job import Job
from rushes.errors import Blame
from rushes.noun import Noun

DETAIL = 4000
"""Characters that are kept of what a tool said last, of each attempt."""


class Trial(Noun):
    """An attempt that has ended."""

    fence: int
    worker: str
    host: str = ""
    started_at: float
    finished_at: float | None = None
    outcome: str = ""
    reason_code: str = ""
    blame: Blame | None = None
    detail: str = ""
    """The tool's command, exit code and last words."""
    cpu_seconds: float = 0.0


class Bundle(Noun):
    step: str
    asset: str
    key: str
    kind: str
    release: str
    """Of rushes that set it aside."""
    graph: int
    """Version of the graph that the step was planned by."""
    tool: str
    """The media tool's version."""
    job: Job | None = None
    """None where the record could not be read; `raw` has it then."""
    raw: dict[str, Any] = Field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    """Oldest first."""


def without_secrets(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a step, their addresses without what opens them: a password, or a signature in the query."""
    return {name: _bare(value) if isinstance(value, str) else value for name, value in params.items()}


def _bare(text: str) -> str:
    if not text.lower().startswith(("https://", "http://")):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return f"{text.partition(':')[0].lower()}://..."
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
