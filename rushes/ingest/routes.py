"""Resumable uploads over HTTP: `/files` and `/files/{id}`, tus 1.0.0."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import Conflict, RushesError
from rushes.ingest.admission import admit
from rushes.ingest.answers import ASSET, answer, location, options, problem
from rushes.ingest.complaints import Complaints
from rushes.ingest.finish import finish, gone, position
from rushes.ingest.hold import Hold, Locked
from rushes.ingest.protocol import (
    METHODS,
    Append,
    ProtocolError,
    check_append,
    check_version,
    effective_method,
    expires,
    parse_append,
    parse_creation,
)
from rushes.ingest.receive import receive
from rushes.ingest.services import Services
from rushes.ingest.store import Appender, StoreFull, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import is_id, source_key
from rushes.storage.store import StoreError

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

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
        self._services = services
        self._complaints = Complaints(log)

    async def collection(self, request: Request) -> Response:
        return await self._answer(request, {"POST": self._create})

    async def upload(self, request: Request) -> Response:
        handlers: dict[str, Handler] = {"HEAD": self._head, "PATCH": self._patch, "DELETE": self._delete}
        return await self._answer(request, handlers)

    async def _answer(self, request: Request, handlers: dict[str, Handler]) -> Response:
        method = effective_method(request.method, request.headers)
        if method == "OPTIONS":
            preflight = "access-control-request-method" in request.headers
            return options(self._services.settings, preflight=preflight)
        try:
            if method not in handlers:
                raise _method_not_allowed(method, handlers)
            check_version(request.headers)
            return await handlers[method](request)
        except RushesError as error:
            return problem(error)
        except UploadMissing:
            return problem(gone())
        except UploadBusy:
            return problem(Locked())
        except (StoreError, DatabaseUnavailable) as error:
            self._complaints.tell(f"{method} {request.url.path}", error)
            # On HEAD, clients wait after a 423, while any other error would make them start from the first byte.
            return problem(Locked("Please ask again.") if method == "HEAD" else _unavailable(error))

    # -- creation -----------------------------------------------------------------------------------------------------

    async def _create(self, request: Request) -> Response:
        services = self._services
        tenant = services.tenant_of(request)
        creation = parse_creation(request.headers, services.settings.upload_max_bytes)
        upload, asset = await services.call(admit, services, tenant, creation)
        log.info("upload %s created", upload.id, extra={"asset": asset.id, "upload": upload.id})
        headers = {
            "Location": location(request, services.settings, upload.id),
            "Upload-Expires": expires(upload.expires_at),
            ASSET: asset.id,
        }
        if creation.body or creation.length == 0:
            headers["Upload-Offset"] = str(await self._first_bytes(request, upload))
        return answer(201, headers)

    async def _first_bytes(self, request: Request, upload: Upload) -> int:
        """creation-with-upload. A full disk does not undo the creation: the offset says how much was taken."""
        async with self._services.holds.claim(upload.id) as hold:
            try:
                offset = await self._receive(request, upload, Append(0, None), hold)
            except (StoreFull, StoreError):
                offset = (await self._services.call(self._services.uploads.stat, upload.id)).size
            await self._finish_if_complete(upload, offset)
        return offset

    # -- the rest -----------------------------------------------------------------------------------------------------

    async def _head(self, request: Request) -> Response:
        upload = await self._load(request)
        at_rest = await self._services.holds.settle(upload.id)
        upload = await self._load(request)
        at = await self._services.call(position, self._services, upload)
        if at.offset == upload.length and upload.state == "open":
            await self._finish_late(upload, at_rest=at_rest)
        headers = {
            "Upload-Offset": str(at.offset),
            "Upload-Length": str(upload.length),
            "Cache-Control": "no-store",
            ASSET: upload.asset,
        }
        if upload.raw_metadata:
            headers["Upload-Metadata"] = upload.raw_metadata
        if at.offset < upload.length:
            headers["Upload-Expires"] = expires(at.expires_at)
        return answer(200, headers)

    async def _patch(self, request: Request) -> Response:
        append = parse_append(request.headers)
        await self._load(request)
        async with self._services.holds.claim(self._id(request)) as hold:
            upload = await self._load(request)
            offset = await self._receive(request, upload, append, hold)
            await self._finish_if_complete(upload, offset)
        if hold.interrupted and offset < upload.length:
            raise ProtocolError(
                "upload_interrupted",
                "The upload was silent for too long, or another request took over; what arrived is kept.",
                status=423,
                headers={"Connection": "close"},
            )
        kept_until = self._services.clock.now() + self._services.settings.upload_expiry
        return answer(204, {"Upload-Offset": str(offset), "Upload-Expires": expires(kept_until), ASSET: upload.asset})

    async def _delete(self, request: Request) -> Response:
        await self._load(request)
        async with self._services.holds.claim(self._id(request), force=True):
            upload = await self._load(request)
            if upload.state == "finished":
                raise Conflict("upload_finished", "The upload is complete; delete the asset instead.")
            await self._services.call(self._terminate, upload)
        return answer(204, {})

    def _terminate(self, upload: Upload) -> None:
        if not self._services.catalog.terminate_upload(upload.id):
            raise Conflict("upload_finished", "The upload has been finished meanwhile; delete the asset instead.")
        self._services.uploads.remove(upload.id)
        self._services.objects.delete(source_key(upload.tenant, upload.asset, 1))

    # -- parts --------------------------------------------------------------------------------------------------------

    async def _load(self, request: Request) -> Upload:
        """The upload, if it is the caller's own. Raises NotFound."""
        tenant = self._services.tenant_of(request)
        upload = await asyncio.to_thread(self._services.catalog.upload, self._id(request))
        if upload.tenant != tenant or upload.state == "terminated":
            raise gone()
        return upload

    @staticmethod
    def _id(request: Request) -> str:
        name: str = request.path_params["upload"]
        if not is_id(name):
            raise gone()
        return name

    async def _receive(self, request: Request, upload: Upload, append: Append, hold: Hold) -> int:
        """The offset that may be acknowledged: the bytes are safe, and the upload was ours until they were."""
        appender = await self._open(upload, hold)
        if appender is None:
            at = await self._services.call(position, self._services, upload)
            check_append(append, at.offset, upload.length)
            return at.offset
        try:
            check_append(append, appender.size, upload.length)
        except ProtocolError:
            appender.close()
            raise
        room = upload.length - appender.size
        offset = await receive(request.stream(), appender, room, hold, self._services.threads)
        await hold.confirm()
        return offset

    async def _open(self, upload: Upload, hold: Hold) -> Appender | None:
        """None where the bytes are with the object store already."""
        if upload.state == "finished":
            return None
        try:
            return await self._services.call(self._services.uploads.append, upload.id, hold.fence)
        except UploadMissing:
            return None

    async def _finish_if_complete(self, upload: Upload, offset: int) -> None:
        if offset == upload.length and upload.state == "open":
            await self._services.call(finish, self._services, upload)
            log.info("upload %s finished", upload.id, extra={"asset": upload.asset, "upload": upload.id})

    async def _finish_late(self, upload: Upload, *, at_rest: bool) -> None:
        """All bytes are there, but their request died before the end."""
        if not at_rest:
            raise Locked
        async with self._services.holds.claim(upload.id):
            try:
                await self._services.call(finish, self._services, upload)
            except UploadDamaged as error:  # on HEAD, a 409 would make clients start from the first byte
                raise Locked("Some of the bytes have to be sent again. Please ask again.") from error


def _unavailable(error: StoreError | DatabaseUnavailable) -> RushesError:
    if isinstance(error, DatabaseUnavailable):
        return RushesError("database_unavailable", "The database did not answer.", status=503)
    return RushesError("storage_unavailable", status=503)


def _method_not_allowed(method: str, handlers: dict[str, Handler]) -> ProtocolError:
    allowed = ", ".join(verb for verb in METHODS if verb == "OPTIONS" or verb in handlers)
    return ProtocolError(
        "method_not_allowed", f"{method[:16]} is not possible here.", status=405, headers={"Allow": allowed}
    )
