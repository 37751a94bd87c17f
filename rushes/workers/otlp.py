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

log = logging.getLogger("rushes.tracing")


def sender(service: str, exporter: SpanExporter | None = None) -> Send:
    """Without an exporter, the one that OTEL_EXPORTER_OTLP_... describe (HTTP, protobuf)."""
    chosen, resource = exporter or OTLPSpanExporter(), Resource.create({"service.name": service})

    def send(spans: Sequence[Span]) -> None:
        result = chosen.export([_readable(span, resource) for span in spans]) if spans else SpanExportResult.SUCCESS
        if result is not SpanExportResult.SUCCESS:
            log.warning("%d spans were not taken by the collector", len(spans))

    return send


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    failed = Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET)
    return ReadableSpan(
        name=span.name, context=_context(span.trace, span.span), resource=resource, attributes=span.attributes,
        parent=_context(span.trace, span.parent) if span.parent else None,
        events=[Event(name, timestamp=_nanoseconds(at)) for name, at in span.events.items()],
        links=[Link(_context(span.trace, other), {"rushes.why": why}) for other, why in span.links],
        kind=SpanKind.INTERNAL, status=failed, start_time=_nanoseconds(span.began), end_time=_nanoseconds(span.ended),
        instrumentation_scope=InstrumentationScope("rushes"),
    )  # fmt: skip


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
