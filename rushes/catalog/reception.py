"""The catalog as it is asked before an upload begins: what is taken, one-time upload addresses, the fleet's load."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.catalog import bookings, fleet, tickets, uploads
from rushes.catalog.change import Store
from rushes.catalog.records import Booked, Load, Ticket, TicketUpload, Upload
from rushes.errors import Refused


class Reception:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database

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

    def load(self) -> Load:
        """What the fleet has to do, and who there is to do it."""
        with self._database.read() as tx:
            return fleet.load(tx, self._store.now(tx))

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
