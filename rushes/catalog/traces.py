"""What a trace tells of an asset, read from its rows: times are the database's, whoever did the work."""

from __future__ import annotations

from rushes.catalog import assets
from rushes.catalog.database import Row, Session
from rushes.catalog.spans import Span
from rushes.model import Asset
from rushes.tracing import attempt_span, root_span, trace_id, upload_span

FAILED = ("failed", "lost")


def of_attempt(tx: Session, step: str, fence: int) -> Span | None:
    """One attempt that has ended; None where its row is gone."""
    row = tx.one(
        "SELECT s.asset, s.tenant, s.key, s.kind, s.pool, s.ready_at, a.worker, a.started_at, a.finished_at, a.outcome,"
        " a.reason_code, a.cpu_seconds, a.bytes_read, a.bytes_written"
        " FROM attempts a JOIN steps s ON s.id = a.step WHERE a.step = :step AND a.fence = :fence",
        {"step": step, "fence": fence},
    )
    if row is None or row["finished_at"] is None:
        return None
    return Span(
        trace=trace_id(row["asset"]), span=attempt_span(step, fence), parent=root_span(row["asset"]), name=row["key"],
        began=row["started_at"], ended=row["finished_at"], error=row["reason_code"] if row["outcome"] in FAILED else None,
        links=tuple(_links(tx, step, fence)), attributes=_attributes(row, fence),
    )  # fmt: skip


def _links(tx: Session, step: str, fence: int) -> list[tuple[str, str]]:
    """(span, why): the attempt before this one, and those whose results it waited for."""
    before = [(attempt_span(step, fence - 1), "retry")] if fence > 1 else []
    rows = tx.all(
        "SELECT d.id, d.fence FROM step_after l JOIN steps d ON d.id = l.after"
        " WHERE l.step = :step AND d.fence > 0 ORDER BY d.id",
        {"step": step},
    )
    return before + [(attempt_span(row["id"], row["fence"]), "after") for row in rows]


def _attributes(row: Row, fence: int) -> dict[str, str | int | float]:
    found = {
        "rushes.asset": row["asset"], "rushes.tenant": row["tenant"], "rushes.step.kind": row["kind"],
        "rushes.step.pool": row["pool"], "rushes.worker": row["worker"], "rushes.attempt": fence,
        "rushes.outcome": row["outcome"], "rushes.reason": row["reason_code"], "rushes.cpu_seconds": row["cpu_seconds"],
        "rushes.bytes_read": row["bytes_read"], "rushes.bytes_written": row["bytes_written"],
        "rushes.waited_seconds": row["started_at"] - row["ready_at"] if fence == 1 and row["ready_at"] else None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def of_asset(tx: Session, asset: str) -> list[Span]:
    """The whole, and its upload. Raises NotFound."""
    noun = assets.get(tx, asset)
    ended = noun.ready_at if noun.reason is None else None
    whole = _of(noun, root_span(asset), None, "asset", noun.created_at, ended)
    if noun.uploaded_at is None:
        return [whole]
    return [whole, _of(noun, upload_span(asset), root_span(asset), "upload", noun.created_at, noun.uploaded_at)]


def _of(asset: Asset, span: str, parent: str | None, name: str, began: float, ended: float | None) -> Span:
    last = max(filter(None, (began, asset.uploaded_at, asset.playable_at, asset.ready_at)))
    events = {"playable": asset.playable_at, "ready": asset.ready_at, "published": asset.published_at}
    return Span(
        trace=trace_id(asset.id), span=span, parent=parent, name=name, began=began, ended=ended or last,
        error=asset.reason.code if asset.reason and parent is None else None,
        events={key: at for key, at in events.items() if at is not None} if parent is None else {},
        attributes={"rushes.asset": asset.id, "rushes.tenant": asset.tenant, "rushes.state": asset.state.value},
    )  # fmt: skip
