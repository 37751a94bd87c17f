"""Who may append to an upload: leases as rows. The fence rises with each holder and never falls while the upload is open.

Stores of uploads keep what was written under the highest fence. So it follows the clock, in milliseconds, and stays above
those that were given before this row was there: by one process alone (`rushes.ingest.hold`), before a migration, or
after the backup that the database came back from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from rushes.catalog.database import Row, Session

LAG = 60_000
"""Milliseconds that a fence may be behind the clock. Between two that are given at once it rises by one, by which a store
sees that nobody was in between."""


class Wanted(IntEnum):
    """What others ask of a holder."""

    NO = 0
    IF_SILENT = 1
    AT_ONCE = 2


@dataclass(frozen=True)
class Grip:
    """What came of taking a lease: a fence, or 0 and how many seconds ago the holder last heard of its client."""

    fence: int
    silence: float = 0.0


@dataclass(frozen=True)
class Held:
    """A lease as its holder renews it. `silence` in seconds."""

    fence: int
    silence: float


def take(tx: Session, now: float, lease: float, *, upload: str, owner: str, wanted: Wanted) -> Grip:
    """The lease, if it is free or expired; else its holder is told that somebody wants it."""
    row = _locked_row(tx, upload)
    if _is_held(row, now):
        _ask(tx, row, wanted)
        return Grip(0, now - float(row["heard_at"]))
    fence = next_fence(row["fence"], now)
    tx.execute(
        "UPDATE upload_holds SET owner = :owner, fence = :fence, expires_at = :expires_at, heard_at = :now, wanted = 0"
        " WHERE upload = :upload",
        {"upload": upload, "owner": owner, "fence": fence, "expires_at": now + lease, "now": now},
    )
    return Grip(fence)


def next_fence(fence: int, now: float) -> int:
    """`now` in seconds."""
    clock = int(now * 1000)
    return clock if clock - fence > LAG else fence + 1


def ask(tx: Session, now: float, upload: str, wanted: Wanted) -> float | None:
    """The silence of whoever holds the lease, who is told that somebody waits; None where nobody holds it."""
    row = _row(tx, upload)
    if row is None or not _is_held(row, now):
        return None
    _ask(tx, row, wanted)
    return now - float(row["heard_at"])


def renew(tx: Session, now: float, lease: float, owner: str, held: Mapping[str, Held]) -> dict[str, Wanted]:
    """What is asked of the holder of each upload, which is told once. A lease that is lost is left out."""
    answer = {}
    for upload, hold in sorted(held.items()):  # in one order: no two transactions wait for each other
        row = _row(tx, upload, tx.lock)
        if row is None or (row["owner"], row["fence"]) != (owner, hold.fence):
            continue
        answer[upload] = Wanted(row["wanted"])
        tx.execute(
            "UPDATE upload_holds SET expires_at = :expires_at, heard_at = :heard_at, wanted = 0 WHERE upload = :upload",
            {"upload": upload, "expires_at": now + lease, "heard_at": now - hold.silence},
        )
    return answer


def wanted(tx: Session, owner: str) -> dict[str, Wanted]:
    """What is asked of a holder between two renewals, by upload. Changes nothing."""
    rows = tx.all("SELECT upload, wanted FROM upload_holds WHERE owner = :owner AND wanted > 0", {"owner": owner})
    return {row["upload"]: Wanted(row["wanted"]) for row in rows}


def is_held_by(tx: Session, upload: str, owner: str, fence: int) -> bool:
    """Also when it has expired: as long as nobody took it, nobody else has written."""
    row = _row(tx, upload)
    return row is not None and (row["owner"], row["fence"]) == (owner, fence)


def release(tx: Session, upload: str, owner: str, fence: int) -> None:
    """The row of an upload that has ended goes; that of an open one keeps the fence."""
    mine = {"upload": upload, "owner": owner, "fence": fence}
    tx.execute(
        "UPDATE upload_holds SET owner = '', expires_at = 0, wanted = 0"
        " WHERE upload = :upload AND owner = :owner AND fence = :fence",
        mine,
    )
    tx.execute(
        "DELETE FROM upload_holds WHERE upload = :upload AND owner = ''"
        " AND EXISTS (SELECT 1 FROM uploads WHERE id = :upload AND state <> 'open')",
        {"upload": upload},
    )


def forget_ended(tx: Session, now: float) -> None:
    """Rows of uploads that have ended, whose holder died before it could let go."""
    tx.execute(
        "DELETE FROM upload_holds WHERE expires_at < :now AND NOT EXISTS"
        " (SELECT 1 FROM uploads u WHERE u.id = upload_holds.upload AND u.state = 'open')",
        {"now": now},
    )


def _locked_row(tx: Session, upload: str) -> Row:
    """The row, which is made if need be and is this transaction's: an update that changes nothing takes it, or waits."""
    row = tx.one(
        "INSERT INTO upload_holds (upload) VALUES (:upload)"
        " ON CONFLICT (upload) DO UPDATE SET wanted = upload_holds.wanted"
        " RETURNING upload, owner, fence, expires_at, heard_at, wanted",
        {"upload": upload},
    )
    if row is None:
        raise RuntimeError(f"{upload}: the database gave no row for one that was written")
    return row


def _row(tx: Session, upload: str, lock: str = "") -> Row | None:
    return tx.one(
        f"SELECT upload, owner, fence, expires_at, heard_at, wanted FROM upload_holds WHERE upload = :upload {lock}",
        {"upload": upload},
    )


def _is_held(row: Row, now: float) -> bool:
    return bool(row["owner"]) and row["expires_at"] > now


def _ask(tx: Session, row: Row, wanted: Wanted) -> None:
    if row["wanted"] < wanted:
        tx.execute(
            "UPDATE upload_holds SET wanted = :wanted WHERE upload = :upload",
            {"upload": row["upload"], "wanted": wanted},
        )
