"""Spans as the catalog gives them; how they are sent is not its business."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    events: dict[str, float] = field(default_factory=dict)
    attributes: dict[str, str | int | float] = field(default_factory=dict)
