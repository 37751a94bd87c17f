"""Whether an upload may begin, and what it reserves until it ends. Pure; asked at creation only.

What has begun goes on: a quota that is reached, or a backlog that grows, never stops bytes of an upload that was let in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rushes.catalog.bookings import Decide
from rushes.catalog.records import Booked, Load, Ticket, Upload
from rushes.errors import Refused, RushesError
from rushes.ingest.requests import OverLimit
from rushes.ingest.store import StoreFull
from rushes.quotas import Quota
from rushes.states import Pool

PARTS = 100
"""Parts for each upload that a one-time address may make."""
ATTEMPTS = 20
"""How often each place of a one-time address, and each part, may be given up and begun anew: without an end to it, whoever has
the address could have rows, events and traffic without end, and none of it counted."""
_TOO_OFTEN = "Uploads to this address were given up and begun anew too often. Please ask for a new one."
_SOON, _LATER = 30.0, 600.0
"""Seconds: when something may have changed."""


class OverQuota(RushesError):
    status = 429

    def __init__(self, code: str, message: str, retry_after: float) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Overloaded(RushesError):
    status = 503

    def __init__(self, backlog: float, limit: float) -> None:
        super().__init__(
            "backlog_too_long", "The server has more videos to process than it can for now. Please try again later."
        )
        self.retry_after = min(max(backlog - limit, _SOON), _LATER)


class TicketSpent(Refused):
    """A one-time address that makes no upload any more. `used`: for what it has made, and for no other reason."""

    status = 403

    def __init__(self, code: str, message: str, *, used: bool = False) -> None:
        super().__init__(code, message, status=403)
        self.used = used


@dataclass(frozen=True)
class Premises:
    """What the server has to offer."""

    quota: Quota
    room: int | None
    """Bytes that may lie here in all, those of unfinished uploads included; None: there is no end to them."""
    load: Load
    max_bytes: int
    """The largest upload."""
    max_backlog: float = 0.0
    """Seconds; 0: no limit."""
    cpu_seconds_per_gb: float = 0.0
    step: int = 0
    """Bytes that an upload of unknown length counts for beyond what has arrived."""


def rule_of(upload: Upload, premises: Premises) -> Decide:
    """What the catalog asks when the upload begins. Where nothing could be refused, only the bytes to reserve."""
    if may_be_refused(upload, premises) or premises.room is not None:
        return partial(decide, upload, premises=premises)
    return reserve_of(upload, premises.step)


def may_be_refused(upload: Upload, premises: Premises) -> bool:
    """For another reason than want of room. A joined upload counts among these: of the same one, asked for by two requests at
    once, one is made, and for that they have to come one after the other.
    """
    return (
        upload.ticket is not None or upload.kind == "joined" or not premises.quota.is_none or premises.max_backlog > 0
    )


def decide(upload: Upload, booked: Booked, premises: Premises) -> int:
    """The bytes to reserve for a new upload.

    Raises TicketSpent, OverLimit (it could never fit), OverQuota, Overloaded, or StoreFull.
    """
    size = reserve_of(upload, premises.step)
    if booked.ticket is not None:
        _check_ticket(booked.ticket, booked, upload, size, premises.max_bytes)
    if not _is_let_in(upload, booked):
        _check_quota(size if upload.kind != "joined" else upload.length or 0, booked, premises.quota)
        _check_backlog(booked, premises)
    copied = (upload.length or 0) if upload.kind == "joined" else 0
    _check_room(size + copied, booked, premises)
    return size


def _is_let_in(upload: Upload, booked: Booked) -> bool:
    """A joined upload by its parts: to refuse it would throw away all that came. But parts may be joined again and again
    (tus 1.0.0, Concatenation), and more than once is more than was let in."""
    once = len(set(upload.parts)) == len(upload.parts)
    return upload.kind == "joined" and once and not booked.parts_taken


def check_declared(upload: Upload, length: int, arrived: int, booked: Booked, premises: Premises) -> None:
    """A length that is said later may take more than was reserved for it, if nobody else's is taken. Raises StoreFull."""
    more = length - reserve_of(upload, premises.step, arrived)
    if more > 0:
        _check_room(more, booked, premises)


def _check_room(size: int, booked: Booked, premises: Premises) -> None:
    """507 (RFC 4918 section 11.5) before the first byte rather than in the middle of the file."""
    if premises.room is not None and booked.bytes + size > premises.room:
        raise StoreFull("The server has no room for a file of this size now. Please try again later.")


def reserve_of(upload: Upload, step: int, arrived: int = 0) -> int:
    """Bytes. Those of a joined upload are its parts', which count already. One that has not said its length counts for
    what has arrived and a `step` more: reserving all that it could become would shut out everybody else.
    """
    if upload.kind == "joined":
        return 0
    if upload.length is not None:
        return upload.length
    limit = upload.limits.max_bytes
    return arrived + step if limit is None else min(arrived + step, limit)


def backlog_seconds(load: Load, reserved: int, cpu_seconds_per_gb: float) -> float:
    """How long the living workers need for what is planned and for the uploads under way, at best.

    The CPU seconds of an upload are reckoned from its bytes alone, and most of them are the encoder's. The slowest pool
    counts, or all of them together where workers serve several.
    """
    predicted = reserved / 1e9 * cpu_seconds_per_gb
    work = {**load.work, Pool.VIDEO.value: load.work.get(Pool.VIDEO.value, 0.0) + predicted}
    pools = [seconds / max(1, load.slots.get(pool, 0)) for pool, seconds in work.items()]
    return max(*pools, sum(work.values()) / max(1, load.all_slots))


def _check_ticket(ticket: Ticket, booked: Booked, upload: Upload, size: int, max_bytes: int) -> None:
    if ticket.cancelled_at is not None:
        raise TicketSpent("ticket_cancelled", "This upload address is not valid any more. Please ask for a new one.")
    if booked.at >= ticket.expires_at and upload.kind != "joined":  # its parts began in time
        raise TicketSpent("ticket_expired", "This upload address has expired. Please ask for a new one.")
    if upload.kind == "part":
        limit = (ticket.limits.max_bytes or max_bytes) * ticket.places
        if booked.ticket_parts >= PARTS * ticket.places or booked.ticket_part_bytes + size > limit:
            raise TicketSpent("ticket_used", "More parts than one upload can have were begun by this address.")
        if booked.ticket_parts_begun >= ATTEMPTS * PARTS * ticket.places:
            raise TicketSpent("ticket_attempts", _TOO_OFTEN)
    elif booked.ticket_uploads >= ticket.places:
        raise TicketSpent(
            "ticket_used", "This upload address has been used already. Please ask for a new one.", used=True
        )
    elif booked.ticket_begun >= ATTEMPTS * ticket.places:
        raise TicketSpent("ticket_attempts", _TOO_OFTEN, used=True)


def _check_quota(size: int, booked: Booked, quota: Quota) -> None:
    if quota.open_uploads and booked.tenant_uploads >= quota.open_uploads:
        raise OverQuota(
            "too_many_uploads", f"{booked.tenant_uploads} uploads are under way. Please finish some first.", _SOON
        )
    for limit in (quota.bytes_open, quota.bytes_per_day):
        if limit and size > limit:
            raise OverLimit(limit, size)
    if quota.bytes_open and booked.tenant_bytes + size > quota.bytes_open:
        raise OverQuota(
            "quota_bytes_open",
            "The uploads under way take all the room of this account. Please finish some first.",
            _SOON,
        )
    if quota.bytes_per_day and booked.day_bytes + size > quota.bytes_per_day:
        ends = booked.at + _LATER if booked.day_ends is None else booked.day_ends
        raise OverQuota(
            "quota_bytes_per_day", "This account has uploaded all that it may in a day.", max(ends - booked.at, 1.0)
        )


def _check_backlog(booked: Booked, premises: Premises) -> None:
    if premises.max_backlog:
        backlog = backlog_seconds(premises.load, booked.bytes, premises.cpu_seconds_per_gb)
        if backlog > premises.max_backlog:
            raise Overloaded(backlog, premises.max_backlog)
