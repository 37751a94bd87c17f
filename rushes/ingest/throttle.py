"""Lets requests that bring bytes in, and lets them wait: places and bandwidth of each tenant, the floor for slow senders.

Of one process and one event loop. Where nothing is limited a body passes as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from rushes.clock import Clock
from rushes.errors import RushesError
from rushes.ingest.hold import Hold
from rushes.ingest.pace import WINDOW, Bucket, Floor, TooSlow
from rushes.ingest.store import Piece
from rushes.quotas import Quotas

PATIENCE = 5.0
"""Seconds a request waits for a place: most clients do not try again after a 429."""


class TooManyRequests(RushesError):
    """RFC 6585 section 4."""

    status = 429
    retry_after = 2.0

    def __init__(self) -> None:
        super().__init__("too_many_requests", "Too many uploads are sending at once. Please send fewer at a time.")


class Throttle:
    def __init__(
        self, quotas: Quotas, min_rate: float, clock: Clock, *, patience: float = PATIENCE, window: float = WINDOW
    ) -> None:
        """`min_rate` in bytes per second, over `window` seconds; 0: no floor."""
        self._quotas, self._min_rate, self._clock = quotas, min_rate, clock
        self._patience, self._window = patience, window
        self._buckets: dict[str, Bucket] = {}
        self._places: dict[str, asyncio.Semaphore] = {}

    def is_free(self, tenant: str) -> bool:
        """Nothing limits how many of its requests bring bytes, or how fast."""
        quota = self._quotas.of(tenant)
        return not (quota.requests or quota.bandwidth)

    @asynccontextmanager
    async def place(self, tenant: str) -> AsyncIterator[None]:
        """Around a request that brings bytes. Raises TooManyRequests where no place became free in time."""
        limit = self._quotas.of(tenant).requests
        if not limit:
            yield
            return
        places = self._places.setdefault(tenant, asyncio.Semaphore(limit))
        try:
            async with asyncio.timeout(self._patience):
                await places.acquire()
        except TimeoutError as error:
            raise TooManyRequests from error
        try:
            yield
        finally:
            places.release()

    @contextmanager
    def paced(self, tenant: str, hold: Hold, body: AsyncIterable[Piece]) -> Iterator[AsyncIterable[Piece]]:
        """The body at the pace that is allowed. One that comes too slowly is interrupted, with `hold.why`."""
        rate = self._quotas.of(tenant).bandwidth
        if not rate and not self._min_rate:
            yield body
            return
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(tenant, Bucket(rate, now)) if rate else None
        watch = _Watch(Floor(self._min_rate, now, self._window), self._min_rate, hold, self._clock)
        try:
            yield _Paced(body, bucket, watch.floor, hold, self._clock).pieces()
        finally:
            watch.end()


class _Paced:
    def __init__(
        self, body: AsyncIterable[Piece], bucket: Bucket | None, floor: Floor, hold: Hold, clock: Clock
    ) -> None:
        self._body, self._bucket, self._floor, self._hold, self._clock = body, bucket, floor, hold, clock

    async def pieces(self) -> AsyncIterator[Piece]:
        async for piece in self._body:
            size = len(piece)  # afterwards its memory may hold another
            self._floor.got(size, self._clock.monotonic())
            yield piece
            if self._bucket is not None and (wait := self._bucket.take(size, self._clock.monotonic())):
                self._hold.heard += wait  # it is we who let it wait: it does not count as silent
                await asyncio.sleep(wait)
            self._floor.wait(self._clock.monotonic())
        self._floor.got(0, self._clock.monotonic())


class _Watch:
    """Looks at the floor when it may have something to say."""

    def __init__(self, floor: Floor, rate: float, hold: Hold, clock: Clock) -> None:
        self.floor, self._rate, self._hold, self._clock = floor, rate, hold, clock
        self._timer = asyncio.get_running_loop().call_later(floor.judge(clock.monotonic()), self._look)

    def _look(self) -> None:
        again = self.floor.judge(self._clock.monotonic())
        if again:
            self._timer = asyncio.get_running_loop().call_later(again, self._look)
        else:
            self._hold.why = TooSlow(self._rate)
            self._hold.interrupt()

    def end(self) -> None:
        self._timer.cancel()
