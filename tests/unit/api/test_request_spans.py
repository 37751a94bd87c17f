"""Which requests are a part of an asset's trace, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from starlette.types import Scope

from rushes.api.gate import Exchange
from rushes.api.spans import FIRST, Requests
from rushes.catalog.spans import Span
from rushes.clock import ManualClock
from rushes.keys import new_id
from rushes.tracing import root_span, trace_id, upload_span

ASSET = new_id(1_750_000_000.0, 7)  # the same in every process that collects these tests
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE}-{SPAN}-01"


class Taken:
    """Keeps what it is told."""

    is_on = True

    def __init__(self, *, wants: bool = True) -> None:
        self.wants = wants
        self.spans: list[Span] = []

    def traces(self, asset: str) -> bool:
        return self.wants

    def later(self, make: Callable[[], Sequence[Span]]) -> None:
        self.spans += make()


def exchange(method: str, path: str, status: int = 204, **answer: str) -> Exchange:
    one = Exchange("request-1", method, path, started=0.0, status=status)
    one.answer = [(name.replace("_", "-").encode(), value.encode()) for name, value in answer.items()]
    return one


def scope(*headers: tuple[str, str], **more: object) -> Scope:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "headers": raw, "http_version": "1.1", "scheme": "https", **more}


def told(one: Exchange, about: Scope | None = None) -> list[Span]:
    taken, clock = Taken(), ManualClock(1000.0)
    clock.advance(2.5 - clock.monotonic())
    Requests(taken, clock)(one, about or scope())
    return taken.spans


def test_a_patch_is_below_the_upload_and_linked_to_who_asked() -> None:
    sent = scope(("traceparent", CALLER), ("content-length", "77"), ("authorization", "Bearer rk_secret"))
    (span,) = told(exchange("PATCH", "/files/u1", rushes_asset=ASSET), sent)
    assert (span.name, span.kind, span.trace, span.parent) == (
        "PATCH /files/{upload}", "server", trace_id(ASSET), upload_span(ASSET)
    )  # fmt: skip
    assert span.callers == ((TRACE, SPAN),)
    assert span.ended - span.began == 2.5
    assert span.attributes["http.response.status_code"] == 204
    assert span.attributes["http.request.body.size"] == 77
    assert "secret" not in str(span.attributes)


def test_a_creation_of_another_door_is_known_by_the_address_of_its_asset() -> None:
    (span,) = told(exchange("POST", "/v1/assets", 201, location=f"/v1/assets/{ASSET}"))
    assert (span.trace, span.parent) == (trace_id(ASSET), root_span(ASSET))
    (span,) = told(exchange("DELETE", f"/v1/assets/{ASSET}", 500))
    assert (span.error, span.attributes["error.type"]) == ("500", "500")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", "rubbish")],
        [("traceparent", f"00-{'0' * 32}-{SPAN}-01")],
        [("traceparent", CALLER), ("traceparent", CALLER)],
        [("traceparent", "é" * 99)],
    ],
)
def test_who_says_wrongly_who_asks_has_not_said_it(headers: list[tuple[str, str]]) -> None:
    (span,) = told(exchange("POST", "/files", 201, rushes_asset=ASSET), scope(*headers))
    assert span.callers == ()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1/assets/{ASSET}"),
        ("HEAD", "/files/u1"),
        ("GET", f"/media/{ASSET}/master.m3u8"),
        ("POST", f"/plays/{ASSET}"),
        ("POST", f"/v1/assets/{ASSET}/tokens"),
        ("POST", f"/keys/{ASSET}/clearkey"),
        ("OPTIONS", "/files"),
    ],
)
def test_who_reads_or_plays_is_in_no_trace(method: str, path: str) -> None:
    assert told(exchange(method, path, rushes_asset=ASSET)) == []


@pytest.mark.parametrize(
    "answer", [{}, {"rushes_asset": "x"}, {"location": "http://[bad"}, {"location": "/v1/assets/x"}]
)
def test_what_names_no_asset_is_in_no_trace(answer: dict[str, str]) -> None:
    assert told(exchange("POST", "/files", 201, **answer)) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_who_was_refused_writes_into_nobodys_trace(status: int) -> None:
    assert told(exchange("DELETE", f"/v1/assets/{ASSET}", status)) == []
    assert told(exchange("PATCH", "/files/u1", status, rushes_asset=ASSET)) == []


def test_an_upload_of_many_requests_has_few_spans_and_its_last() -> None:
    taken = Taken()
    requests = Requests(taken, ManualClock())
    for number in range(10_000):
        requests(exchange("PATCH", "/files/u1", rushes_asset=ASSET), scope(state={"completes": number == 9_998}))
    assert len(taken.spans) == FIRST + 9 + 1  # 32, 64 ... 8192, and the last
    unwanted = Taken(wants=False)
    Requests(unwanted, ManualClock())(exchange("PATCH", "/files/u1", rushes_asset=ASSET), scope())
    assert unwanted.spans == []


def test_what_waits_to_be_sent_keeps_no_connection() -> None:
    """A scope leads to its connection and the buffers of that; a collector that is slow would keep a thousand of them."""
    waiting: list[Callable[[], Sequence[Span]]] = []
    taken, about = Taken(), scope(("traceparent", CALLER))
    taken.later = waiting.append  # type: ignore[method-assign]
    Requests(taken, ManualClock(1000.0))(exchange("PATCH", "/files/u1", rushes_asset=ASSET), about)
    about.clear()
    (span,) = waiting[0]()
    assert span.callers == ((TRACE, SPAN),)
