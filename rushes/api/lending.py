"""Answers from memory that their readers take slowly. The bytes stay as long as the slowest one needs, also when the shelf has
dropped them, so they are counted; beyond the limit an object is sent piece by piece from the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from rushes.api.origin_exchange import Instant
from rushes.api.shelf import Kept

SMALL = 256 * 1024
"""Bytes up to which an object is not counted: sent from the store it would take as much for each reader."""


class Lending:
    """At most `limit` bytes, each object once however many read it. Belongs to the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._readers: dict[int, int] = {}

    def has_room(self, kept: Kept) -> bool:
        return kept.size <= SMALL or id(kept) in self._readers or self._bytes + kept.size <= self._limit

    @contextmanager
    def out(self, kept: Kept) -> Iterator[None]:
        """While somebody reads it."""
        readers, name = self._readers, id(kept)  # it cannot be another's while we hold it
        self._bytes += 0 if name in readers else kept.size
        readers[name] = readers.get(name, 0) + 1
        try:
            yield
        finally:
            readers[name] -= 1
            if not readers[name]:
                del readers[name]
                self._bytes -= kept.size


class Lent:
    """An answer that has not ended before its reader has taken all but the last of it."""

    def __init__(self, response: Response | Instant, out: AbstractContextManager[None]) -> None:
        self.status_code, self.raw_headers = response.status_code, response.raw_headers
        self._response, self._out = response, out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patiently(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                message = {
                    "type": "http.response.body",
                    "body": b"",
                }  # a server takes no more before it got rid of the rest
            await send(message)

        with self._out:
            await self._response(scope, receive, patiently)
