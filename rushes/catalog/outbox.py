"""The event outbox and the webhook deliveries that follow from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rushes.catalog.database import Row, Session, Turn
from rushes.catalog.records import Delivery, Event
from rushes.keys import new_id
from rushes.model import Asset

DELIVERED = frozenset(
    f"asset.{name}" for name in ("playable", "ready", "published", "held", "blocked", "failed", "deleted")
)
"""The types that webhooks carry."""


LEASE = 30.0
"""Seconds that a delivery belongs to the one who took it; a sender leaves alone what it cannot send by then."""

Entry = dict[str, Any]
"""An event on its way into the outbox: the columns of its row but `seq`."""


def entry(type_: str, asset: Asset, now: float) -> Entry:
    data: dict[str, Any] = {"state": asset.state.value, "publication": asset.publication.value, "build": asset.build}
    if asset.reason:
        data["reason"] = asset.reason.model_dump()
    return {
        "id": f"evt_{new_id(now)}", "type": type_, "asset": asset.id, "tenant": asset.tenant, "at": now,
        "data": json.dumps(data),
    }  # fmt: skip


def append(tx: Session, entries: Sequence[Entry], *, deliver: bool) -> None:
    """Written in the transaction of the change they tell of, so that neither is ever there without the other.

    A reader goes on from the highest `seq` it has seen, so none may become visible after a higher one. PostgreSQL gives the
    number at the INSERT and shows the row at the COMMIT, and two transactions may do these in opposite orders. Hence those
    that tell something take turns from here to their end. That is why events come last in a transaction.
    """
    if entries:
        tx.turn(Turn.EVENTS, wait=True)
    for one in entries:
        tx.later(
            "INSERT INTO events (id, type, asset, tenant, at, data) VALUES (:id, :type, :asset, :tenant, :at, :data)",
            one,
        )
        if deliver and one["type"] in DELIVERED:
            tx.later(
                "INSERT INTO deliveries (id, seq, state, next_at) SELECT id, seq, 'due', at FROM events WHERE id = :id",
                {"id": one["id"]},
            )


def _event(found: Row) -> Event:
    return Event(
        seq=found["seq"],
        id=found["id"],
        type=found["type"],
        asset=found["asset"],
        tenant=found["tenant"],
        at=found["at"],
        data=json.loads(found["data"]),
    )


def after(tx: Session, seq: int, *, asset: str | None, tenant: str | None, limit: int) -> list[Event]:
    rows = tx.all(
        "SELECT seq, id, type, asset, tenant, at, data FROM events WHERE seq > :seq"
        " AND (CAST(:asset AS TEXT) IS NULL OR asset = :asset)"
        " AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant) ORDER BY seq LIMIT :limit",
        {"seq": seq, "asset": asset, "tenant": tenant, "limit": limit},
    )
    return [_event(found) for found in rows]


def last(tx: Session) -> int:
    found = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM events")
    return int(found["seq"]) if found else 0


def is_due(tx: Session, now: float) -> bool:
    """Whether there may be something to take; a cheap look."""
    return tx.one("SELECT 1 FROM deliveries WHERE state = 'due' AND next_at <= :now LIMIT 1", {"now": now}) is not None


def take(tx: Session, now: float, limit: int) -> list[Delivery]:
    """Deliveries that are due, now the caller's for LEASE seconds. Those of one asset go to one sender at a time, in order.

    Senders take them one after the other: so each sees what the others have.
    """
    tx.turn(Turn.DELIVERIES, wait=True)
    rows = tx.all(
        "SELECT e.seq, e.id, e.type, e.asset, e.tenant, e.at, e.data, d.attempts"
        " FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.state = 'due' AND d.next_at <= :now"
        " AND e.asset NOT IN (SELECT o.asset FROM deliveries l JOIN events o ON o.seq = l.seq"
        " WHERE l.state = 'due' AND l.lease_expires > :now) ORDER BY d.seq LIMIT :limit",
        {"now": now, "limit": limit},
    )
    for found in rows:
        tx.execute(
            "UPDATE deliveries SET lease_expires = :expires WHERE id = :id", {"id": found["id"], "expires": now + LEASE}
        )
    return [Delivery(id=found["id"], event=_event(found), attempts=found["attempts"]) for found in rows]


def give_back(tx: Session) -> None:
    """All that are taken, for a sender that knows it is the only one: whoever had them is dead."""
    tx.execute("UPDATE deliveries SET lease_expires = NULL WHERE state = 'due' AND lease_expires IS NOT NULL")


def is_stuck(tx: Session, now: float) -> bool:
    """Whether a delivery is somebody's whose time to send it is long over."""
    found = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'due' AND lease_expires IS NOT NULL AND lease_expires < :before LIMIT 1",
        {"before": now - LEASE},
    )
    return found is not None


def free(tx: Session, now: float) -> int:
    """Whoever had them is dead. Gives how many."""
    return tx.execute(
        "UPDATE deliveries SET lease_expires = NULL WHERE state = 'due' AND lease_expires IS NOT NULL"
        " AND lease_expires < :before",
        {"before": now - LEASE},
    )


def settle(tx: Session, delivery: Delivery, state: str, next_at: float | None = None) -> None:
    """How an attempt ended: `done`, `abandoned`, or `due` again at `next_at`. Of two senders who both had it (the lease of
    one ran out) the first to tell is heard."""
    tx.execute(
        "UPDATE deliveries SET attempts = attempts + 1, state = :state, next_at = coalesce(:next_at, next_at),"
        " lease_expires = NULL WHERE id = :id AND state = 'due' AND attempts = :attempts",
        {"id": delivery.id, "attempts": delivery.attempts, "state": state, "next_at": next_at},
    )
