"""Resumable uploads over HTTP: `/files` and `/files/{id}`. Requests of tus 1.0.0 are answered here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import NotFound, RushesError
from rushes.ingest.access import Caller, gone, upload_named
from rushes.ingest.answers import ASSET, answer, location, locations, options, problem
from rushes.ingest.body import body_of, small_body
from rushes.ingest.complaints import Complaints
from rushes.ingest.early_look import Hopeless
from rushes.ingest.hold import Locked
from rushes.ingest.ietf import is_ietf
from rushes.ingest.ietf_routes import IetfEndpoint
from rushes.ingest.interim import TRAILERS
from rushes.ingest.parting import Parting
from rushes.ingest.protocol import (
    METHODS,
    ProtocolError,
    Trailers,
    check_singular,
    check_version,
    effective_method,
    expects_continue,
    expires,
    parse_append,
    parse_creation,
    parse_first_append,
)
from rushes.ingest.requests import Append
from rushes.ingest.services import Services
from rushes.ingest.store import StoreFull, UploadBusy, UploadMissing
from rushes.ingest.uploads import Seen, Uploads
from rushes.storage.store import StoreError

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

_WRONG_BODY = (400, 413, 460)
# Every verb comes to us: X-HTTP-Method-Override may ride on any of them, and 405 has to carry the tus headers.
VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def router(services: Services) -> APIRouter:
    endpoint = Endpoint(services)
    routes = APIRouter()
    for path in ("/files", "/files/"):  # a redirect between the two would lose the body
        routes.add_route(path, endpoint.collection, methods=VERBS, include_in_schema=False)
    routes.add_route("/files/{upload}", endpoint.upload, methods=VERBS, include_in_schema=False)
    return routes


class Endpoint:
    def __init__(self, services: Services) -> None:
        self._settings = services.settings
        self._uploads = Uploads(services)
        self._complaints = Complaints(log)
        self._tally = services.tally
        self._ietf = IetfEndpoint(services, self._uploads, self._refusal)

    async def collection(self, request: Request) -> Response:
        if is_ietf(request.headers) and request.method != "OPTIONS":
            return await self._ietf.collection(request)
        return await self._answer(request, {"POST": self._create})

    async def upload(self, request: Request) -> Response:
        if is_ietf(request.headers) and request.method != "OPTIONS":
            return await self._ietf.upload(request)
        handlers: dict[str, Handler] = {"HEAD": self._head, "PATCH": self._patch, "DELETE": self._delete}
        return await self._answer(request, handlers)

    async def _answer(self, request: Request, handlers: dict[str, Handler]) -> Response:
        method = effective_method(request.method, request.headers)
        if method == "OPTIONS":
            preflight = "access-control-request-method" in request.headers
            return options(self._settings, preflight=preflight)
        try:
            if method not in handlers:
                raise _method_not_allowed(method, handlers)
            check_version(request.headers)
            check_singular(request.headers.keys())
            return await handlers[method](request)
        except (RushesError, UploadMissing, UploadBusy, StoreError, DatabaseUnavailable) as error:
            found = self._refusal(method, request, error)
            self._tally.rejected(found.code)
            refusal = problem(found)
            if expects_continue(request.headers):
                # Its body may come or not: nobody could tell it from another request (RFC 9110 section 10.1.1).
                refusal.headers["Connection"] = "close"
            return Parting(refusal) if isinstance(error, Hopeless) else refusal

    def _refusal(self, method: str, request: Request, error: Exception) -> RushesError:
        if isinstance(error, RushesError):
            return error
        if isinstance(error, UploadMissing):
            return gone()
        if isinstance(error, UploadBusy):
            return Locked()
        self._complaints.tell(f"{method} {request.url.path}", error)
        # On HEAD, clients wait after a 423, while any other error would make them start from the first byte.
        return Locked("Please ask again.") if method == "HEAD" else _unavailable(error)

    # -- tus 1.0.0 ----------------------------------------------------------------------------------------------------

    async def _create(self, request: Request) -> Response:
        caller = await self._uploads.caller(request, creates=True)
        creation = parse_creation(request.headers, locations(request, self._settings))
        first = parse_first_append(request.headers, _trailers(request)) if creation.body else None
        if first is not None:
            at_once = await self._uploads.create_whole(caller, creation, first, partial(small_body, request))
            if at_once is not None:
                return await self._created_whole(request, caller, *at_once)
        seen = await self._uploads.create(caller, creation)
        upload = seen.upload
        headers = {
            "Location": location(request, self._settings, upload.id, key=caller.key_for(upload.id)),
            "Upload-Expires": expires(seen.at.expires_at),
        }
        headers.update(_asset(seen))
        offset = seen.offset if seen.is_complete else None
        if first:
            offset = seen.offset or await self._first_bytes(request, caller, upload, first)
        if offset is not None:
            headers["Upload-Offset"] = str(offset)
        return answer(201, headers)

    async def _created_whole(
        self, request: Request, caller: Caller, upload: Upload, failure: Exception | None
    ) -> Response:
        """The same answer for one that came at once with all its bytes."""
        offset = upload.length if failure is None else await self._after_failure(caller, upload, failure)
        headers = {
            "Location": location(request, self._settings, upload.id, key=caller.key_for(upload.id)),
            "Upload-Expires": expires(upload.expires_at),
            ASSET: upload.asset or "",
        }
        if offset is not None:
            headers["Upload-Offset"] = str(offset)
        return answer(201, headers)

    async def _first_bytes(self, request: Request, caller: Caller, upload: Upload, first: Append) -> int | None:
        """creation-with-upload: the offset. A body that is wrong undoes the creation, as if it had been refused before.

        None where the store fails us: the upload is there, and how far it is the client hears by HEAD. An error would
        make it create another one.
        """
        try:
            return (await self._uploads.append(caller, upload.id, first, body_of(request), new=upload)).offset
        except (StoreFull, StoreError, DatabaseUnavailable) as error:
            return await self._after_failure(caller, upload, error)
        except RushesError as error:
            if error.status in _WRONG_BODY:
                with suppress(NotFound):  # it has been refused for what its bytes are, and is gone already
                    await self._uploads.terminate(caller, upload.id)
            raise

    async def _after_failure(self, caller: Caller, upload: Upload, error: Exception) -> int | None:
        log.warning("upload %s was created, its first bytes were not stored: %s", upload.id, error)
        with suppress(Locked, StoreError, DatabaseUnavailable):
            return (await self._uploads.look(caller, upload.id)).offset
        return None

    async def _head(self, request: Request) -> Response:
        caller = await self._uploads.caller(request)
        seen = await self._uploads.look(caller, _id(request))
        upload = seen.upload
        headers = {"Cache-Control": "no-store", **_asset(seen)}
        if upload.kind != "joined" or seen.is_complete:
            headers["Upload-Offset"] = str(seen.offset)
        if upload.length is not None:
            headers["Upload-Length"] = str(upload.length)
        elif upload.kind != "joined":
            headers["Upload-Defer-Length"] = "1"
        if upload.raw_metadata:
            headers["Upload-Metadata"] = upload.raw_metadata
        if upload.raw_concat:
            headers["Upload-Concat"] = upload.raw_concat
        if not seen.is_complete or upload.kind == "part":
            headers["Upload-Expires"] = expires(seen.at.expires_at)
        return answer(200, headers)

    async def _patch(self, request: Request) -> Response:
        append = parse_append(request.headers, _trailers(request))
        caller = await self._uploads.caller(request)
        seen = await self._uploads.append(caller, _id(request), append, body_of(request))
        request.state.completes = seen.is_complete
        headers = {"Upload-Offset": str(seen.offset), "Upload-Expires": expires(seen.at.expires_at), **_asset(seen)}
        return answer(204, headers)

    async def _delete(self, request: Request) -> Response:
        caller = await self._uploads.caller(request)
        await self._uploads.terminate(caller, _id(request))
        return answer(204, {})


def _id(request: Request) -> str:
    return upload_named(request.path_params["upload"])


def _asset(seen: Seen) -> dict[str, str]:
    return {ASSET: seen.upload.asset} if seen.upload.asset else {}


def _trailers(request: Request) -> Trailers | None:
    """Where the server collects them."""
    found = request.scope.get("extensions", {}).get(TRAILERS)
    return None if found is None else lambda: found


def _unavailable(error: Exception) -> RushesError:
    if isinstance(error, DatabaseUnavailable):
        return RushesError("database_unavailable", "The database did not answer.", status=503)
    return RushesError("storage_unavailable", status=503)


def _method_not_allowed(method: str, handlers: dict[str, Handler]) -> ProtocolError:
    allowed = ", ".join(verb for verb in METHODS if verb == "OPTIONS" or verb in handlers)
    return ProtocolError(
        "method_not_allowed", f"{method[:16]} is not possible here.", status=405, headers={"Allow": allowed}
    )
