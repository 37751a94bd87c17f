"""The IETF's resumable uploads over HTTP: on the same addresses as tus, and an upload may go on in either protocol.

A client that says which iteration it speaks gets interim responses: where to resume, before its bytes are taken, and
how far it is while they come. As the drafts recommend, a newer request ends an older one of the same upload.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import RushesError
from rushes.ingest import ietf_answers as answers
from rushes.ingest.access import Caller, upload_named
from rushes.ingest.answers import location
from rushes.ingest.body import body_of
from rushes.ingest.digest_fields import told, wanted
from rushes.ingest.early_look import Hopeless
from rushes.ingest.finish import store_key
from rushes.ingest.ietf import (
    CREATING,
    UPLOAD_METHODS,
    BadRequest,
    Dialect,
    Limits,
    check_bare,
    parse_append,
    parse_creation,
)
from rushes.ingest.interim import INTERIM, Interim
from rushes.ingest.parting import Parting
from rushes.ingest.protocol import effective_method, expects_continue
from rushes.ingest.proving import measure
from rushes.ingest.requests import Append, Interrupted, TooLong, limit_of
from rushes.ingest.services import Services
from rushes.ingest.store import UploadBusy, UploadMissing
from rushes.ingest.uploads import Seen, Told, Uploads
from rushes.storage.store import StoreError

Handler = Callable[["Exchange"], Awaitable[Response]]
Explain = Callable[[str, Request, Exception], RushesError]


@dataclass
class Exchange:
    """One request on its way to an answer."""

    request: Request
    headers: Mapping[str, str]
    dialect: Dialect
    offers_interim: bool
    append: Append | None = None
    """What it would append, once that is known."""
    place: dict[str, str] = field(default_factory=dict)
    """Location, once there is an upload: every answer to a creation has the same."""

    @classmethod
    def of(cls, request: Request, *, offers_interim: bool) -> Exchange:
        headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
        return cls(request, headers, Dialect.of(headers), offers_interim)

    @property
    def interim(self) -> Interim | None:
        """None where the client did not ask for it, or where the server or the proxy before it cannot."""
        extensions: Mapping[str, Interim] = self.request.scope.get("extensions") or {}
        return extensions.get(INTERIM) if self.dialect.agreed and self.offers_interim else None

    def told(self) -> Told | None:
        """What tells the client of offsets, as `Uploads.append` gets to know them."""
        interim, dialect = self.interim, self.dialect
        if interim is None:
            return None

        def tell(offset: int) -> None:
            interim.send_now(dialect.progress(offset))

        return tell


class Begun(RushesError):
    """A one-time address is used again by a client that lost the first answer. It goes on after a 5xx, from the offset."""

    status = 503

    def __init__(self) -> None:
        super().__init__("upload_begun", "This upload has begun already. Please go on at its own address.")


class IetfEndpoint:
    """`explain` gives what the client is told of an error, also of one that is not ours: (method, request, error)."""

    def __init__(self, services: Services, uploads: Uploads, explain: Explain) -> None:
        self._services = services
        self._uploads = uploads
        self._explain = explain

    async def collection(self, request: Request) -> Response:
        return await self._answer(request, dict.fromkeys(CREATING, self._create))

    async def upload(self, request: Request) -> Response:
        handlers = dict(zip(UPLOAD_METHODS, (self._head, self._patch, self._delete), strict=True))
        return await self._answer(request, handlers)

    async def _answer(self, request: Request, handlers: Mapping[str, Handler]) -> Response:
        exchange = Exchange.of(request, offers_interim=self._services.settings.interim_responses)
        method = effective_method(request.method, request.headers)
        try:
            if method not in handlers:
                raise _method_not_allowed(method, handlers)
            return await handlers[method](exchange)
        except (RushesError, UploadMissing, UploadBusy, StoreError, DatabaseUnavailable) as error:
            return self._refuse(exchange, self._explain(method, request, error))

    def _refuse(self, exchange: Exchange, error: RushesError) -> Response:
        settings = self._services.settings
        self._services.tally.rejected(error.code)
        limits = Limits(settings.upload_max_bytes, settings.upload_expiry)
        response = answers.refusal(error, exchange.dialect, exchange.append, limits)
        response.headers.update(exchange.place)
        if expects_continue(exchange.headers):  # the body may come or not: nothing that follows could be told from it
            response.headers["Connection"] = "close"
        return Parting(response) if isinstance(error, Hopeless) else response

    # -- the verbs ----------------------------------------------------------------------------------------------------

    async def _create(self, exchange: Exchange) -> Response:
        request, dialect = exchange.request, exchange.dialect
        beginning = parse_creation(exchange.headers, dialect)
        caller = await self._uploads.caller(request, creates=True)
        seen = await self._uploads.create(caller, beginning.creation)
        exchange.append = beginning.append
        address = location(request, self._services.settings, seen.upload.id, key=caller.key_for(seen.upload.id))
        exchange.place = {"Location": address}
        limits = self._limits(seen.upload, seen.at.expires_at)
        if exchange.interim is not None:
            await exchange.interim.send(dialect.announcement(address, limits))
        if not seen.is_complete and seen.offset:
            raise Begun
        if not seen.is_complete:
            seen = await self._append(exchange, caller, seen.upload.id, beginning.append)
        elif seen.offset:  # a retry: however often it comes, the file is not read again
            return answers.created(dialect, seen, address, limits)
        return await self._measured(exchange, seen, answers.created(dialect, seen, address, limits))

    async def _head(self, exchange: Exchange) -> Response:
        check_bare(exchange.headers, exchange.dialect)
        caller = await self._uploads.caller(exchange.request)
        seen = await self._uploads.look(caller, _id(exchange.request), force=True, finish=False)
        return answers.described(exchange.dialect, seen, self._limits(seen.upload, seen.at.expires_at))

    async def _patch(self, exchange: Exchange) -> Response:
        append = exchange.append = parse_append(exchange.headers, exchange.dialect)
        caller, upload = await self._uploads.caller(exchange.request), _id(exchange.request)
        if not append.size and (await self._uploads.look(caller, upload, force=True, finish=False)).is_complete:
            raise answers.Completed
        seen = await self._append(exchange, caller, upload, append)
        return await self._measured(exchange, seen, answers.appended(exchange.dialect, seen))

    async def _delete(self, exchange: Exchange) -> Response:
        check_bare(exchange.headers, exchange.dialect)
        caller = await self._uploads.caller(exchange.request)
        await self._uploads.terminate(caller, _id(exchange.request))
        return answers.cancelled(exchange.dialect)

    async def _append(self, exchange: Exchange, caller: Caller, upload: str, append: Append) -> Seen:
        body, told = body_of(exchange.request), exchange.told()
        try:
            seen = await self._uploads.append(caller, upload, append, body, told, force=True)
        except TooLong:
            if append.size is None and exchange.dialect.gives_up_overlong:
                await self._uploads.terminate(caller, upload)
            raise
        if append.complete and not seen.is_complete:
            raise Interrupted  # the client is gone, or has been replaced
        return seen

    async def _measured(self, exchange: Exchange, seen: Seen, response: Response) -> Response:
        """With the digest of the whole, if the creation or the request that completes the upload wants one."""
        exchange.request.state.completes = seen.is_complete
        algorithm = wanted(exchange.headers.get("want-repr-digest")) or _wish(seen.upload)
        if algorithm and seen.is_complete and seen.upload.kind != "part":
            with suppress(StoreError):  # it is complete all the same, or deleted meanwhile
                objects, key = self._services.objects, store_key(seen.upload)
                found = await self._services.work_through(measure, objects, key, [algorithm])
                response.headers.update(told(algorithm, found[algorithm]))
        return response

    def _limits(self, upload: Upload, expires_at: float) -> Limits:
        settings = self._services.settings
        return Limits(limit_of(upload, settings.upload_max_bytes), expires_at - self._services.clock.now())


def _wish(upload: Upload) -> str | None:
    """The algorithm that its creation wanted a digest by."""
    return next((algorithm for algorithm, digest in upload.digests.items() if not digest), None)


def _id(request: Request) -> str:
    return upload_named(request.path_params["upload"])


def _method_not_allowed(method: str, handlers: Mapping[str, Handler]) -> BadRequest:
    allowed = ", ".join((*handlers, "OPTIONS"))
    return BadRequest(
        "method_not_allowed", f"{method[:16]} is not possible here.", status=405, headers={"Allow": allowed}
    )
