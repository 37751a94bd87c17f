"""What steps really cost, kept by class of work (`engine.cost`).

Each process notes what it saw and, every few seconds, adds it to the table and reads what the others learned: so no completion
waits for a row that all of them would change. What a process that dies has not told yet is lost, and missed by nobody.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rushes.catalog.database import Database, Row, Session
from rushes.clock import SystemClock
from rushes.engine.cost import Learned, Seen, after, lessons

READ_EVERY = 30.0
"""Seconds after which a process that has nothing to tell asks what others have learned."""
MOST_NOTED = 10_000
"""Attempts that are kept while the database is away."""


class Costs:
    """Of one process, for all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Seen] = []
        self._learned: Mapping[str, Learned] = {}

        self._read_at = -READ_EVERY

    @property
    def learned(self) -> Mapping[str, Learned]:
        """As it was at the last exchange, by key."""
        return self._learned

    def note(self, seen: Seen) -> None:
        """An attempt was done by work of its own: no copied result, and nothing that was skipped."""
        with self._lock:
            if len(self._noted) < MOST_NOTED:
                self._noted.append(seen)

    def exchange(self, database: Database) -> None:
        """Tell what was noted, and learn what others noted."""
        with self._lock:
            noted, self._noted = self._noted, []
        by_key: dict[str, list[Learned]] = defaultdict(list)
        for seen in noted:
            for key, lesson in lessons(seen).items():
                by_key[key].append(lesson)
        if by_key:
            with database.write() as tx:
                for key in sorted(by_key):
                    _learn(tx, key, by_key[key])
        clock = SystemClock().monotonic()
        if by_key or clock >= self._read_at + READ_EVERY:
            with database.read() as tx:
                self._learned, self._read_at = read(tx), clock


def _learn(tx: Session, key: str, told: Sequence[Learned]) -> None:
    """Keys in order, so that no two processes wait for each other."""
    tx.execute("INSERT INTO costs (key) VALUES (:key) ON CONFLICT DO NOTHING", {"key": key})
    row = tx.one(f"SELECT n, factor, spread, parallel FROM costs WHERE key = :key{tx.lock}", {"key": key})
    known = _of(row) if row else Learned()
    for lesson in told:
        known = after(known, lesson)
    tx.execute(
        "UPDATE costs SET n = :n, factor = :factor, spread = :spread, parallel = :parallel, updated_at = :now WHERE key = :key",
        {**known.model_dump(), "key": key, "now": tx.now},
    )


def read(tx: Session) -> dict[str, Learned]:
    """All classes: some hundred rows."""
    return {row["key"]: _of(row) for row in tx.all("SELECT key, n, factor, spread, parallel FROM costs")}


def _of(row: Row) -> Learned:
    return Learned(n=row["n"], factor=row["factor"], spread=row["spread"], parallel=row["parallel"])
