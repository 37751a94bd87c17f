"""Structured logs: one line an event, with the asset and step it is about where there is one."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal

from rushes.clock import rfc3339
from rushes.tracing import trace_id

FIELDS = (
    "asset",
    "step",
    "worker",
    "tenant",
    "pool",
    "attempt",
    "request",
    "method",
    "path",
    "status",
    "seconds",
    "bytes",
    "cmcd",
    "code",
    "detail",
)
"""What may be given in `extra` and is shown."""
SHORT = ("asset", "step", "worker", "code", "detail")
"""What the text form shows; the rest stands in its messages."""


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = [rfc3339(record.created), record.levelname.lower().ljust(7), record.getMessage()]
        parts += [f"{name}={value}" for name in SHORT if (value := getattr(record, name, None)) is not None]
        text = " ".join(parts)
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": rfc3339(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {name: _plain(value) for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if "asset" in line:
            line["trace_id"] = trace_id(str(line["asset"]))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _plain(value: object) -> object:
    """Fields that have fields of their own keep them (what a player reported); the rest is text."""
    return value if isinstance(value, dict) else str(value)


def configure(style: Literal["text", "json"], level: int = logging.INFO) -> None:
    """Send the product's log to standard error. Called once, by the command line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    root = logging.getLogger("rushes")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
