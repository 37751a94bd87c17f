"""The origin: what a CDN pulls. Objects of published assets, and of any asset under a preview token.

It stands in front of the application's routes, for it answers many requests where they answer one: what is small and never
changes is sent from memory, with headers that were made once, and without a thread.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rushes.api import cmcd, cmsd, preview, signed
from rushes.api.demand import Plays
from rushes.api.lending import Lent
from rushes.api.negotiation import Wanted
from rushes.api.objects import answer
from rushes.api.on_request import AGAIN, PREFIX, NotYet, OnRequest
from rushes.api.origin_address import ROUTES, Address, address_of, is_below
from rushes.api.origin_exchange import Exchange, Instant
from rushes.api.origin_headers import EVERYWHERE, MISSING, PREFLIGHT, caching, tags, timing
from rushes.api.origin_store import OriginStore
from rushes.api.player_metrics import PlayerMetrics
from rushes.api.problems import MEDIA_TYPE, of_database_error, of_store_error, problem
from rushes.api.problems import respond as respond_problem
from rushes.api.published import Published
from rushes.api.services import Services
from rushes.api.shelf import Flights
from rushes.catalog.database import DatabaseUnavailable
from rushes.errors import NotFound
from rushes.storage.store import PRIVATE, ObjectMissing, OnDisk, StoreError

_POINTERS = ("/master.m3u8", "/manifest.mpd")
_ROUTES = {door: SimpleNamespace(path=path) for door, path in ROUTES.items()}
_NEEDED = frozenset({b"range", b"if-range", b"if-none-match", b"accept-encoding", b"cookie", *cmcd.HEADERS})
REFUSAL = problem("forbidden", 403, signed.REFUSED).model_dump_json(exclude_none=True).encode()


class TokenRefused(Exception):
    """Whatever is wrong with it, the answer is the same."""


@dataclass(frozen=True)
class Secrets:
    preview: bytes
    playback: tuple[bytes, ...]


class Origin:
    """ASGI middleware. Passes on what is not for it."""

    def __init__(
        self,
        app: ASGIApp,
        services: Services,
        published: Published,
        secrets: Secrets,
        players: PlayerMetrics,
        plays: Plays,
    ) -> None:
        self._app = app
        self._services, self._store, self._clock = services, services.store, services.clock
        self._published, self._secrets, self._players, self._plays = published, secrets, players, plays
        self._made = OnRequest(services.catalog, plays, services.settings.segment_wait)
        self._flights = Flights(near=isinstance(services.store, OnDisk))
        self._tags = services.settings.purge == "http"
        self._objects = OriginStore(services.store, services.settings, services.clock, self._flights)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope["path"], scope.get("raw_path") or b"") if scope["type"] == "http" else None
        if address is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[address.door]
        response = await self._answered(scope, address)
        await response(scope, receive, send)

    async def _answered(self, scope: Scope, address: Address) -> Response | Instant | Lent:
        method: str = scope["method"]
        if method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        if method not in ("GET", "HEAD"):
            body = problem("method_not_allowed", 405, f"{method[:20]} is not possible here.")
            return respond_problem(Request(scope), body, {"Allow": PREFLIGHT["Allow"]})
        exchange = self._exchange(scope, address, method)
        response = await self._tried(scope, exchange)
        total = self._clock.monotonic() - exchange.started
        response.raw_headers += EVERYWHERE
        if self._tags and address.key and address.door != "preview":
            response.raw_headers += tags(address.asset)
        response.raw_headers += [
            (b"server-timing", timing(exchange.looked, total, exchange.source)),
            (b"cmsd-dynamic", cmsd.dynamic(total).encode()),
        ]
        return response

    def _exchange(self, scope: Scope, address: Address, method: str) -> Exchange:
        given = {name: value for name, value in scope["headers"] if name in _NEEDED}
        query = scope.get("query_string") or b""
        reports = [given[name] for name in cmcd.HEADERS if name in given]
        if (reports or b"CMCD=" in query) and (report := cmcd.of_request(query, reports)):
            self._players.heard(report)
            scope.setdefault("state", {})["cmcd"] = report
        texts = {name.decode(): value.decode("latin-1") for name, value in given.items()}
        return Exchange(address, Wanted.of(method, texts), texts.get("cookie", ""), self._clock.monotonic())

    async def _tried(self, scope: Scope, exchange: Exchange) -> Response | Instant | Lent:
        try:
            if exchange.address.door == "preview":
                return await asyncio.to_thread(self._preview, exchange)
            await self._admit(exchange)
            return await self._on_request(exchange) or await self._objects.answer(exchange)
        except TokenRefused:
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(REFUSAL)).encode())]
            body = b"" if exchange.wanted.method == "HEAD" else REFUSAL
            return Instant(403, [*headers, (b"cache-control", b"no-store")], body)
        except (ObjectMissing, NotFound):
            missing = PRIVATE if exchange.address.door == "preview" else caching(MISSING, exchange.until, 0)
            body404 = problem("not_found", 404, "There is nothing at this address, or it is not public.")
            return respond_problem(Request(scope), body404, {"Cache-Control": missing})
        except NotYet as error:
            return respond_problem(Request(scope), problem(error.code, error.status, error.message), AGAIN)
        except StoreError as error:
            return of_store_error(Request(scope), error)
        except DatabaseUnavailable as error:
            return of_database_error(Request(scope), error)

    async def _admit(self, exchange: Exchange) -> None:
        """Whether the asset is public, and whoever asks may play it. Raises ObjectMissing, TokenRefused."""
        address, now = exchange.address, self._clock.now()
        if address.door == "signed":
            exchange.until = signed.verify(self._secrets.playback, address.token, address.asset, now)
            if exchange.until is None:
                raise TokenRefused
        if not address.key:
            raise ObjectMissing("there is no such object")
        seen = self._published.known(address.asset)
        if seen is None:
            seen = await self._flights.small(address.asset, partial(self._published.look, address.asset))
        if seen.signed and exchange.until is None:
            exchange.until = signed.admitted(self._secrets.playback, exchange.cookies, address.asset, now)
            if exchange.until is None:
                raise TokenRefused
        exchange.looked = self._clock.monotonic() - exchange.started

    async def _on_request(self, exchange: Exchange) -> Response | None:
        """What is not in the store, but made for whoever asks. A pointer that is fetched is a playback."""
        key = exchange.address.key
        if not key.endswith(_POINTERS) and f"/{PREFIX}" not in key:
            return None
        folder, asset, below = key.split("/", 2)
        if folder == "media" and below.startswith(PREFIX):
            response = await self._made.answer(asset, below)
            said = response.headers["Cache-Control"]
            response.headers["Cache-Control"] = caching(said, exchange.until, self._clock.now())
            return response
        if folder == "media" and "/" not in below and exchange.wanted.method == "GET":
            self._plays.notice(asset, "origin")
        return None

    def _preview(self, exchange: Exchange) -> Response:
        """`artifacts/...` of the asset, else its media; `master.m3u8` and `manifest.mpd` lead to the newest build. Blocks."""
        asset, build = self._previewed(exchange.address.token)
        below = exchange.address.key.removeprefix(f"media/{asset}/")  # of protected assets, so that keys are found
        if not is_below(below):
            raise ObjectMissing("there is no such object")
        if below in ("master.m3u8", "manifest.mpd"):
            return Response(status_code=307, headers={"Location": f"b/{build}/{below}", "Cache-Control": PRIVATE})
        folder, rest = ("artifacts", below[10:]) if below.startswith("artifacts/") else ("media", below)
        response = answer(self._store, f"{folder}/{asset}/{rest}", exchange.wanted)
        response.headers["Cache-Control"] = PRIVATE
        return response

    def _previewed(self, token: str) -> tuple[str, int]:
        """Asset and newest build of a valid token. Raises ObjectMissing, also for an asset deleted meanwhile."""
        asset = preview.verify(self._secrets.preview, token, self._clock.now())
        if asset is None:
            raise ObjectMissing("the token is not valid")
        noun = self._services.catalog.asset(asset)
        if not noun.state.has_build:
            raise ObjectMissing("the asset has no build")
        return asset, noun.build
