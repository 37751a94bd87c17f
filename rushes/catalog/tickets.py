"""One-time upload addresses as rows, and the state that follows from what became of their uploads."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rushes.catalog.database import Row, Session
from rushes.catalog.records import Ticket, TicketUpload
from rushes.errors import NotFound
from rushes.model import Asset
from rushes.noun import stored, stored_row
from rushes.states import AssetState, TicketState

_NAMES = (
    "id", "tenant", "secret", "places", "limits", "title", "metadata", "profile", "policy", "created_at", "expires_at",
    "cancelled_at", "options",
)  # fmt: skip
COLUMNS = ", ".join(_NAMES)
_JSON = ("limits", "metadata", "options")
KEPT = 30 * 86_400.0
"""Seconds after its end for which a ticket that made nothing can still be looked at."""


def insert(tx: Session, ticket: Ticket, retry_key: str | None, request: str) -> bool:
    """False, and nothing is changed, where the tenant has made one with this key before."""
    values = ticket.model_dump(mode="json")
    names = (*_NAMES, "retry_key", "request")
    changed = tx.execute(
        f"INSERT INTO tickets ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
        " ON CONFLICT (tenant, retry_key) DO NOTHING",
        {**values, **{name: json.dumps(values[name]) for name in _JSON}, "retry_key": retry_key, "request": request},
    )
    return changed == 1


def by_retry_key(tx: Session, tenant: str, retry_key: str) -> tuple[Ticket, str]:
    """The ticket and what was asked for then. Raises NotFound."""
    found = tx.one(
        f"SELECT {COLUMNS}, request FROM tickets WHERE tenant = :tenant AND retry_key = :key",
        {"tenant": tenant, "key": retry_key},
    )
    if found is None:
        raise _missing()
    return _ticket(found), found["request"]


def get(tx: Session, ticket: str, *, lock: bool = False) -> Ticket:
    """`lock`: it is this transaction's from now on. Raises NotFound."""
    ending = tx.lock if lock else ""
    found = tx.one(f"SELECT {COLUMNS} FROM tickets WHERE id = :id{ending}", {"id": ticket})
    if found is None:
        raise _missing()
    return _ticket(found)


def page(tx: Session, tenant: str, after: str | None, limit: int) -> tuple[list[Ticket], str | None]:
    """Newest first, by stable cursors: ids sort by time."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM tickets WHERE tenant = :tenant AND (CAST(:after AS TEXT) IS NULL OR id < :after)"
        " ORDER BY id DESC LIMIT :limit",
        {"tenant": tenant, "after": after, "limit": limit + 1},
    )
    found = [_ticket(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def cancel(tx: Session, ticket: str, now: float) -> None:
    """Again is harmless: the first time counts."""
    tx.execute(
        "UPDATE tickets SET cancelled_at = :now WHERE id = :id AND cancelled_at IS NULL", {"id": ticket, "now": now}
    )


def uploads(tx: Session, ticket: str) -> list[TicketUpload]:
    """Those that have an asset, in the order of their creation."""
    rows = tx.all(
        "SELECT u.id, u.state, u.length, u.asset, a.state AS asset_state,"
        " CASE WHEN a.state = 'failed' THEN a.doc END AS failed"
        " FROM uploads u JOIN assets a ON a.id = u.asset WHERE u.ticket = :ticket ORDER BY u.id",
        {"ticket": ticket},
    )
    return [_made(row) for row in rows]


def unfinished(tx: Session, ticket: str) -> list[str]:
    """Ids of its uploads whose bytes are kept here, parts included."""
    rows = tx.all(
        "SELECT id FROM uploads WHERE ticket = :ticket"
        " AND (state = 'open' OR (kind = 'part' AND state = 'finished')) ORDER BY id",
        {"ticket": ticket},
    )
    return [row["id"] for row in rows]


def forget(tx: Session, now: float) -> None:
    """Rows of those that ended long ago and led to nothing."""
    tx.execute(
        "DELETE FROM tickets WHERE expires_at < :before"
        " AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.ticket = tickets.id)",
        {"before": now - KEPT},
    )


def state_of(ticket: Ticket, made: Sequence[TicketUpload], now: float) -> TicketState:
    """Pure. Success outshines what went wrong beside it; what is still possible goes before what has failed."""
    finished = [upload for upload in made if upload.state == "finished"]
    failed = [upload for upload in made if upload.asset_state is AssetState.FAILED]
    if any(upload.asset_state is not AssetState.FAILED for upload in finished):
        return TicketState.ASSET_CREATED
    if ticket.cancelled_at is not None:
        return TicketState.CANCELLED
    if any(upload.state == "open" for upload in made):
        return TicketState.WAITING
    if now < ticket.expires_at and len(finished) < ticket.places:
        return TicketState.WAITING
    in_vain = [upload for upload in failed if upload.reason is None or upload.reason.code != "upload_expired"]
    return TicketState.ERRORED if in_vain else TicketState.TIMED_OUT


def _ticket(found: Row) -> Ticket:
    values = {name: found[name] for name in _NAMES}
    return stored_row(Ticket, {**values, **{name: json.loads(found[name]) for name in _JSON}})


def _made(found: Row) -> TicketUpload:
    reason = stored(Asset, found["failed"]).reason if found["failed"] else None
    names = ("id", "state", "length", "asset", "asset_state")
    return TicketUpload(**{name: found[name] for name in names}, reason=reason)


def _missing() -> NotFound:
    return NotFound("upload_address_not_found", "There is no upload address of this id.")
