"""Work before the last byte: while an upload is received, its first bytes are looked at (`early_look`).

What they say is shown in the catalog, a hopeless upload is refused at once, and where the probe can do with what is
there it runs ahead in a worker, as the step `probe.early`. All of it is best effort: what is forgotten (another process
takes over, too many uploads at once, a kill) costs only the head start, for the probe of the whole file follows unless an
early one saw the very bytes that are in the end at those places (`rushes.ingest.finish`).

A joined upload whose parts are still sent is looked at as a whole: its first part is its head, its last one its tail. So a
client that creates the joined upload before it sends the parts, and sends the last one first, gives a file with its index
at the end the same start as one with its index in front.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.engine.early import Pieces
from rushes.errors import NotFound, RushesError
from rushes.facts import EarlyFacts
from rushes.ingest.early_bytes import MOST, Look
from rushes.ingest.early_film import Film, Films, Kept
from rushes.ingest.early_look import SMALLEST, Hopeless, look
from rushes.ingest.early_watch import Piece, Watch
from rushes.ingest.finish import store_key
from rushes.ingest.hold import Hold
from rushes.ingest.receive import See
from rushes.ingest.requests import Append
from rushes.ingest.services import Services
from rushes.keys import early_key
from rushes.noun import Reason
from rushes.storage.store import StoreError

GRACE = 0.1
"""Seconds that a finding waits before it is written down: an upload that is over by then had no need of it."""
WATCHED, FIRST_WAIT, LONGEST_WAIT = 20.0, 0.25, 2.0
"""Seconds for which it is looked whether the early probe has refused the upload, and between two looks: each time twice as
many, up to the longest."""
AHEAD = 2**20
"""Bytes of the head that are kept while the tail is still on its way."""

log = logging.getLogger(__name__)


class Early:
    """Of one process. Belongs to its event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._films = Films()

    @asynccontextmanager
    async def watching(self, upload: Upload, append: Append, hold: Hold) -> AsyncIterator[See | None]:
        """While a body of the upload is received. Gives what is to be shown each piece of it; None: nothing.

        Raises Hopeless, after the end of the upload, where its bytes are such that it must be refused.
        """
        film = await self._film(upload, append)
        if film is None:
            yield None
            return
        end = film.tail if upload.id == film.tail_part else film.head
        self._films.cut(end, append.offset)  # what was not acknowledged comes again, and may be different
        watch = Watch(end, append, partial(self._keep, film, end), partial(self._look, film, end))
        film.holds.add(hold)
        try:
            yield watch.see if watch.is_curious else None
            watch.close()
            if film.refusal is not None:
                raise film.refusal
        except Hopeless as refusal:
            self._films.drop(film)
            await self._services.call(_refuse, self._services, film.upload, upload, refusal)
            raise
        finally:
            film.holds.discard(hold)

    def over(self, upload: Upload) -> None:
        """Perhaps all its bytes have come."""
        film = self._films.get(upload.id)
        if film is not None and upload.state != "open":
            self._films.drop(film)

    async def _film(self, upload: Upload, append: Append) -> Film | None:
        """Of the upload that becomes an asset: this one, or one that is joined from it. None where nothing can be seen."""
        whole = await self._whole(upload)
        if whole is None or whole.asset is None or (whole.length is not None and whole.length <= SMALLEST):
            return None
        film = self._films.get(whole.id)
        if film is None and append.offset == 0:
            try:
                film = self._films.add(await self._services.ask(_new_film, self._services, whole))
            except NotFound:
                return None
        if film is not None:
            film.upload = whole  # its length may have become known
        return film

    async def _whole(self, upload: Upload) -> Upload | None:
        if upload.kind != "part":
            return upload
        waiting = await self._services.ask(self._services.catalog.joined_from, upload.id)
        return next((one for one in waiting if upload.id in (one.parts[0], one.parts[-1])), None)

    def _keep(self, film: Film, end: Kept, content: Piece) -> bool:
        """False where there is no room: then the upload gets no early look."""
        kept = self._films.keep(film, end, content)
        if not kept:
            self._films.forget(film)
        return kept

    def _look(self, film: Film, end: Kept, fresh: Piece) -> None:
        """Look at what is there, with what has just come of one end, and do what follows from it. Raises Hopeless."""
        view = film.view(end, fresh)
        film.looks += 1
        try:
            found = look(view, film.limits)
        except Hopeless:
            if self._services.settings.refuse_early:
                raise
            found = Look()
        awaits_tail = found.wants_tail and not view.tail and film.tail.missing and len(view.head) < AHEAD
        if awaits_tail:  # both ends may come at once
            film.head.want = AHEAD
            return
        if film.wants(found, len(view.head)):
            return
        if found.facts is None:
            self._films.drop(film)
            return
        shown = (view.head[: found.head], view.tail) if found.head else None
        film.task = asyncio.create_task(self._tell(film, found.facts, shown))
        self._films.forget(film)

    async def _tell(self, film: Film, facts: EarlyFacts, shown: tuple[bytes, bytes] | None) -> None:
        """Write down what was found, and have the probe begin with the bytes `shown`."""
        await asyncio.sleep(GRACE)
        try:
            planned = await self._services.call(_recognise, self._services, film.upload, facts, shown)
            shown = None
            if planned:
                await self._await_probe(film)
        except (StoreError, OSError, DatabaseUnavailable, RushesError) as error:
            log.warning("upload %s gets no early look: %s", film.upload.id, error)
        self._films.drop(film)

    async def _await_probe(self, film: Film) -> None:
        """The early probe may find that the upload is hopeless: then whoever sends it hears of that."""
        for seconds in waits():
            await asyncio.sleep(seconds)
            reason = await self._services.ask(_verdict, self._services, film.upload)
            if reason == "":
                continue
            if isinstance(reason, Reason):
                film.refusal = Hopeless(reason.code, reason.message)
                for hold in film.holds:
                    hold.interrupt()  # its request ends, and finds the refusal
            return


def waits() -> Iterator[float]:
    """Seconds before each look at what the early probe found. Pure."""
    waited, seconds = 0.0, FIRST_WAIT
    while waited < WATCHED:
        yield seconds
        waited += seconds
        seconds = min(2 * seconds, LONGEST_WAIT)


def _new_film(services: Services, whole: Upload) -> Film:
    """Blocks. Raises NotFound."""
    film = Film(whole, services.catalog.limits_of(whole.asset or ""))
    if len(set(whole.parts)) > 1:
        tail = services.catalog.upload(whole.parts[-1])
        film.tail_part = tail.id if tail.id != whole.parts[0] else ""
        film.tail.want = tail.length if film.tail_part and tail.length is not None and tail.length <= MOST else 0
    return film


def _recognise(services: Services, upload: Upload, facts: EarlyFacts, shown: tuple[bytes, bytes] | None) -> bool:
    """Whether an early probe is planned. Blocks."""
    asset, pieces = upload.asset or "", None
    if shown is not None:
        services.objects.put_bytes(early_key(asset), b"".join(shown))
        pieces = Pieces.of(*shown, upload.length or 0)
    taken = services.catalog.recognise(asset, facts, pieces)
    if pieces is not None and not taken:
        services.objects.delete(early_key(asset))
    return taken and pieces is not None


def _verdict(services: Services, upload: Upload) -> Reason | str | None:
    """Why the upload was ended; None where no such end is to be expected any more, empty while it is. Blocks."""
    state = services.catalog.upload(upload.id).state
    if state == "terminated":
        return services.catalog.asset(upload.asset or "").reason
    is_probed = services.catalog.early_pieces(upload.asset or "") is not None
    return "" if state == "open" and not is_probed else None


def _refuse(services: Services, whole: Upload, sent: Upload, refusal: Hopeless) -> None:
    """End the upload, and all that is there of it. Blocks."""
    if not services.catalog.terminate_upload(whole.id, reason=Reason(code=refusal.code, message=refusal.message)):
        return
    services.tally.ended(refusal.code)
    services.uploads.remove(whole.id)
    services.objects.delete(store_key(whole))
    services.objects.delete(early_key(whole.asset or ""))
    for part in sorted({sent.id, *whole.parts} - {whole.id}):
        if not services.catalog.joined_from(part) and services.catalog.terminate_upload(part):
            services.uploads.remove(part)
    log.info("upload %s refused: %s", whole.id, refusal.code, extra={"asset": whole.asset, "upload": whole.id})
