"""Spans on their way to a collector: in OpenTelemetry's form, in batches, and never in the way of the work."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.spans import Span
from rushes.catalog.telling import Claimed, Ended, Happening
from rushes.clock import ManualClock
from rushes.settings import SettingsError
from rushes.tracing import attempt_span, root_span, trace_id
from rushes.workers import spans
from rushes.workers.otlp import sender
from rushes.workers.spans import Make, Send, Spans, both, open_spans, share_of
from tests.services.collector import listening

ENDED = Ended("encode", "done", step="s1", fence=2)
SPAN = Span(
    trace=trace_id("a"), span=attempt_span("s1", 2), parent=root_span("a"), name="encode.0", began=10.0, ended=12.5,
    error="tool_failed", links=((attempt_span("s1", 1), "retry"),), attributes={"rushes.cpu_seconds": 2.0},
)  # fmt: skip


def into(sent: list[Span]) -> Send:
    """A collector that takes everything."""

    def send(spans: Sequence[Span]) -> str:
        sent.extend(spans)
        return ""

    return send


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
    found = Spans(into(sent))
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

    found = Spans(into(sent))
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
    lost: list[tuple[str, int]] = []
    found = Spans(into([]), lost=lambda why, number: lost.append((why, number)))  # not started: nobody takes anything
    for _ in range(5):
        found(ENDED)
    assert found.dropped == 3
    assert lost == [("queue", 1)] * 3


def test_parts_of_steps_are_dropped_before_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST_MADE", 2)
    sent: list[Span] = []
    found = Spans(into(sent))
    for _ in range(5):
        found.later(lambda: [SPAN])
    for _ in range(5):
        found(ENDED)
    assert found.dropped == 3
    found.start(lambda batch: [SPAN] * len(batch))
    found.close()
    assert len(sent) == 2 + 5


def test_what_is_lost_is_counted_by_why_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    lost, taken = list[tuple[str, int]](), iter(["away", "still away", ""])
    answered = threading.Semaphore(0)

    def send(_: Sequence[Span]) -> str:
        answered.release()
        return next(taken)

    found = Spans(send, lost=lambda why, number: lost.append((why, number)))
    found.start(lambda batch: [SPAN, SPAN])
    with caplog.at_level(logging.INFO, logger="rushes.tracing"):
        for _ in range(3):
            found(ENDED)
            assert answered.acquire(timeout=10)
        found.close()
    assert lost == [("collector", 2), ("collector", 2)]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.messages[0].endswith("does: away")


def test_a_share_of_all_assets_is_traced_and_nothing_is_made_of_others() -> None:
    sent: list[Span] = []
    found = Spans(into(sent), share=0.5)
    ids = [f"asset {number}" for number in range(100)]
    chosen = [one for one in ids if found.traces(one)]
    assert 20 < len(chosen) < 80
    found.start(lambda batch: [replace(SPAN, trace=trace_id(one.asset)) for one in batch if isinstance(one, Ended)])
    for one in ids:
        found(replace(ENDED, asset=one))
    found.close()
    assert {span.trace for span in sent} == {trace_id(one) for one in chosen}
    assert not Spans(into(sent), share=0.0).is_on


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": ""}, 1.0),
    ],
)
def test_the_share_is_said_as_opentelemetry_says_it(environment: dict[str, str], share: float) -> None:
    assert share_of(environment) == share


@pytest.mark.parametrize("sampler", ["jaeger_remote", "traceidratio:2", "traceidratio:x", "traceidratio:nan"])
def test_a_share_that_is_none_is_refused_by_name(sampler: str) -> None:
    name, _, argument = sampler.partition(":")
    with pytest.raises(SettingsError, match="OTEL_TRACES_SAMPLER"):
        share_of({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})


def test_switched_off_by_opentelemetrys_own_switch() -> None:
    assert not open_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, "x").is_on


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST", 2)
    monkeypatch.setattr(spans, "LAST_WORDS", 0.01)
    hangs, over = threading.Event(), threading.Event()

    def send(_: Sequence[Span]) -> str:
        hangs.set()
        over.wait(60)
        return ""

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

    class Trickle(queue.Queue[Happening | Make | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> Happening | Make | None:
            clock.advance(0.6)
            return None if over.is_set() else ENDED

    found = Spans(into([]), clock)
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


def test_a_collector_gets_them_in_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as ear:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ear.url)
        assert not sender("rushes-worker")([replace(SPAN, callers=(("1" * 32, "2" * 16),), kind="server")])
    ((name, (got,)),) = ear.services()
    assert name == "rushes-worker"
    assert (got.trace_id.hex(), got.span_id.hex(), got.parent_span_id.hex()) == (SPAN.trace, SPAN.span, SPAN.parent)
    assert (got.name, got.start_time_unix_nano, got.end_time_unix_nano) == ("encode.0", 10_000_000_000, 12_500_000_000)
    assert (got.status.code, got.status.message) == (2, "tool_failed")
    assert got.kind == got.SPAN_KIND_SERVER
    links = [(link.trace_id.hex(), link.span_id.hex(), link.attributes[0].value.string_value) for link in got.links]
    assert links == [(SPAN.trace, attempt_span("s1", 1), "retry"), ("1" * 32, "2" * 16, "caller")]


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_collector_that_refuses_costs_only_spans(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    with listening() as ear:
        ear.status = status
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ear.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
        assert str(status) in sender("rushes-worker")([SPAN])
    assert sender("rushes-worker")([SPAN])  # nobody is there any more
    assert capsys.readouterr().err == ""  # the exporter's own words would be no lines of our log
