"""What can be done with an upload, whichever protocol asks: create, look, append, terminate.

Codecs (`routes`, `ietf_routes`) turn requests into these calls, and what they give or raise into answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from rushes.catalog.records import Ticket, Upload
from rushes.errors import Refused, RushesError
from rushes.ingest.access import Caller, caller_of, gone
from rushes.ingest.admission import admissible, admit, admit_length, keep_count
from rushes.ingest.checksum import ChecksumMismatch
from rushes.ingest.early import Early
from rushes.ingest.finish import Position, finish, finish_part, position, store_key
from rushes.ingest.hold import Hold, Locked
from rushes.ingest.joining import look_up, standing
from rushes.ingest.joins import Joins
from rushes.ingest.receive import Received, See, receive
from rushes.ingest.requests import (
    Append,
    Creation,
    Interrupted,
    NotAppendable,
    OverLimit,
    TooLong,
    check_append,
    check_length,
    limit_of,
    room_of,
)
from rushes.ingest.services import Services
from rushes.ingest.store import Appender, Piece, UploadDamaged, UploadMissing
from rushes.ingest.together import Newcomer, Together, may_go_along

log = logging.getLogger(__name__)

Told = Callable[[int], None]


@dataclass(frozen=True)
class Seen:
    """An upload as it is now."""

    upload: Upload
    at: Position

    @property
    def offset(self) -> int:
        """Of no meaning for a joined upload that is open."""
        return self.at.offset

    @property
    def is_complete(self) -> bool:
        return self.upload.state == "finished"


class Uploads:
    """Every method raises RushesErrors, UploadMissing, UploadBusy, StoreError and DatabaseUnavailable."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._early = Early(services)
        self._together = Together(services)
        self._begun: Counter[str] = Counter()
        """Requests that append to an upload, from before they hold it: a look that comes after one waits for it."""
        self._joins = Joins(services, self._early.over)

    async def caller(self, request: Request, *, creates: bool = False) -> Caller:
        """Whose request it is. `creates`: it would begin an upload, for which a one-time address is good."""
        return await caller_of(request, self._services.tenant_of, self._ticket if creates else None)

    def _ticket(self, ticket: str) -> Awaitable[Ticket]:
        return self._services.ask(self._services.catalog.ticket, ticket)

    async def create(self, caller: Caller, creation: Creation) -> Seen:
        """A new upload, and its asset unless it is a part. One of no bytes, and one whose parts are there, is complete.

        Bytes that come with the request are appended afterwards (`append`), unless `offset` says that this is a retry.
        """
        admitted = await self._services.call(admit, self._services, caller, creation)
        upload = admitted.upload
        if admitted.again:
            return await self.look(caller, upload.id)
        log.info("upload %s created", upload.id, extra={"asset": upload.asset, "upload": upload.id})
        self._services.tally.created(upload.kind)
        if upload.kind == "joined":
            upload = await self._joins.soon(upload)
        elif upload.length == 0 and not creation.body:
            return await self.append(caller, upload.id, Append(0, 0), _nothing())
        return Seen(upload, Position(upload.length or 0 if upload.state == "finished" else 0, upload.expires_at))

    async def create_whole(
        self, caller: Caller, creation: Creation, first: Append, body: Callable[[], Awaitable[bytes | None]]
    ) -> tuple[Upload, Exception | None] | None:
        """A small upload, with all that `body` gives of it: finished, or why its bytes were not stored.

        None where it has to go the way of others, by `create` and `append`: then nothing has been done.
        """
        if not may_go_along(caller, creation, first) or not self._together.is_open_to(caller.tenant):
            return None
        upload, asset = admissible(self._services.settings, caller, creation, self._services.clock.now())
        if asset is None or (content := await body()) is None:
            return None
        taken = await self._together.take(Newcomer(upload, asset, content))
        if taken.refused is not None:
            raise taken.refused
        self._services.tally.created(upload.kind)
        if taken.failed is not None:
            return upload, taken.failed
        self._services.tally.received(len(content))
        self._services.tally.finished(upload.kind)
        log.info("upload %s created and finished", upload.id, extra={"asset": upload.asset, "upload": upload.id})
        return upload.model_copy(update={"state": "finished"}), None

    async def look(self, caller: Caller, upload_id: str, *, force: bool = False, finish: bool = True) -> Seen:
        """How far it is. Waits a moment for a request that appends; `force` ends it, silent or not.

        One whose last request died before its end is finished now, unless `finish` is not wanted. Raises Locked while
        that is not possible.
        """
        at_rest = True
        if force or self._begun[upload_id] or not self._services.holds.is_free(upload_id):
            upload = await self._load(caller, upload_id)
            if not _is_being_joined(upload):
                at_rest = await self._settle(upload.id, force=force)
        upload, at = await self._services.call(self._stand, caller, upload_id)
        if at is None:
            return await self._look_at_joined(upload)
        if finish and at.offset == upload.length and upload.state == "open":
            upload = await self._finish_late(upload, at_rest=at_rest)
        return Seen(upload, at)

    async def append(  # noqa: PLR0913 - what is sent, and what is known of it already
        self,
        caller: Caller,
        upload_id: str,
        append: Append,
        body: AsyncIterable[Piece],
        told: Told | None = None,
        *,
        force: bool = False,
        new: Upload | None = None,
    ) -> Seen:
        """Append a body. However it ends, what arrived of it is kept, unless it comes with a checksum. `force` ends an
        older request that appends, silent or not. `new`: the upload, where this request has just created it.

        `told` hears of safe offsets meanwhile. Raises what `check_append` and `receive` raise, Locked, Interrupted.
        """
        with self._beginning(upload_id):
            return await self._append(caller, upload_id, append, body, told, force=force, new=new)

    @contextmanager
    def _beginning(self, upload_id: str) -> Iterator[None]:
        self._begun[upload_id] += 1
        try:
            yield
        finally:
            self._begun[upload_id] -= 1
            if not self._begun[upload_id]:
                del self._begun[upload_id]

    async def _append(  # noqa: PLR0913 - as `append`
        self,
        caller: Caller,
        upload_id: str,
        append: Append,
        body: AsyncIterable[Piece],
        told: Told | None,
        *,
        force: bool,
        new: Upload | None,
    ) -> Seen:
        throttle, tenant = self._services.throttle, (new or await self._appendable(caller, upload_id)).tenant
        async with self._services.holds.claim(upload_id, force=force) as hold, throttle.place(tenant):
            hold.follow(body)
            upload = await self._load(caller, upload_id)
            if append.length is not None and append.length != upload.length:
                upload = await self._declare(upload, append, hold.fence)
            async with self._early.watching(upload, append, hold) as see:
                with throttle.paced(tenant, hold, body) as pieces:
                    received = await self._receive(upload, append, pieces, hold, told, see)
                upload = await self._end(upload, append, received, hold)
                if upload.length is None:
                    await self._services.call(keep_count, self._services, upload, received.offset)
        if hold.interrupted and upload.state == "open":
            raise hold.why or Interrupted()
        kept_until = self._services.clock.now() + self._services.settings.upload_expiry
        return Seen(upload, Position(received.offset, kept_until))

    async def terminate(self, caller: Caller, upload_id: str) -> None:
        """The upload is no longer to be found. An unfinished one goes with its bytes and its asset, a part with its bytes.

        Of a finished one the asset stays: who may upload a video need not be the one who may take it down.
        """
        await self._load(caller, upload_id)
        async with self._services.holds.claim(upload_id, force=True):
            upload = await self._load(caller, upload_id)
            await self._services.call(self._terminate, upload)
        if upload.kind == "part":
            self._joins.wake(await self._services.call(self._services.catalog.joined_from, upload.id))

    # -- steps of these -----------------------------------------------------------------------------------------------

    async def _load(self, caller: Caller, upload_id: str) -> Upload:
        """Raises NotFound where it is not there for this caller."""
        return await self._services.ask(self._find, caller, upload_id)

    def _find(self, caller: Caller, upload_id: str) -> Upload:
        upload = self._services.catalog.upload(upload_id)
        if upload.state == "terminated" or upload.is_dismissed or not caller.reaches(upload):
            raise gone()
        return upload

    def _stand(self, caller: Caller, upload_id: str) -> tuple[Upload, Position | None]:
        """None for one that is being joined: it has no position."""
        upload = self._find(caller, upload_id)
        return upload, None if _is_being_joined(upload) else position(self._services, upload)

    async def _appendable(self, caller: Caller, upload_id: str) -> Upload:
        upload = await self._load(caller, upload_id)
        _check_appendable(upload)
        return upload

    async def _settle(self, upload_id: str, *, force: bool) -> bool:
        """Whether nobody appends."""
        if not force:
            return await self._services.holds.settle(upload_id)
        async with self._services.holds.claim(upload_id, force=True):
            return True

    def _limit(self, upload: Upload) -> int:
        return limit_of(upload, self._services.settings.upload_max_bytes)

    async def _declare(self, upload: Upload, append: Append, fence: int) -> Upload:
        """The length that this request says first, unless its offset is wrong: then it changes nothing."""
        services, length = self._services, append.length
        at = await services.call(position, services, upload)
        check_append(append, at.offset, upload.length, self._limit(upload))
        if length is None or upload.length is not None:
            return upload
        await services.call(admit_length, services, upload, length, at.offset)
        return await services.call(self._declare_now, upload, length, fence)

    def _declare_now(self, upload: Upload, length: int, fence: int) -> Upload:
        """The catalog's word is the truth; the store is told so that it can plan."""
        declared = self._services.catalog.declare_length(upload.id, length)
        check_length(length, 0, declared.length, length)
        self._services.uploads.declare(upload.id, length, fence)
        return declared

    async def _receive(
        self,
        upload: Upload,
        append: Append,
        body: AsyncIterable[Piece],
        hold: Hold,
        told: Told | None,
        see: See | None,
    ) -> Received:
        """The bytes are safe, and the upload was ours until they were: the offset may be acknowledged."""
        appender = await self._open(upload, hold, unproven=append.check is not None)
        limit = self._limit(upload)
        if appender is None:
            at = await self._services.call(position, self._services, upload)
            check_append(append, at.offset, upload.length, limit)
            return Received(at.offset, whole=True)
        try:
            check_append(append, appender.size, upload.length, limit)
        except RushesError:
            appender.close()
            raise
        room = room_of(appender.size, upload.length, limit)
        try:
            received = await receive(
                body, appender, room, hold, self._services.threads, check=append.check, told=told, see=see
            )
        except (TooLong, ChecksumMismatch) as error:
            self._services.tally.discarded(error.code)
            if isinstance(error, TooLong) and upload.length is None:
                raise OverLimit(limit) from error
            raise
        await hold.confirm()
        self._services.tally.received(received.offset - append.offset)
        return received

    async def _open(self, upload: Upload, hold: Hold, *, unproven: bool) -> Appender | None:
        """None where nothing can be appended: the bytes are with the object store already, or the part is complete."""
        if upload.state == "finished":
            return None
        services = self._services
        opening = asyncio.ensure_future(
            services.call(services.uploads.append, upload.id, hold.fence, unproven=unproven)
        )
        try:
            return await asyncio.shield(opening)
        except UploadMissing:
            return None
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_unused)  # its thread cannot be stopped: it may lock the upload yet
            raise

    def _close_unused(self, opening: asyncio.Future[Appender]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._services.threads.submit(opening.result().close)

    async def _end(self, upload: Upload, append: Append, received: Received, hold: Hold) -> Upload:
        """What follows from the last byte of a body."""
        if append.complete and received.whole and upload.state == "open":
            check_length(received.offset, received.offset, upload.length, self._limit(upload))
            if upload.length is None:
                upload = await self._services.call(self._declare_now, upload, received.offset, hold.fence)
        ends = append.complete is not False and received.offset == upload.length
        return await self._finish(upload) if ends and upload.state == "open" else upload

    async def _finish(self, upload: Upload) -> Upload:
        services = self._services
        if upload.kind == "part":
            self._joins.wake(await services.call(finish_part, services, upload))
        else:
            reads_all = any(upload.digests.values())
            await (services.work_through if reads_all else services.call)(finish, services, upload)
        log.info("upload %s finished", upload.id, extra={"asset": upload.asset, "upload": upload.id})
        finished = upload.model_copy(update={"state": "finished"})
        self._early.over(finished)
        return finished

    async def _finish_late(self, upload: Upload, *, at_rest: bool) -> Upload:
        """All bytes are there, but their request died before the end."""
        if not at_rest:
            raise Locked
        async with self._services.holds.claim(upload.id):
            try:
                return await self._finish(upload)
            except UploadDamaged as error:  # on HEAD, a 409 would make clients start from the first byte
                raise Locked("Some of the bytes have to be sent again. Please ask again.") from error

    def _terminate(self, upload: Upload) -> None:
        if not self._services.catalog.terminate_upload(upload.id):
            self._services.catalog.dismiss_upload(upload.id)
            return
        self._services.uploads.remove(upload.id)
        self._services.objects.delete(store_key(upload))
        self._services.tally.ended("terminated")

    # -- joined uploads -----------------------------------------------------------------------------------------------

    async def _look_at_joined(self, upload: Upload) -> Seen:
        parts = await self._services.ask(look_up, self._services, upload.parts)
        stands = standing(upload.parts, parts)
        if stands.is_complete or stands.is_hopeless:
            upload = await self._joins.soon(upload)
            if upload.state == "terminated":
                raise gone()
        upload = upload.model_copy(update={"length": stands.length if upload.length is None else upload.length})
        offset = upload.length or 0 if upload.state == "finished" else 0
        return Seen(upload, Position(offset, upload.expires_at))


def _is_being_joined(upload: Upload) -> bool:
    return upload.kind == "joined" and upload.state == "open"


def _check_appendable(upload: Upload) -> None:
    if upload.kind == "joined":
        raise NotAppendable
    if upload.kind == "direct":
        raise Refused("upload_is_direct", "The bytes of this upload go straight to the object store.", status=403)


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece
