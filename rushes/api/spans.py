"""Spans of requests by which a creator's asset is made or changed, below the asset's own trace.

Not of those that only read, of playback, of viewers, or that were refused: they are without number, and logs and metrics have
them. Who asked, by the header `traceparent` (W3C Trace Context), is linked: an asset has one trace, whoever's requests reach it.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope

from rushes.api.gate import Exchange, asset_in
from rushes.catalog.spans import Attributes, Span
from rushes.clock import Clock
from rushes.keys import is_id
from rushes.tracing import caller_of, root_span, trace_id, upload_span

METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
UPLOADS = "/files"
PLACES = (UPLOADS, "/v1/assets", "/v1/uploads")
TOKENS = "/tokens"
ASSET = b"rushes-asset"
"""The header by which answers about uploads name their asset."""
FIRST = 16
"""Requests of an asset that all have a span; of further ones each whose number is a power of two, and the last of an upload."""
MOST_ASSETS = 4_096
"""Whose requests are counted at a time."""


class Traced(Protocol):
    """Where spans go (`workers.spans.Spans`)."""

    @property
    def is_on(self) -> bool: ...

    def traces(self, asset: str) -> bool: ...

    def later(self, make: Callable[[], Sequence[Span]]) -> None: ...


class Requests:
    """Called with each request that was answered; neither blocks nor raises."""

    def __init__(self, traced: Traced, clock: Clock) -> None:
        self._traced = traced
        self._clock = clock
        self._counted: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange, scope: Scope) -> None:
        if not _is_told(exchange):
            return
        asset = asset_of(exchange)
        is_last = bool(scope.get("state", {}).get("completes"))
        if asset and self._traced.traces(asset) and (self._is_shown(asset) or is_last):
            seconds = self._clock.monotonic() - exchange.started
            # Made now: a scope leads to its connection, which is not to wait for a collector.
            span = _span(exchange, scope, asset, (self._clock.now() - seconds, seconds))
            self._traced.later(lambda: [span])

    def _is_shown(self, asset: str) -> bool:
        """An upload may come in a hundred thousand requests."""
        with self._lock:
            number = self._counted.pop(asset, 0) + 1
            self._counted[asset] = number
            if len(self._counted) > MOST_ASSETS:
                self._counted.popitem(last=False)
        return number <= FIRST or number & (number - 1) == 0


def _is_told(exchange: Exchange) -> bool:
    """What was refused is not: anybody may ask anything of any asset, and would write into its trace."""
    path, refused = exchange.path, HTTPStatus.BAD_REQUEST <= exchange.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return exchange.method in METHODS and path.startswith(PLACES) and not path.endswith(TOKENS) and not refused


def asset_of(exchange: Exchange) -> str | None:
    """The asset that a request was about: by its path, or by what was answered."""
    if exchange.asset:
        return exchange.asset
    answered = dict(exchange.answer)
    named = answered.get(ASSET, b"").decode("latin-1")
    _, where, place = answered.get(b"location", b"").decode("latin-1").partition("/v1/assets/")
    return named if is_id(named) else asset_in(where + place)


def _span(exchange: Exchange, scope: Scope, asset: str, times: tuple[float, float]) -> Span:
    began, seconds = times
    status = exchange.status or 499
    route = _route(exchange.path, scope)
    below = upload_span(asset) if exchange.path.startswith(UPLOADS) else root_span(asset)
    failed = str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    callers = Headers(scope=scope).getlist("traceparent")
    caller = caller_of(callers[0]) if len(callers) == 1 else None  # of several nobody knows which is meant
    return Span(
        trace=trace_id(asset), span=secrets.token_hex(8), parent=below, name=f"{exchange.method} {route}".strip(),
        began=began, ended=began + seconds, error=failed, kind="server", callers=(caller,) if caller else (),
        attributes=_attributes(exchange, scope, route, status),
    )  # fmt: skip


def _route(path: str, scope: Scope) -> str:
    """As a route is written; those of uploads are not FastAPI's own, so nobody else says theirs."""
    named = getattr(scope.get("route"), "path", "")
    if named or not path.startswith(UPLOADS):
        return str(named)
    return UPLOADS if path.rstrip("/") == UPLOADS else f"{UPLOADS}/{{upload}}"


def _attributes(exchange: Exchange, scope: Scope, route: str, status: int) -> Attributes:
    """OpenTelemetry's, without the query, which may hold what opens an upload, and without who it was."""
    found: Attributes = {
        "http.request.method": exchange.method, "url.scheme": scope.get("scheme", "http"), "url.path": exchange.path,
        "http.response.status_code": status, "network.protocol.version": scope.get("http_version", ""),
        "rushes.request": exchange.request_id,
    }  # fmt: skip
    if route:
        found["http.route"] = route
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        found["error.type"] = str(status)
    length = Headers(scope=scope).get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 19:
        found["http.request.body.size"] = int(length)
    return found
