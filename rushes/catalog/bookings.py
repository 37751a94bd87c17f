"""What uploads reserve, and what is taken: what admission looks at, in the transaction in which an upload begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rushes.catalog import tickets
from rushes.catalog.database import Params, Row, Session, Turn
from rushes.catalog.records import Booked, Upload

HELD = ("state = 'open'", "kind = 'part' AND state = 'finished'")
"""Uploads whose bytes are kept here: unfinished ones, and parts. A joined one has no bytes but those of its parts. Each has an
index of its own, which answers alone, so that the many that are finished cost nothing (a thousand held: 0.1 ms)."""
DAY = 86_400.0


Decide = Callable[[Booked], int] | int
"""The bytes to reserve for an upload, given what is taken. Raises a RushesError where there is no place for it. A number where
nothing can be refused: then nobody is shown anything."""


@contextmanager
def booked(tx: Session, now: float, upload: Upload, decide: Decide | None, *, day: bool = True) -> Iterator[None]:
    """Around the making of an upload: one admission at a time, so that what one looks at is true until it counts itself.

    The first lock of all that such a transaction takes; then comes the ticket, which cannot be cancelled meanwhile. Where
    there is nothing to look at, there is no lock: all servers of a fleet would wait for one another.
    """
    reserved = decide if isinstance(decide, int) else None
    if callable(decide):
        tx.turn(Turn.ADMIT, wait=True)
        reserved = decide(look(tx, now, upload.tenant, upload.ticket, parts=upload.parts, day=day, lock=True))
    yield
    if reserved is not None and upload.length is None:  # else it was written with its length
        reserve(tx, upload.id, reserved)


def look(  # noqa: PLR0913 - whose, by which address, from what, and how closely
    tx: Session,
    now: float,
    tenant: str,
    ticket: str | None,
    *,
    parts: Sequence[str] = (),
    day: bool = True,
    lock: bool = False,
) -> Booked:
    """Raises NotFound for a ticket that is not there. With `lock` nobody can cancel it before this transaction ends.

    A day's bytes need not be summed up where nobody asks: there may be many uploads in a day.
    """
    unfinished, pieces = (_held(tx, which, tenant) for which in HELD)
    day_bytes, day_ends = _day(tx, tenant, now - DAY) if day else (0, None)
    taken = Booked(
        at=now,
        bytes=int(unfinished["bytes"] + pieces["bytes"]),
        tenant_uploads=unfinished["uploads"],
        tenant_bytes=int(unfinished["mine"] + pieces["mine"]),
        day_bytes=day_bytes,
        day_ends=day_ends,
        parts_taken=any(is_taken(tx, part) for part in sorted(set(parts))),
    )
    return taken if ticket is None else taken.model_copy(update=_of_ticket(tx, ticket, lock=lock))


def _of_ticket(tx: Session, ticket: str, *, lock: bool) -> dict[str, object]:
    noun = tickets.get(tx, ticket, lock=lock)
    made = _one(
        tx,
        "SELECT coalesce(sum(CASE WHEN kind <> 'part' THEN 1 END), 0) AS begun,"
        " coalesce(sum(CASE WHEN kind <> 'part' AND state <> 'terminated' THEN 1 END), 0) AS uploads,"
        " coalesce(sum(CASE WHEN kind = 'part' THEN 1 END), 0) AS parts_begun,"
        " coalesce(sum(CASE WHEN kind = 'part' AND state <> 'terminated' THEN 1 END), 0) AS parts,"
        " coalesce(sum(CASE WHEN kind = 'part' AND state <> 'terminated' THEN reserved END), 0) AS bytes"
        " FROM uploads WHERE ticket = :ticket",
        {"ticket": ticket},
    )
    return {
        "ticket": noun,
        "ticket_uploads": made["uploads"],
        "ticket_begun": made["begun"],
        "ticket_parts": made["parts"],
        "ticket_parts_begun": made["parts_begun"],
        "ticket_part_bytes": int(made["bytes"]),
    }


def is_taken(tx: Session, part: str) -> bool:
    """Whether an upload was joined from it that was not given up."""
    found = tx.one(
        "SELECT 1 FROM upload_parts p JOIN uploads j ON j.id = p.joined"
        " WHERE p.part = :part AND j.state <> 'terminated' LIMIT 1",
        {"part": part},
    )
    return found is not None


def _held(tx: Session, which: str, tenant: str) -> Row:
    return _one(
        tx,
        "SELECT coalesce(sum(reserved), 0) AS bytes,"
        " coalesce(sum(CASE WHEN tenant = :tenant THEN reserved END), 0) AS mine,"
        " coalesce(sum(CASE WHEN tenant = :tenant THEN 1 END), 0) AS uploads"
        f" FROM uploads WHERE {which}",
        {"tenant": tenant},
    )


def _day(tx: Session, tenant: str, since: float) -> tuple[int, float | None]:
    """Bytes, and when the oldest of them do not count any more."""
    found = _one(
        tx,
        "SELECT coalesce(sum(coalesce(length, reserved)), 0) AS bytes, min(created_at) AS oldest FROM uploads"
        " WHERE tenant = :tenant AND created_at > :since AND state <> 'terminated' AND (kind <> 'part' OR NOT EXISTS"
        " (SELECT 1 FROM upload_parts p JOIN uploads j ON j.id = p.joined"
        " WHERE p.part = uploads.id AND j.state <> 'terminated'))",  # else they count in what was joined from them
        {"tenant": tenant, "since": since},
    )
    return int(found["bytes"]), None if found["oldest"] is None else found["oldest"] + DAY


def _one(tx: Session, statement: str, parameters: Params) -> Row:
    """Of a sum there is always a row."""
    found = tx.one(statement, parameters)
    if found is None:
        raise RuntimeError("the database gave no row for a sum")
    return found


def reserve(tx: Session, upload: str, size: int) -> None:
    tx.execute(
        "UPDATE uploads SET reserved = :size WHERE id = :id AND length IS NULL AND state = 'open'",
        {"id": upload, "size": size},
    )


def reservations(tx: Session) -> dict[str, int]:
    """Bytes reserved by each upload whose bytes are kept here."""
    rows = tx.all(" UNION ALL ".join(f"SELECT id, reserved FROM uploads WHERE {which}" for which in HELD))
    return {row["id"]: row["reserved"] for row in rows}
