"""History that is folded away, after days that an operator chose: attempts of assets that rest, and all steps of what was deleted.

What others need of it stays. Steps stay as long as their asset, with their results, for what is made again rests on them and
copies are made of them; so do the attempts whose results builds name that may still be played (`reopening`). Of the rest is
kept, added up for each asset: what was used (`catalog.ledger`), and how many attempts did not win, after which cleanups are
named. The ledger's days are never touched, and nothing goes that they have not counted yet.

One process at a time walks through the attempts by when they ended, a batch at a time, and comes around once an hour. Two at
once do no harm: each asset is a transaction of its own, which looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rushes.catalog import assets, folded, ledger, offices, queue
from rushes.catalog.account import Entry
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session
from rushes.catalog.telling import Folded
from rushes.clock import SystemClock
from rushes.states import AssetState, StepKind

HISTORY = "history"
EVERY = 5.0
"""Seconds between batches, whoever takes them, while there is more."""
SECONDS = 1.0
"""After which a round ends where it is: a worker says that it is there between two rounds."""
REST = 3600.0
"""Seconds between two walks."""
BATCH = 1_000
"""Attempts that one round looks at: those of some fifty assets, and so many short transactions."""
_OF_ASSET = "step IN (SELECT id FROM steps WHERE asset = :asset)"
_OLD = "finished_at IS NOT NULL AND finished_at <= :before AND result IS NULL"


def fold(store: Store, holder: str, days: float) -> Folded:
    """A round, if it is time. `days`: that old is what goes; negative: nothing is. Gives what went."""
    if days < 0:
        return Folded()
    with store.database.read() as tx:
        if not offices.is_due(tx, HISTORY, store.now(tx)):
            return Folded()
    with store.database.write() as tx:
        taken = offices.take(tx, HISTORY, holder, store.now(tx), EVERY)
    found = _round(store, days * 86_400) if taken else Folded()
    if found != Folded():
        store.tell(found)
    return found


def _round(store: Store, seconds: float) -> Folded:
    with store.database.read() as tx:
        place = float(offices.place(tx, HISTORY) or 0.0)
        before = min(store.now(tx) - seconds, ledger.mark(tx))
        rows = _next(tx, place, before)
    found, reached = _walked(store, rows, before)
    over = reached == len(rows) < BATCH
    with store.database.write() as tx:
        onward = "" if over else repr(rows[reached - 1]["finished_at"])
        offices.done(tx, HISTORY, store.now(tx), rest=REST if over else 0.0, place=onward)
    return Folded(
        attempts=sum(one.attempts for one in found),
        steps=sum(one.steps for one in found),
        bundles=sum(one.bundles for one in found),
    )


def _walked(store: Store, rows: Sequence[Row], before: float) -> tuple[list[Folded], int]:
    """What went, and by how many of the rows it came in its time. By one asset it comes always."""
    clock, found = SystemClock(), dict[str, Folded]()
    ends = clock.monotonic() + SECONDS
    for number, row in enumerate(rows):
        if row["asset"] in found:
            continue
        if found and clock.monotonic() > ends:
            return list(found.values()), number
        found[row["asset"]] = _folded(store, row["asset"], before)
    return list(found.values()), len(rows)


def _next(tx: Session, after: float, before: float) -> list[Row]:
    """Of attempts with one end, some may be left for the next walk."""
    return tx.all(
        "SELECT a.finished_at, s.asset FROM attempts a JOIN steps s ON s.id = a.step"
        " WHERE a.finished_at > :after AND a.finished_at <= :before ORDER BY a.finished_at LIMIT :most",
        {"after": after, "before": before, "most": BATCH},
    )


def _folded(store: Store, asset: str, before: float) -> Folded:
    """One asset's. Nothing of one that has anything to do."""
    with store.database.write() as tx:
        found = assets.row(tx, asset)
        last = _last(tx, asset)
        if last is None or last["at"] is None or last["open"]:
            return Folded()
        gone = found["state"] == AssetState.DELETED and last["at"] <= before and not last["vain"]
        attempts = _without_attempts(tx, asset, before)
        bundles = _without_bundles(tx, asset, before, every=gone)
        return Folded(attempts, _without_steps(tx, asset) if gone else 0, bundles)


def _last(tx: Session, asset: str) -> Row | None:
    """How many of its steps are `open`, when the last of the others ended, `at`, and cleanups in `vain`: what they were for may
    be there still."""
    return tx.one(
        f"SELECT sum(CASE WHEN state IN {queue.OPEN} THEN 1 ELSE 0 END) AS open, max(finished_at) AS at,"
        " sum(CASE WHEN kind = 'cleanup' AND state = 'failed' THEN 1 ELSE 0 END) AS vain FROM steps WHERE asset = :asset",
        {"asset": asset},
    )


def _attempts(tx: Session, asset: str, before: float) -> list[Row]:
    return tx.all(
        f"{ledger.ATTEMPTS} WHERE s.asset = :asset AND a.finished_at <= :before AND a.result IS NULL",
        {"asset": asset, "before": before},
    )


def _without_attempts(tx: Session, asset: str, before: float) -> int:
    rows = _attempts(tx, asset, before)
    if not rows:
        return 0
    used: folded.Used = {}
    for (_, _, kind, rendition), entry in ledger.summed(rows).items():
        used[kind, rendition] = used.get((kind, rendition), Entry()).plus(entry)
    folded.add(tx, asset, used, _lost(rows))
    return tx.execute(f"DELETE FROM attempts WHERE {_OF_ASSET} AND {_OLD}", {"asset": asset, "before": before})


def _lost(rows: Iterable[Row]) -> int:
    """As `steps.losers` counts them."""
    return sum(row["kind"] != StepKind.CLEANUP and row["outcome"] not in ledger.KEPT for row in rows)


def _without_bundles(tx: Session, asset: str, before: float, *, every: bool) -> int:
    """What nobody has answered stays as long as the asset."""
    answered = "" if every else " AND released_at <= :before"
    return tx.execute(f"DELETE FROM quarantine WHERE {_OF_ASSET}{answered}", {"asset": asset, "before": before})


def _without_steps(tx: Session, asset: str) -> int:
    """Of an asset whose objects are gone: nothing is made of it again."""
    folded.add_steps(tx, asset)
    for table in ("step_after", "attempts"):
        tx.execute(f"DELETE FROM {table} WHERE {_OF_ASSET}", {"asset": asset})
    return tx.execute("DELETE FROM steps WHERE asset = :asset", {"asset": asset})


def oldest(tx: Session) -> float | None:
    """When the oldest attempt ended that is kept, seconds since the epoch."""
    found = tx.one("SELECT finished_at FROM attempts WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT 1")
    return float(found["finished_at"]) if found else None
