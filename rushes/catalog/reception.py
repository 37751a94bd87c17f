"""The catalog as it is asked before an upload begins: what is taken, one-time upload addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.catalog import arrival, assets, bookings, tickets, uploads
from rushes.catalog.change import Change
from rushes.catalog.overview import Overview
from rushes.catalog.records import Booked, Ticket, TicketUpload, Upload
from rushes.errors import Refused, RushesError
from rushes.facts import SourceRef
from rushes.model import Asset


@dataclass(frozen=True)
class Beginning:
    """What `create_upload` is given."""

    upload: Upload
    asset: Asset
    decide: bookings.Decide | None = None
    day: bool = True


def _begun(change: Change, one: Beginning) -> Asset | RushesError:
    """Nothing is written of one that is refused."""
    try:
        with bookings.booked(change.tx, change.now, one.upload, one.decide, day=one.day):
            return arrival.begin(change, one.upload, one.asset)
    except RushesError as refusal:
        return refusal


class Reception(Overview):
    def booked(self, tenant: str, ticket: str | None = None, *, parts: Sequence[str] = (), day: bool = True) -> Booked:
        """What is taken now. Raises NotFound for a ticket that is not there."""
        with self._database.read() as tx:
            return bookings.look(tx, self._store.now(tx), tenant, ticket, parts=parts, day=day)

    def reserve(self, upload: str, size: int) -> None:
        """Bytes that an upload of unknown length counts for from now on. Of one whose length is known, nothing changes."""
        with self._database.write() as tx:
            bookings.reserve(tx, upload, size)

    def reservations(self) -> dict[str, int]:
        """Bytes reserved by each upload whose bytes are kept here."""
        with self._database.read() as tx:
            return bookings.reservations(tx)

    def upload_like(self, upload: Upload) -> Upload | None:
        """The one that the same one-time address made for the same file before."""
        with self._database.read() as tx:
            return uploads.alike(tx, upload)

    # -- several uploads at once --------------------------------------------------------------------------------------

    def create_uploads(self, beginnings: Sequence[Beginning]) -> list[Asset | RushesError]:
        """Each as `create_upload` makes it, in one transaction: its asset, or why it was refused. One that is refused does
        not disturb the others; whatever else goes wrong undoes all of them."""
        with self._store.change() as change:
            return [_begun(change, one) for one in beginnings]

    def finish_uploads(self, arrivals: Sequence[tuple[Upload, SourceRef]]) -> list[Asset]:
        """Of uploads that came whole with their creation, as `finish_upload`, in one transaction."""
        with self._store.change() as change:
            # All rows of assets before what comes after them in the order of locks.
            names = sorted(upload.asset for upload, _ in arrivals if upload.asset)
            nouns = {name: assets.get(change.tx, name) for name in names}
            return [
                arrival.arrived_at_once(change, upload.id, nouns[upload.asset or ""], source)
                for upload, source in arrivals
            ]

    # -- one-time upload addresses ------------------------------------------------------------------------------------

    def create_ticket(self, ticket: Ticket, *, retry_key: str | None, request: str) -> Ticket:
        """Once for each `retry_key` of a tenant: the second time gives the first one.

        Raises Refused where `request`, which stands for what was asked for, is not the same then.
        """
        with self._database.write() as tx:
            if tickets.insert(tx, ticket, retry_key, request):
                return ticket
            found, asked = tickets.by_retry_key(tx, ticket.tenant, retry_key or "")
        if asked != request:
            raise Refused(
                "idempotency_key_reused", "This Idempotency-Key came with another request before.", status=422
            )
        return found

    def ticket(self, ticket: str) -> Ticket:
        """Raises NotFound."""
        with self._database.read() as tx:
            return tickets.get(tx, ticket)

    def tickets(self, *, tenant: str, after: str | None = None, limit: int = 50) -> tuple[list[Ticket], str | None]:
        with self._database.read() as tx:
            return tickets.page(tx, tenant, after, limit)

    def ticket_uploads(self, ticket: str) -> list[TicketUpload]:
        with self._database.read() as tx:
            return tickets.uploads(tx, ticket)

    def cancel_ticket(self, ticket: str) -> list[str]:
        """It makes no upload from now on. Gives the ids of those that it left unfinished. Again is harmless."""
        with self._database.write() as tx:
            tickets.get(tx, ticket, lock=True)
            tickets.cancel(tx, ticket, self._store.now(tx))
            return tickets.unfinished(tx, ticket)
