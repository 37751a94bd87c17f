"""What a trace tells of an asset, read from its rows: times are the database's, whoever did the work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rushes.catalog import assets
from rushes.catalog.database import Row, Session
from rushes.catalog.spans import Attributes, Span
from rushes.model import Asset
from rushes.tracing import attempt_span, root_span, trace_id, upload_span, wait_span

FAILED = ("failed", "lost")
TOGETHER = 50
"""Attempts that one statement asks for; always so many, so that it is the same statement."""
_NAMES = ", ".join(f":s{number}" for number in range(TOGETHER))
WORTH_TELLING = 0.1
"""Seconds: a wait that is longer has a span of its own."""
Named = tuple[str, int]
"""An attempt: its step and its fence."""


def of_attempts(tx: Session, named: Sequence[Named]) -> list[Span]:
    """Attempts that have ended, and what they had to wait. Those whose rows are gone are left out."""
    found: list[Span] = []
    for first in range(0, len(named), TOGETHER):
        page = named[first : first + TOGETHER]
        ids = [step for step, _ in page]
        values = {f"s{number}": ids[min(number, len(ids) - 1)] for number in range(TOGETHER)}
        after = _after(tx, values)
        for row in _rows(tx, values):
            if (row["step"], row["fence"]) in page and row["finished_at"] is not None:
                found += _of_attempt(row, after[row["step"]])
    return found


def _rows(tx: Session, values: dict[str, str]) -> Sequence[Row]:
    return tx.all(
        "SELECT a.step, a.fence, s.asset, s.tenant, s.key, s.kind, s.pool, s.ready_at, a.worker, a.started_at, a.finished_at,"
        " a.outcome, a.reason_code, a.cpu_seconds, a.bytes_read, a.bytes_written"
        f" FROM attempts a JOIN steps s ON s.id = a.step WHERE a.step IN ({_NAMES})",
        values,
    )


def _after(tx: Session, values: dict[str, str]) -> defaultdict[str, list[str]]:
    """Step -> spans of those whose results it waited for."""
    found = defaultdict(list)
    rows = tx.all(
        "SELECT l.step, d.id, d.fence FROM step_after l JOIN steps d ON d.id = l.after"
        f" WHERE l.step IN ({_NAMES}) AND d.fence > 0 ORDER BY d.id",
        values,
    )
    for row in rows:
        found[row["step"]].append(attempt_span(row["id"], row["fence"]))
    return found


def _of_attempt(row: Row, after: list[str]) -> Iterator[Span]:
    step, fence, waited = row["step"], row["fence"], _waited(row)
    trace, root, attributes = trace_id(row["asset"]), root_span(row["asset"]), _attributes(row, waited)
    before = [(attempt_span(step, fence - 1), "retry")] if fence > 1 else []
    yield Span(
        trace=trace, span=attempt_span(step, fence), parent=root, name=row["key"], began=row["started_at"],
        ended=row["finished_at"], error=row["reason_code"] if row["outcome"] in FAILED else None,
        links=(*before, *((span, "after") for span in after)), attributes=attributes,
    )  # fmt: skip
    if waited is not None and waited >= WORTH_TELLING:
        shown = {name: attributes[name] for name in ("rushes.step.kind", "rushes.step.pool", "rushes.attempt")}
        yield Span(
            trace=trace, span=wait_span(step, fence), parent=root, name=f"wait {row['key']}",
            began=row["ready_at"], ended=row["started_at"], attributes=shown,
        )  # fmt: skip


def _waited(row: Row) -> float | None:
    """Seconds from ready to claimed. None where it has become ready again since: then nobody knows any more."""
    ready: float | None = row["ready_at"]
    return row["started_at"] - ready if ready is not None and ready <= row["started_at"] else None


def _attributes(row: Row, waited: float | None) -> Attributes:
    found = {
        "rushes.asset": row["asset"], "rushes.tenant": row["tenant"], "rushes.step.kind": row["kind"],
        "rushes.step.pool": row["pool"], "rushes.worker": row["worker"], "rushes.attempt": row["fence"],
        "rushes.outcome": row["outcome"], "rushes.reason": row["reason_code"], "rushes.cpu_seconds": row["cpu_seconds"],
        "rushes.bytes_read": row["bytes_read"], "rushes.bytes_written": row["bytes_written"], "rushes.waited_seconds": waited,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def of_asset(tx: Session, asset: str) -> list[Span]:
    """The whole, and its upload. Raises NotFound."""
    noun = assets.get(tx, asset)
    ended = noun.ready_at if noun.reason is None else None
    whole = _of(noun, root_span(asset), None, "asset", noun.created_at, ended)
    if (planned := _planned(tx, asset)) is not None:
        whole.events["planned"] = planned
    if noun.uploaded_at is None:
        return [whole]
    return [whole, _of(noun, upload_span(asset), root_span(asset), "upload", noun.created_at, noun.uploaded_at)]


def _planned(tx: Session, asset: str) -> float | None:
    """When it was known what is to be made of it."""
    found = tx.one(
        "SELECT min(created_at) AS at FROM steps WHERE asset = :asset AND kind = 'package'", {"asset": asset}
    )
    return found["at"] if found else None


def _of(asset: Asset, span: str, parent: str | None, name: str, began: float, ended: float | None) -> Span:
    last = max(filter(None, (began, asset.uploaded_at, asset.playable_at, asset.ready_at)))
    events = {
        "uploaded": asset.uploaded_at, "playable": asset.playable_at, "ready": asset.ready_at,
        "published": asset.published_at,
    }  # fmt: skip
    return Span(
        trace=trace_id(asset.id), span=span, parent=parent, name=name, began=began, ended=ended or last,
        error=asset.reason.code if asset.reason and parent is None else None,
        events={key: at for key, at in events.items() if at is not None} if parent is None else {},
        attributes={"rushes.asset": asset.id, "rushes.tenant": asset.tenant, "rushes.state": asset.state.value},
    )  # fmt: skip
