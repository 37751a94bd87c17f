"""What HTTP/1.1 has and ASGI has not: interim responses and trailers. A protocol class for uvicorn, no server of our own.

It also hands over what had arrived of a body whose connection ends, which uvicorn drops: an upload keeps every byte. It
ends connections whose request does not begin: uvicorn would wait for ever for headers, and keep any number of them. And
what is no request, or is framed in a way that could hide another one, it refuses (`framing.py`), after the answers to the
requests before. `Upgrade` is ignored (RFC 9110 section 7.8): we speak nothing else, and the body of such a request is a body.

An application finds both in `scope["extensions"]`, or finds that the server does not offer them:
`INTERIM` an `Interim`, which sends 104 (Upload Resumption Supported) while the body is still coming;
`TRAILERS` a list of (lower-case name, value), which is whole once the body has ended (RFC 9112 section 7.1.2).

Clients that do not expect interim responses take them for the final one, so only those that ask get any. This rests on
uvicorn's internals; `tests/integration/ingest/test_ingest_interim.py` holds what it needs of them, on raw sockets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, cast

import httptools
from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from rushes.ingest.framing import MALFORMED, TOO_LARGE, TOO_LATE, Fault, answer_of, bare_head, fault_of

INTERIM = "rushes.interim"
TRAILERS = "rushes.trailers"
TRAILERS_MOST = 8 * 1024
"""Bytes of trailers that are kept of a request; what comes beyond is dropped."""

HEAD_MOST = 128 * 1024
"""Bytes that a request's headers may have, about: 431 beyond that. `Upload-Metadata` alone may have 64 KiB."""
HEAD_SECONDS = 30.0
"""Within which the headers of a request have to be there."""

LINGER = 2.0
"""Seconds for which a client that has been refused may go on sending: a reset could overtake its answer (RFC 9112 section 9.6)."""

_STATUS_LINE = "HTTP/1.1 104 Upload Resumption Supported\r\n"
_UNSAFE = re.compile(r"[^\x20-\x7e\t]")

Trailers = list[tuple[bytes, bytes]]


class Interim:
    """Sends interim responses to one request, before its final one. Belongs to the event loop of the server."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    async def send(self, headers: Mapping[str, str]) -> bool:
        """A 104, once what was written before has drained. False: it is too late, or nobody is there, or the client
        speaks HTTP/1.0, which has no interim responses (RFC 9110 section 15.2).

        Raises ValueError for a value that would end the header line.
        """
        await self._cycle.flow.drain()
        return self.send_now(headers)

    def send_now(self, headers: Mapping[str, str]) -> bool:
        """The same without waiting; False also while the client takes nothing, so that nothing piles up for it."""
        content = _STATUS_LINE + "".join(f"{name}: {_safe(value)}\r\n" for name, value in headers.items()) + "\r\n"
        if not self.is_open:
            return False
        self._cycle.transport.write(content.encode("ascii"))
        return True

    @property
    def is_open(self) -> bool:
        """Whether one could be sent now."""
        cycle = self._cycle
        over = cycle.response_started or cycle.disconnected or cycle.transport.is_closing()
        return not over and not cycle.flow.write_paused and cycle.scope["http_version"] == "1.1"


class _Inward:
    """`receive` of one request: a disconnect comes after all that came before it."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._receive = cycle.receive
        self._ended = False

    async def __call__(self) -> ASGIReceiveEvent:
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._has_more():
            cycle = self._cycle
            message = {"type": "http.request", "body": bytes(cycle.body), "more_body": cycle.more_body}
            cycle.body = bytearray()
        if message["type"] == "http.request":
            self._ended = not message["more_body"]
        return message

    def _has_more(self) -> bool:
        cycle = self._cycle
        return not (cycle.response_complete or self._ended) and bool(cycle.body or not cycle.more_body)


class InterimProtocol(HttpToolsProtocol):
    """`uvicorn.Config(http=InterimProtocol)`. One object to a connection."""

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None
    """Ends the wait for the headers of a request; None while there is nothing to wait for."""
    _head_size = 0
    _begun = False
    """Whether anything has ever come."""
    _trailers: Trailers | None = None
    """Of the request that is being read; None while its header section is."""
    _room = TRAILERS_MOST

    _muted = False
    """While a parser is told what another one has told us."""
    _in_body = False
    """Whether the newest request's body has not ended."""
    _owed = 0
    """Requests that have not been answered whole."""
    _fault: Fault | None = None
    """Nothing more is read, and this is the last answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        self._unset_keepalive_if_required()
        head = self._head
        try:
            self._parse(memoryview(data))
        except _Refused as error:
            self._refuse(error.fault)
        if head is not None and self._head is head:  # all of it was headers, and more are to come
            self._head_size += len(data)
            if self._head_size > HEAD_MOST:
                self._refuse(TOO_LARGE)

    def on_message_begin(self) -> None:
        if self._muted:
            return
        self._begun, self._trailers = True, None
        self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._muted:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """uvicorn would take a trailer for one more header, which no proxy has checked (RFC 9110 section 6.5.1)."""
        if self._muted:
            return
        if self._trailers is None:
            super().on_header(name, value)
            return
        self._room -= len(name) + len(value)
        if self._room >= 0:
            self._trailers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._muted:
            return
        before = self.cycle
        self._head_has_come()
        method = self.parser.get_method().decode("ascii")
        if (fault := fault_of(method, self.parser.get_http_version(), self.headers)) is not None:
            raise _Refused(fault)
        super().on_headers_complete()
        self._trailers, self._room = [], TRAILERS_MOST
        if self.cycle is not before:  # the application's task has been made, but could not run yet
            self._in_body, self._owed = True, self._owed + 1
            scope = cast(MutableMapping[str, Any], self.cycle.scope)
            scope["extensions"] = {INTERIM: Interim(self.cycle), TRAILERS: self._trailers}
            cast(Any, self.cycle).receive = _Inward(self.cycle)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # this parser reads no further than the headers
            return
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._owed -= 1
        super().on_response_complete()
        if self._fault is not None and not self._owed:
            self._end(self._fault)

    def _should_upgrade(self) -> bool:
        """Never: uvicorn would hand a connection to whatever library for WebSockets happens to be there."""
        return False

    def new_parser(self) -> None:
        """From now on the next request is read, whatever the parser before was about."""
        self.parser = httptools.HttpRequestParser(self)
        with suppress(AttributeError):
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _parse(self, data: memoryview) -> None:
        """Raises _Refused."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as end:
                (read,) = end.args
                data = data[read:]
                self._read_on()
            except httptools.HttpParserError as error:
                cause = error.__context__
                raise (cause if isinstance(cause, _Refused) else _Refused(MALFORMED)) from error
            else:
                return

    def _read_on(self) -> None:
        """The parser leaves the body of a request with `Upgrade` to others: let a new one read it."""
        self.new_parser()
        self._muted = True
        self.parser.feed_data(bare_head(self.scope["http_version"], self.headers))
        self._muted = False

    def _await_head(self) -> None:
        self._head_has_come()
        self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def _head_has_come(self) -> None:
        if self._head is not None:
            self._head.cancel()
        self._head, self._head_size = None, 0

    def _give_up(self) -> None:
        """Browsers open connections that they may need: one on which nothing ever came is closed without a word."""
        if self._begun:
            self._refuse(TOO_LATE)
        else:
            self.transport.close()

    def _refuse(self, fault: Fault) -> None:
        """Nothing more is read. Requests before this one are answered first."""
        self._head_has_come()
        self._fault = fault
        self.logger.warning("A request is refused: %s", fault.code)
        if self._in_body:
            self._break_off(fault)
        elif not self._owed:
            self._end(fault)

    def _break_off(self, fault: Fault) -> None:
        """The rest of the newest request's body cannot be read."""
        if self.pipeline and self.pipeline[0][0] is self.cycle:  # its turn has not come: the answer is all it gets
            self.pipeline.popleft()
            self._owed -= 1
            return
        if not self.cycle.response_started:
            self.transport.write(answer_of(fault, self.server_state.default_headers))
        self.transport.close()

    def _end(self, fault: Fault) -> None:
        """Say so, and hear nothing more."""
        if self.transport.is_closing():
            return
        self.transport.write(answer_of(fault, self.server_state.default_headers))
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER, self.transport.close)


class _Refused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def _safe(value: str) -> str:
    if _UNSAFE.search(value):
        raise ValueError(f"{value!r} cannot be the value of a header")
    return value
