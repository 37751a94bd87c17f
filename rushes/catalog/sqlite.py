"""The one door to SQLite: one connection, one writer at a time, and a fair wait for the lock."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rushes.catalog.database import (
    FULL,
    LOCKED,
    READ_ONLY,
    UNREACHABLE,
    DatabaseUnavailable,
    Params,
    Row,
    Session,
    Turn,
    apply_migrations,
)
from rushes.clock import SystemClock, pause

LOCK_PATIENCE = 15.0
"""Seconds a writer waits for its turn before it gives up; the longest transaction seen takes a few milliseconds."""


_PASSING = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: UNREACHABLE,
    sqlite3.SQLITE_CANTOPEN: UNREACHABLE,
}
"""What may pass, by SQLite's primary result codes, and what we call it."""


class SqliteSession:
    lock = skip = ""  # a writer is alone

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.now = SystemClock().now()

    def turn(self, turn: Turn, *, wait: bool) -> bool:
        return True

    def execute(self, statement: str, parameters: Params | None = None) -> int:
        return self._connection.execute(statement, parameters or {}).rowcount

    def later(self, statement: str, parameters: Params | None = None) -> None:
        self.execute(statement, parameters)

    def all(self, statement: str, parameters: Params | None = None) -> list[Row]:
        return [*self._connection.execute(statement, parameters or {}).fetchall()]

    def one(self, statement: str, parameters: Params | None = None) -> Row | None:
        row: Row | None = self._connection.execute(statement, parameters or {}).fetchone()
        return row


class SqliteDatabase:
    """SQLite in WAL mode with full synchronisation: what is committed survives a power cut.

    Threads share the connection under a lock. Other processes are met with BEGIN IMMEDIATE and a short random retry
    of our own: with `busy_timeout` alone one waiter was seen to starve for 5 s.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        with _told():
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=0"):
                self._patiently(f"PRAGMA {pragma}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._lock, _told():
            self._patiently("BEGIN IMMEDIATE")
            try:
                yield SqliteSession(self._connection)
                self._patiently("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._lock, _told():
            self._patiently("BEGIN")
            try:
                yield SqliteSession(self._connection)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def _patiently(self, statement: str) -> None:
        clock = SystemClock()
        deadline = clock.monotonic() + LOCK_PATIENCE
        while True:
            try:
                self._connection.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                if clock.monotonic() > deadline:
                    text = f"the database stayed locked for {LOCK_PATIENCE:.0f} s"
                    raise DatabaseUnavailable(text, LOCKED) from error
            pause(random.uniform(0.0001, 0.0006))  # noqa: S311 - spreads waiters, keeps no secret

    def migrate(self) -> list[str]:
        with self.write() as tx:
            return apply_migrations(tx)

    def ensure(self) -> None:
        self.migrate()

    def version(self) -> str | None:
        with self.read() as tx:
            if tx.one("SELECT 1 FROM sqlite_master WHERE name = 'migrations'") is None:
                return None
            row = tx.one("SELECT max(name) AS name FROM migrations")
            return row["name"] if row else None


@contextmanager
def _told() -> Iterator[None]:
    """What may pass (a full disk, a lock, an I/O error) is told apart from what is wrong with a statement."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if code := _PASSING.get(error.sqlite_errorcode & 0xFF):
            raise DatabaseUnavailable(str(error), code) from error
        raise
