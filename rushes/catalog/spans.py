"""Spans as the catalog gives them; how they are sent is not its business."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Attributes = dict[str, str | int | float]


@dataclass(frozen=True)
class Span:
    """Names are hexadecimal (`rushes.tracing`), times in seconds since the epoch."""

    trace: str
    span: str
    parent: str | None
    name: str
    began: float
    ended: float
    error: str | None = None
    """The reason's code where it failed."""
    links: tuple[tuple[str, str], ...] = ()
    """(span of the same trace, why: `after` what it waited for, `retry` of the attempt before)."""
    callers: tuple[tuple[str, str], ...] = ()
    """(trace, span) of somebody else's that it answers."""
    kind: Literal["internal", "server", "client"] = "internal"
    """As OpenTelemetry has it: `server` answers a request from outside, `client` waits for somebody else's answer."""
    events: dict[str, float] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
