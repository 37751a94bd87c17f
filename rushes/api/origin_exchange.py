"""One request to the origin on its way to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from rushes.api.negotiation import Wanted
from rushes.api.origin_address import Address
from rushes.api.origin_headers import Raw


class Instant:
    """An answer that is there as a whole."""

    __slots__ = ("body", "raw_headers", "status_code")

    def __init__(self, status_code: int, raw_headers: Raw, body: bytes) -> None:
        self.status_code, self.raw_headers, self.body = status_code, raw_headers, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass
class Exchange:
    """One request for an object, and how far it has come."""

    address: Address
    wanted: Wanted
    cookies: str
    started: float
    looked: float = 0.0
    source: str = "store"
    until: int | None = None
    """When the token that opened this ends."""
