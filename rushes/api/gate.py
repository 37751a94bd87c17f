"""What every request passes: its identity, access log, security headers, numbers, the last resort for errors."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rushes.api.cmcd import Report
from rushes.api.metrics import HttpMetrics
from rushes.api.problems import MEDIA_TYPE, problem
from rushes.clock import Clock
from rushes.keys import is_id

access = logging.getLogger("rushes.access")
logger = logging.getLogger("rushes.api")

_GIVEN_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$", re.ASCII)
_TOKEN = re.compile(r"^/(preview|signed)/[^/]*")
_ASTRAY = re.compile(r"\b[0-9a-z]{26}\.\d{1,12}\.[\w-]{20,}", re.ASCII)
"""A token in a place where none belongs: an address was put together wrongly, and the token is good all the same."""
_WITH_ASSET = ("/v1/assets/", "/v1/playback/", "/media/", "/artifacts/", "/keys/", "/plays/", "/watch/", "/embed/")


@dataclass
class Exchange:
    """What is known of one request while it is answered."""

    request_id: str
    method: str
    path: str
    started: float
    status: int = 0
    first_byte: float = 0.0
    sent: int = 0
    asset: str | None = field(init=False)
    answer: Sequence[tuple[bytes, bytes]] = ()
    """The headers of what was answered."""

    def __post_init__(self) -> None:
        self.asset = asset_in(self.path)
        self.path = _ASTRAY.sub("***", _TOKEN.sub(r"/\1/***", self.path))


def asset_in(path: str) -> str | None:
    """The asset that a path is about: `/media/{asset}/master.m3u8`, also behind a token."""
    if path.startswith("/signed/"):
        path = path[path.find("/", 8) :]
    for prefix in _WITH_ASSET:
        if path.startswith(prefix):
            first = path[len(prefix) :].partition("/")[0]
            return first if is_id(first) else None
    return None


def request_id(headers: Headers) -> str:
    """The caller's, so that one request can be followed through several systems, if it looks like one."""
    given = headers.get("x-request-id", "")
    return given if _GIVEN_ID.match(given) else secrets.token_hex(8)


def secure(headers: MutableHeaders) -> None:
    """Headers that every answer carries, unless its route has set its own."""
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    kind = headers.get("content-type", "")
    if kind.startswith(("application/json", MEDIA_TYPE)):
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    elif kind.startswith("text/html") and "frame-ancestors *" not in headers.get("content-security-policy", ""):
        headers.setdefault("X-Frame-Options", "SAMEORIGIN")


def brings_all(headers: Mapping[bytes, bytes]) -> bool:
    """The origin's answers have what `secure` would look for: a thousand times as many as all others."""
    return b"x-content-type-options" in headers and headers.get(b"content-security-policy", b"").endswith(b"; sandbox")


Follow = Callable[[Exchange, Scope], None]


class Gate:
    """ASGI middleware. Passes messages it does not know, such as informational responses, on as they are."""

    def __init__(self, app: ASGIApp, clock: Clock, metrics: HttpMetrics, follow: Follow | None = None) -> None:
        """`follow` hears of each request that was answered."""
        self._follow = follow
        self._app = app
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(request_id(Headers(scope=scope)), scope["method"], scope["path"], self._clock.monotonic())
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        outward = self._outward(exchange, send)
        try:
            await self._app(scope, receive, outward)
        except Exception:
            logger.exception("unexpected error", extra={"request": exchange.request_id, "asset": exchange.asset})
            if exchange.status:
                raise  # the answer has begun: only breaking the connection tells the client that it is not whole
            await _apologise(exchange, outward)
        finally:
            self._record(exchange, scope)

    def _outward(self, exchange: Exchange, send: Send) -> Send:
        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.first_byte = self._clock.monotonic()
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id.encode())]
                exchange.answer = message["headers"]
                if not brings_all(dict(message["headers"])):
                    secure(MutableHeaders(raw=message["headers"]))
            elif message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
            await send(message)

        return outward

    def _record(self, exchange: Exchange, scope: Scope) -> None:
        route = getattr(scope.get("route"), "path", "other")
        status = exchange.status or 499  # nothing was answered: the client went away first
        first_byte = exchange.first_byte or self._clock.monotonic()
        self._metrics.answered(exchange.method, route, status, first_byte - exchange.started)
        _log(exchange, status, self._clock.monotonic() - exchange.started, scope.get("state", {}).get("cmcd"))
        if self._follow is not None:
            self._follow(exchange, scope)


async def _apologise(exchange: Exchange, send: Send) -> None:
    detail = "Something went wrong on our side. The request id leads us to the cause."
    body = problem("internal", 500, detail).model_copy(update={"request_id": exchange.request_id})
    data = json.dumps(body.model_dump(exclude_none=True)).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": [*headers, (b"cache-control", b"no-store")]})
    await send({"type": "http.response.body", "body": data})


def _log(exchange: Exchange, status: int, seconds: float, cmcd: Report | None) -> None:
    fields = {
        "request": exchange.request_id,
        "method": exchange.method,
        "path": exchange.path,
        "status": status,
        "seconds": round(seconds, 6),
        "bytes": exchange.sent,
        "asset": exchange.asset,
        "cmcd": cmcd,
    }
    path = exchange.path.encode("unicode_escape").decode()  # no line of a log may be forged by a path
    access.info("%s %s %d %.1f ms", exchange.method, path, status, seconds * 1000, extra=fields)
