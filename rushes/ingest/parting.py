"""The answer to a request whose body is not wanted any more, so that the client reads it and stops sending.

A connection that is closed while bytes still arrive is reset, and a reset may overtake the answer. So what still comes is
dropped for a moment, after the whole answer is out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LINGER = 2.0
"""Seconds; more than a round trip anywhere."""


class Parting(Response):
    """Another response, after which the connection ends."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body, response.status_code)
        self.raw_headers = response.raw_headers
        self.headers["Connection"] = "close"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
