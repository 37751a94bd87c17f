"""Our spans as OpenTelemetry's, sent by its exporter. The only file that knows its kit, an extra of ours (`tracing`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from rushes.catalog.spans import Span
from rushes.workers.spans import Send

MOST_WORDS = 300
"""Characters."""
_SUMMARY = "Failed to export spans batch due to"
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}


def sender(service: str, exporter: SpanExporter | None = None) -> Send:
    """Without an exporter, the one that OTEL_EXPORTER_OTLP_... describe (HTTP, protobuf)."""
    chosen, resource = exporter or OTLPSpanExporter(), Resource.create({"service.name": service})

    last = _LastWord()
    theirs = logging.getLogger(OTLPSpanExporter.__module__)
    theirs.handlers, theirs.propagate = [last], False

    def send(spans: Sequence[Span]) -> str:
        last.text = ""
        result = chosen.export([_readable(span, resource) for span in spans])
        return "" if result is SpanExportResult.SUCCESS else last.text or "no reason was given"

    return send


class _LastWord(logging.Handler):
    """Why a batch was not taken, as its exporter says it at each of its tries: for whoever has to act, and not again and again
    between the lines of our log."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if not (self.text and said.startswith(_SUMMARY)):
            self.text = said[:MOST_WORDS]


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    failed = Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET)
    return ReadableSpan(
        name=span.name, context=_context(span.trace, span.span), resource=resource, attributes=span.attributes,
        parent=_context(span.trace, span.parent) if span.parent else None,
        events=[Event(name, timestamp=_nanoseconds(at)) for name, at in span.events.items()],
        links=_links(span), kind=_KINDS[span.kind], status=failed, start_time=_nanoseconds(span.began),
        end_time=_nanoseconds(max(span.began, span.ended)), instrumentation_scope=InstrumentationScope("rushes"),
    )  # fmt: skip


def _links(span: Span) -> list[Link]:
    own = [Link(_context(span.trace, other), {"rushes.why": why}) for other, why in span.links]
    return own + [Link(_context(*caller, is_remote=True), {"rushes.why": "caller"}) for caller in span.callers]


def _context(trace: str, span: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=is_remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
