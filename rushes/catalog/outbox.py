"""The event outbox and the webhook deliveries that follow from it."""

from __future__ import annotations

import json
from typing import Any

from rushes.catalog.database import Row, Session
from rushes.catalog.records import Delivery, Event
from rushes.keys import new_id
from rushes.model import Asset

DELIVERED = frozenset(
    f"asset.{name}" for name in ("playable", "ready", "published", "held", "blocked", "failed", "deleted")
)
"""The types that webhooks carry."""


def append(tx: Session, type_: str, asset: Asset, now: float, *, deliver: bool) -> None:
    """Written in the transaction of the change it tells of, so that neither is ever there without the other."""
    identity = f"evt_{new_id(now)}"
    data: dict[str, Any] = {"state": asset.state.value, "publication": asset.publication.value, "build": asset.build}
    if asset.reason:
        data["reason"] = asset.reason.model_dump()
    tx.execute(
        "INSERT INTO events (id, type, asset, tenant, at, data) VALUES (:id, :type, :asset, :tenant, :at, :data)",
        {"id": identity, "type": type_, "asset": asset.id, "tenant": asset.tenant, "at": now, "data": json.dumps(data)},
    )
    if deliver and type_ in DELIVERED:
        tx.execute(
            "INSERT INTO deliveries (id, seq, state, next_at) SELECT id, seq, 'due', at FROM events WHERE id = :id",
            {"id": identity},
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
        "SELECT * FROM events WHERE seq > :seq AND (:asset IS NULL OR asset = :asset)"
        " AND (:tenant IS NULL OR tenant = :tenant) ORDER BY seq LIMIT :limit",
        {"seq": seq, "asset": asset, "tenant": tenant, "limit": limit},
    )
    return [_event(found) for found in rows]


def last(tx: Session) -> int:
    found = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM events")
    return int(found["seq"]) if found else 0


def due(tx: Session, now: float, limit: int) -> list[Delivery]:
    rows = tx.all(
        "SELECT e.*, d.attempts FROM deliveries d JOIN events e ON e.seq = d.seq"
        " WHERE d.state = 'due' AND d.next_at <= :now ORDER BY d.seq LIMIT :limit",
        {"now": now, "limit": limit},
    )
    return [Delivery(id=found["id"], event=_event(found), attempts=found["attempts"]) for found in rows]


def delivered(tx: Session, identity: str) -> None:
    tx.execute("UPDATE deliveries SET state = 'done', attempts = attempts + 1 WHERE id = :id", {"id": identity})


def postponed(tx: Session, identity: str, next_at: float | None) -> None:
    """Try again at `next_at`; None gives up."""
    tx.execute(
        "UPDATE deliveries SET attempts = attempts + 1, state = :state, next_at = coalesce(:next_at, next_at) WHERE id = :id",
        {"id": identity, "state": "due" if next_at is not None else "abandoned", "next_at": next_at},
    )
