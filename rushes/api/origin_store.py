"""The objects behind the origin: from memory, from the store, or from where others send them."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import Response

from rushes.api import cmsd
from rushes.api.lending import SMALL, Lending, Lent
from rushes.api.objects import answer, is_text, read_text, respond
from rushes.api.origin_exchange import Exchange, Instant
from rushes.api.origin_headers import Raw, caching
from rushes.api.shelf import Flights, Kept, Shelf, load
from rushes.clock import Clock
from rushes.settings import Settings
from rushes.storage.names import implied_headers
from rushes.storage.store import IMMUTABLE, ObjectStore, OnDisk, Presign

SIGNED_FOR = 300
REDIRECT_AGE = 240
"""Seconds: an address lives longer than any cache may show it, by the time that a player needs to follow it."""
ACCEL = "/_objects/"
"""Where the nginx in front has the store's directory (`internal`)."""
MOST_NAMES = 10_000


class OriginStore:
    """Answers for whoever may have the object: that was decided before. Belongs to the event loop."""

    def __init__(self, store: ObjectStore, settings: Settings, clock: Clock, flights: Flights) -> None:
        self._store, self._clock, self._flights = store, clock, flights
        self._mode = settings.origin
        self._shelf = Shelf(settings.origin_cache)
        self._lending = Lending(settings.origin_cache)
        self._unkept: set[str] = set()
        """Objects that were seen to be too large for the shelf, or not to be kept."""
        self._there: set[str] = set()
        """Objects that never change and were seen, where nginx sends them."""

    async def answer(self, exchange: Exchange) -> Response | Instant | Lent:
        """Raises ObjectMissing, StoreError."""
        key, wanted = exchange.address.key, exchange.wanted
        elsewhere = await self._elsewhere(exchange)
        if elsewhere is not None:
            return elsewhere
        kept = self._shelf.get(key)
        exchange.source = "cache" if kept else "store"
        kept = kept or await self._fetch(key)
        if kept is not None and self._lending.has_room(kept):
            response = self._of(kept, exchange)
            has_body = wanted.method == "GET" and response.status_code in (200, 206)
            return Lent(response, self._lending.out(kept)) if has_body and kept.size > SMALL else response
        exchange.source = "store"
        if is_text(key):
            info, body = await self._flights.small(
                f"{key} {wanted.gzip}", partial(read_text, self._store, key, wanted.gzip)
            )
            return self._finished(respond(info, body, wanted), exchange)
        response = await asyncio.to_thread(answer, self._store, key, wanted)
        return self._finished(response, exchange)

    async def _fetch(self, key: str) -> Kept | None:
        """None where it cannot be kept in memory: then it is sent as it comes."""
        if not self._shelf.largest or key in self._unkept or implied_headers(key).cache_control != IMMUTABLE:
            return None
        kept = await self._flights.run(key, partial(load, self._store, key, self._shelf.largest))
        if kept is None:
            _remember(self._unkept, key)
        elif self._shelf.get(key) is None:
            self._shelf.put(kept)
        return kept

    def _of(self, kept: Kept, exchange: Exchange) -> Response | Instant:
        wanted = exchange.wanted
        ready = kept.packed if kept.packed and wanted.gzip else kept.plain
        if wanted.range or wanted.if_none_match:
            return self._finished(respond(kept.info, ready.body, wanted), exchange)
        cache_control = caching(kept.info.cache_control, exchange.until, self._clock.now())
        body = b"" if wanted.method == "HEAD" else ready.body.data or b""
        return Instant(200, [*ready.headers, (b"cache-control", cache_control.encode())], body)

    def _finished(self, response: Response, exchange: Exchange) -> Response:
        """With what an answer of the slower kinds still lacks."""
        response.headers["CMSD-Static"] = cmsd.static(exchange.address.key)
        if exchange.until is not None and response.status_code != 416:
            said = response.headers["Cache-Control"]
            response.headers["Cache-Control"] = caching(said, exchange.until, self._clock.now())
        return response

    async def _elsewhere(self, exchange: Exchange) -> Response | Instant | None:
        """To where others send what never changes and is no text (its links lead to us). None where we do so ourselves."""
        mode, key, store = self._mode, exchange.address.key, self._store
        if mode == "serve" or is_text(key):
            return None
        headers = implied_headers(key)
        if headers.cache_control != IMMUTABLE:
            return None
        if mode == "accel" and isinstance(store, OnDisk):
            await self._make_sure_of(key)
            said = caching(IMMUTABLE, exchange.until, self._clock.now())
            return Instant(200, _accelerated(key, headers.content_type, said), b"")
        is_get = exchange.wanted.method == "GET"  # an address is signed for one method
        if mode == "redirect" and is_get and key.startswith("media/") and isinstance(store, Presign):
            now = self._clock.now()
            left = SIGNED_FOR if exchange.until is None else max(1, min(SIGNED_FOR, int(exchange.until - now)))
            said = caching(f"public, max-age={REDIRECT_AGE}", exchange.until, now)
            return Response(status_code=307, headers={"Location": store.presign(key, left), "Cache-Control": said})
        return None

    async def _make_sure_of(self, key: str) -> None:
        """That it is there: a 404 of nginx's own would have the headers of the answer it takes the place of."""
        if key not in self._there:
            await self._flights.run(f"head {key}", partial(self._store.head, key))
            _remember(self._there, key)


def _accelerated(key: str, content_type: str, cache_control: str) -> Raw:
    return [
        (b"x-accel-redirect", f"{ACCEL}{key}".encode()),
        (b"content-type", content_type.encode()),
        (b"cache-control", cache_control.encode()),
        (b"cmsd-static", cmsd.static(key).encode()),
        (b"content-length", b"0"),
    ]


def _remember(names: set[str], name: str) -> None:
    if len(names) >= MOST_NAMES:
        names.clear()
    names.add(name)
