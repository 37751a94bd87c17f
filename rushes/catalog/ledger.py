"""The cost ledger: what attempts have used, wasted ones too, by tenant, kind of step and rendition, for each day (UTC).

One process at a time adds what has ended since the last round to `ledger_days`, which stays when attempts go. A reader sees
that and, of the attempts that ended since, as many as one round takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from rushes.catalog import assets, folded, offices
from rushes.catalog.account import Account, Entry
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session
from rushes.clock import rfc3339
from rushes.engine.shares import shares
from rushes.model import Asset

LEDGER = "ledger"
EVERY = 60.0
"""Seconds between rounds."""
BATCH = 2_000
"""Attempts in one transaction: a tenth of a second."""
ROUNDS = 20
"""Transactions one after the other, where much has ended."""
LAG = 120.0
"""Seconds that what has ended is left alone: a transaction that began before the round may still commit. Statements end after
30 s."""
KEPT = ("done", "skipped")
"""Outcomes of attempts whose work counts; what the others cost is wasted."""
Key = tuple[str, str, str, str]
"""Day, tenant, kind, rendition."""
ATTEMPTS = (
    "SELECT a.finished_at, a.outcome, a.cpu_seconds, a.bytes_read, a.bytes_written, s.tenant, s.kind, s.params"
    " FROM attempts a JOIN steps s ON s.id = a.step"
)


def roll(store: Store, holder: str) -> None:
    """Add what has ended, if it is time."""
    with store.database.read() as tx:
        if not offices.is_due(tx, LEDGER, store.now(tx)):
            return
    with store.database.write() as tx:
        taken = offices.take(tx, LEDGER, holder, store.now(tx), EVERY)
    for _ in range(ROUNDS if taken else 0):
        if not _round(store):
            break
    if taken:
        with store.database.write() as tx:
            offices.done(tx, LEDGER, store.now(tx))


def _round(store: Store) -> bool:
    """Whether there may be more. Two at once do no harm: who comes second sees that the first has been there."""
    with store.database.read() as tx:
        seen = mark(tx)
        rows = _ended(tx, seen, store.now(tx) - LAG)
    found = sorted(summed(rows).items())
    if rows:
        with store.database.write() as tx:
            tx.one(f"SELECT place FROM offices WHERE name = :name{tx.lock}", {"name": LEDGER})
            if mark(tx) != seen:
                return False
            for key, entry in found:
                _add(tx, key, entry)
            offices.done(tx, LEDGER, store.now(tx), place=repr(rows[-1]["finished_at"]))
    return len(rows) >= BATCH


def mark(tx: Session) -> float:
    """All that ended until then is in `ledger_days`."""
    return float(offices.place(tx, LEDGER) or 0.0)


def _ended(tx: Session, after: float, until: float) -> list[Row]:
    """The next attempts, oldest first: BATCH of them, and those that ended at the very moment of the last."""
    values = {"after": after, "until": until, "skip": BATCH - 1}
    last = tx.one(
        "SELECT finished_at FROM attempts WHERE finished_at > :after AND finished_at <= :until"
        " ORDER BY finished_at LIMIT 1 OFFSET :skip",
        values,
    )
    upto = last["finished_at"] if last else until
    return tx.all(
        f"{ATTEMPTS} WHERE a.finished_at > :after AND a.finished_at <= :upto ORDER BY a.finished_at",
        {"after": after, "upto": upto},
    )


def summed(rows: Iterable[Row]) -> dict[Key, Entry]:
    """Each attempt's use, divided among the renditions it worked for."""
    found: dict[Key, Entry] = {}
    for row in rows:
        for rendition, share in shares(row["kind"], json.loads(row["params"])).items():
            key = (rfc3339(row["finished_at"])[:10], row["tenant"], row["kind"], rendition)
            found[key] = found.get(key, Entry()).plus(_entry(row, share))
    return found


def _entry(row: Row, share: float) -> Entry:
    cpu = share * row["cpu_seconds"]
    return Entry(
        cpu_seconds=cpu,
        wasted_cpu_seconds=0.0 if row["outcome"] in KEPT else cpu,
        bytes_read=round(share * row["bytes_read"]),
        bytes_written=round(share * row["bytes_written"]),
    )


def _add(tx: Session, key: Key, entry: Entry) -> None:
    day, tenant, kind, rendition = key
    tx.execute(
        "INSERT INTO ledger_days (day, tenant, kind, rendition, cpu, wasted, bytes_read, bytes_written)"
        " VALUES (:day, :tenant, :kind, :rendition, :cpu, :wasted, :read, :written)"
        " ON CONFLICT (day, tenant, kind, rendition) DO UPDATE SET cpu = ledger_days.cpu + :cpu,"
        " wasted = ledger_days.wasted + :wasted, bytes_read = ledger_days.bytes_read + :read,"
        " bytes_written = ledger_days.bytes_written + :written",
        {
            "day": day, "tenant": tenant, "kind": kind, "rendition": rendition, "cpu": entry.cpu_seconds,
            "wasted": entry.wasted_cpu_seconds, "read": entry.bytes_read, "written": entry.bytes_written,
        },
    )  # fmt: skip


BY = ("day", "tenant", "kind", "rendition")
"""What the fleet's ledger may be grouped by: the parts of a key."""


def of_days(tx: Session, now: float, by: str, days: tuple[str, str], tenant: str | None) -> Account:
    """`days`: the first and the last. `tenant`: that one's only. What is stored is told by tenant, as it is now."""
    since, until = days
    fresh = _ended(tx, mark(tx), now)
    found = _rolled(tx, by, days, tenant)
    for key, entry in summed(fresh).items():
        if since <= key[0] <= until and tenant in (None, key[1]):
            _put(found, key[BY.index(by)], entry)
    if by == "tenant":
        for name, stored in _stored(tx, tenant):
            _put(found, name, Entry(bytes_stored=stored))
    return Account(by=by, entries=found, as_of=now if len(fresh) < BATCH else fresh[-1]["finished_at"])


def _put(found: dict[str, Entry], name: str, entry: Entry) -> None:
    found[name] = found.get(name, Entry()).plus(entry)


def _rolled(tx: Session, by: str, days: tuple[str, str], tenant: str | None) -> dict[str, Entry]:
    rows = tx.all(
        f"SELECT {by} AS name, sum(cpu) AS cpu, sum(wasted) AS wasted, sum(bytes_read) AS read,"
        " sum(bytes_written) AS written FROM ledger_days WHERE day >= :since AND day <= :until"
        f" AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant) GROUP BY {by}",
        {"since": days[0], "until": days[1], "tenant": tenant},
    )
    return {
        row["name"]: Entry(
            cpu_seconds=row["cpu"], wasted_cpu_seconds=row["wasted"], bytes_read=int(row["read"]),
            bytes_written=int(row["written"]),
        )
        for row in rows
    }  # fmt: skip


def _stored(tx: Session, tenant: str | None) -> list[tuple[str, int]]:
    rows = tx.all(
        "SELECT tenant, sum(stored) AS stored FROM assets"
        " WHERE stored > 0 AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant) GROUP BY tenant",
        {"tenant": tenant},
    )
    return [(row["tenant"], int(row["stored"])) for row in rows]


def of_asset(tx: Session, asset: str, by: str, now: float) -> Account:
    """Of all its attempts, also those that were folded away, by `kind` or `rendition`; running ones are not in it. Raises
    NotFound."""
    record = assets.row(tx, asset)
    noun = assets.noun(record)
    rows = tx.all(f"{ATTEMPTS} WHERE s.asset = :asset AND a.finished_at IS NOT NULL", {"asset": asset})
    found: dict[str, Entry] = {}
    for (kind, rendition), entry in folded.used(tx, asset).items():
        _put(found, kind if by == "kind" else rendition, entry)
    for (_, _, kind, rendition), entry in summed(rows).items():
        _put(found, kind if by == "kind" else rendition, entry)
    for name, stored in _stored_of(noun, original=bool(record["original"])).items() if by == "rendition" else ():
        _put(found, name, Entry(bytes_stored=stored))
    return Account(by=by, entries=found, as_of=now)


def _stored_of(asset: Asset, *, original: bool) -> dict[str, int]:
    """Bytes of the newest build by track, and of the source."""
    found = {track.name: track.bytes for track in asset.tracks}
    return found | ({"source": asset.source.size} if asset.source and original else {})
