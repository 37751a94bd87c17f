"""Spans on their way to a collector: in OpenTelemetry's form, in batches, and never in the way of the work."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.spans import Span
from rushes.catalog.telling import Claimed, Ended, Happening
from rushes.clock import ManualClock
from rushes.tracing import attempt_span, root_span, trace_id
from rushes.workers import spans
from rushes.workers.otlp import sender
from rushes.workers.spans import Spans, both, open_spans

ENDED = Ended("encode", "done", step="s1", fence=2)
SPAN = Span(
    trace=trace_id("a"), span=attempt_span("s1", 2), parent=root_span("a"), name="encode.0", began=10.0, ended=12.5,
    error="tool_failed", links=((attempt_span("s1", 1), "retry"),), attributes={"rushes.cpu_seconds": 2.0},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "LINGER", 0.01)


def test_without_an_endpoint_nothing_is_kept() -> None:
    silent = open_spans({}, "rushes-worker")
    silent.start(lambda _: pytest.fail("nobody asked"))
    silent(ENDED)
    silent.close()


def test_what_happened_is_looked_up_and_sent() -> None:
    sent: list[Span] = []
    seen: list[Happening] = []
    found = Spans(sent.extend)
    found.start(lambda batch: seen.extend(batch) or [SPAN] * len(batch))
    for one in (ENDED, Claimed("video", 2, 0.1), ENDED):
        found(one)
    found.close()
    assert seen == [ENDED, ENDED]  # a claim is no end
    assert sent == [SPAN, SPAN]


def test_trouble_with_one_batch_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Span] = []
    troubles = iter([DatabaseUnavailable("away"), ValueError("odd")])
    looked = threading.Semaphore(0)

    def read(batch: Sequence[Happening]) -> list[Span]:
        looked.release()
        for trouble in troubles:
            raise trouble
        return [SPAN]

    found = Spans(sent.extend)
    found.start(read)
    with caplog.at_level(logging.WARNING, logger="rushes.tracing"):
        for _ in range(3):
            found(ENDED)
            assert looked.acquire(timeout=10)
        found.close()
    assert sent == [SPAN]
    assert "away" in caplog.text


def test_what_nobody_takes_in_time_is_dropped_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST", 2)
    found = Spans(lambda _: None)  # not started: nobody takes anything
    for _ in range(5):
        found(ENDED)
    assert found.dropped == 3


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST", 2)
    monkeypatch.setattr(spans, "LAST_WORDS", 0.01)
    hangs, over = threading.Event(), threading.Event()

    def send(_: Sequence[Span]) -> None:
        hangs.set()
        over.wait(60)

    found = Spans(send)
    found.start(lambda batch: [SPAN])
    found(ENDED)
    assert hangs.wait(10)
    for _ in range(3):  # more than may wait
        found(ENDED)
    closing = threading.Thread(target=found.close, daemon=True)
    closing.start()
    closing.join(5)
    ended = not closing.is_alive()
    over.set()
    assert ended


def test_the_first_of_a_batch_waits_no_longer_because_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "LINGER", 1.0)
    clock, sent, over = ManualClock(), list[int](), threading.Event()

    def read(batch: Sequence[Happening]) -> list[Span]:
        sent.append(len(batch))
        over.set()
        return []

    class Trickle(queue.Queue[Happening | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> Happening | None:
            clock.advance(0.6)
            return None if over.is_set() else ENDED

    found = Spans(lambda _: None, clock)
    found._waiting = Trickle()
    found.start(read)
    assert over.wait(10)
    found.close()
    assert sent[0] <= 3


def test_several_are_told() -> None:
    one: list[Happening] = []
    other: list[Happening] = []
    both(one.append, other.append)(ENDED)
    assert one == other == [ENDED]


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_a_collector_gets_them_in_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Collector) as server:
        server.taken = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        try:
            sender("rushes-worker")([SPAN])
        finally:
            server.shutdown()
            thread.join()
    ((path, body),) = server.taken  # type: ignore[attr-defined]
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"] == "rushes-worker"
    ((got,),) = ([*scope.spans] for scope in resource.scope_spans)
    assert (got.trace_id.hex(), got.span_id.hex(), got.parent_span_id.hex()) == (SPAN.trace, SPAN.span, SPAN.parent)
    assert (got.name, got.start_time_unix_nano, got.end_time_unix_nano) == ("encode.0", 10_000_000_000, 12_500_000_000)
    assert (got.status.code, got.status.message) == (2, "tool_failed")
    ((link),) = got.links
    assert (link.span_id.hex(), link.attributes[0].value.string_value) == (attempt_span("s1", 1), "retry")
