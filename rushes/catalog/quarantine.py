"""Steps that were set aside because they kill workers, each with what is needed to see it happen again."""

from __future__ import annotations

from rushes.catalog.database import Row, Session
from rushes.catalog.queue import COLUMNS
from rushes.catalog.records import Quarantined
from rushes.engine.bundle import Bundle
from rushes.errors import NotFound
from rushes.noun import stored

_ROWS = (
    "SELECT q.step, q.asset, q.tenant, q.at, q.reason_code, q.bundle, q.released_at, s.key, s.kind"
    " FROM quarantine q JOIN steps s ON s.id = q.step"
)


def put(tx: Session, row: Row, bundle: Bundle, code: str, now: float) -> None:
    """`row` is the step; `code` why its last attempt ended. Once more after a release: the newer bundle counts."""
    values = {
        "step": row["id"], "asset": row["asset"], "tenant": row["tenant"], "now": now, "code": code,
        "bundle": bundle.model_dump_json(),
    }  # fmt: skip
    tx.execute(
        "INSERT INTO quarantine (step, asset, tenant, at, reason_code, bundle)"
        " VALUES (:step, :asset, :tenant, :now, :code, :bundle)"
        " ON CONFLICT (step) DO UPDATE SET at = :now, reason_code = :code, bundle = :bundle, released_at = NULL",
        values,
    )


def page(tx: Session, *, limit: int, released: bool) -> list[Quarantined]:
    """Newest first."""
    which = "" if released else " WHERE q.released_at IS NULL"
    return [_noun(row) for row in tx.all(f"{_ROWS}{which} ORDER BY q.at DESC, q.step LIMIT :limit", {"limit": limit})]


def get(tx: Session, step: str) -> Quarantined:
    """By its id, or as `ASSET/KEY`. Raises NotFound."""
    row = _row(tx, step)
    if row is None:
        raise NotFound("not_quarantined", "There is no such step in quarantine.")
    return _noun(row)


def bundle_of(tx: Session, step: str) -> Bundle | None:
    """None where it is not set aside now."""
    row = _row(tx, step)
    return stored(Bundle, row["bundle"]) if row is not None and row["released_at"] is None else None


def step_row(tx: Session, step: str) -> Row:
    """Of any step. Raises NotFound."""
    which, values = _named(step)
    row = tx.one(f"SELECT {COLUMNS} FROM steps s WHERE {which}", values)
    if row is None:
        raise NotFound("step_not_found", f"There is no step {step}.")
    return row


def _row(tx: Session, step: str) -> Row | None:
    which, values = _named(step)
    return tx.one(f"{_ROWS} WHERE {which}", values)


def _named(step: str) -> tuple[str, dict[str, str]]:
    asset, _, key = step.partition("/")
    return ("s.asset = :asset AND s.key = :key", {"asset": asset, "key": key}) if key else ("s.id = :id", {"id": step})


def release(tx: Session, step: str, now: float) -> None:
    tx.execute(
        "UPDATE quarantine SET released_at = :now WHERE step = :step AND released_at IS NULL",
        {"step": step, "now": now},
    )


def release_of(tx: Session, asset: str, now: float) -> None:
    """An operator retries the asset: what was set aside of it is tried again."""
    tx.execute(
        "UPDATE quarantine SET released_at = :now WHERE released_at IS NULL AND step IN"
        " (SELECT id FROM steps WHERE asset = :asset AND state <> 'failed')",
        {"asset": asset, "now": now},
    )


def _noun(row: Row) -> Quarantined:
    return Quarantined(
        step=row["step"], key=row["key"], kind=row["kind"], asset=row["asset"], tenant=row["tenant"], at=row["at"],
        reason_code=row["reason_code"], released_at=row["released_at"], bundle=row["bundle"],
        replay=f"rushes replay {row['asset']}/{row['key']}",
    )  # fmt: skip
