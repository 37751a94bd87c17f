"""What the catalog asks of a database, and the migrations that bring one up to date.

Statements are written once, in the common subset of SQLite and PostgreSQL, with named parameters (`:name`). Where the two
differ, a session offers the words: `lock` ends a SELECT of the row that is about to change, `skip` that of a claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from enum import IntEnum
from importlib.resources import files
from typing import Any, Protocol


class Row(Protocol):
    """A row: its values by the names of its columns."""

    def __getitem__(self, key: str, /) -> Any: ...  # noqa: ANN401 - a column may hold anything

    def keys(self) -> Iterable[str]: ...


Params = Mapping[str, Any]


UNREACHABLE, LOCKED = "database_unreachable", "database_locked"
READ_ONLY, FULL = "database_read_only", "database_full"
"""Why a database does not take a transaction: stable codes, for logs, metrics and the doctor."""
REMEDIES = {
    UNREACHABLE: "Start the database, or correct RUSHES_DATABASE_URL; processes connect again by themselves.",
    LOCKED: "Look for a long transaction or a lock that somebody holds; work goes on once it is gone.",
    READ_ONLY: "It takes no writes: a standby, or a file without leave to write. Name the primary, or give leave.",
    FULL: "Its disk is full: make room there. Nothing is lost, and work goes on by itself.",
}


class DatabaseUnavailable(Exception):
    """The database cannot take the transaction now (locked for too long, disk full, not there); later it may. `code` says why.

    Whether a COMMIT that was under way took effect is not known, so whatever is tried again has to bear that.
    """

    def __init__(self, text: str, code: str = UNREACHABLE) -> None:
        self.code = code
        super().__init__(f"{code}: {text}")


class Turn(IntEnum):
    """Work that only one transaction of all processes may be at. The numbers are the keys of PostgreSQL's advisory locks."""

    EVENTS = 1
    DELIVERIES = 2
    RECONCILE = 3
    HOUSEKEEP = 4
    MIGRATE = 5
    ADMIT = 6


class Session(Protocol):
    """What a transaction offers. Statements use named parameters."""

    @property
    def now(self) -> float:
        """The database's own time when the transaction began, in seconds since the epoch."""
        ...

    @property
    def lock(self) -> str:
        """Ends a SELECT that takes a row for this transaction, and waits for it. Empty where nobody else can write."""
        ...

    @property
    def skip(self) -> str:
        """Ends a SELECT that takes a row of `s` and one of `a`, and passes over those that somebody else has."""
        ...

    def turn(self, turn: Turn, *, wait: bool) -> bool:
        """Take this turn until the transaction ends; False, at once, if another has it and there is no wish to wait."""
        ...

    def execute(self, statement: str, parameters: Params | None = None) -> int:
        """Run a statement and give the number of rows it touched."""
        ...

    def later(self, statement: str, parameters: Params | None = None) -> None:
        """Run a statement, in its turn, before the transaction's next one or its end: nobody waits for its answer. What is
        wrong with it is raised then."""
        ...

    def all(self, statement: str, parameters: Params | None = None) -> list[Row]: ...

    def one(self, statement: str, parameters: Params | None = None) -> Row | None: ...


class Database(Protocol):
    """Safe for threads. Every method raises DatabaseUnavailable."""

    def write(self) -> AbstractContextManager[Session]:
        """A transaction: all of it or none of it. Each statement sees what others have committed before it."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """Statements that see one state of the database."""
        ...

    def migrate(self) -> list[str]:
        """Bring the schema up to date; gives the names of the migrations that were applied."""
        ...

    def ensure(self) -> None:
        """Make sure that the schema is at least what this version needs; a newer one is fine.

        An embedded database brings itself up to date. A shared one is the operator's: raises SettingsError if it is older.
        """
        ...

    def version(self) -> str | None:
        """The newest migration applied, or None on a database without any."""
        ...

    def close(self) -> None: ...


MIGRATIONS_TABLE = (
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT DEFAULT CURRENT_TIMESTAMP)"
)


def apply_migrations(tx: Session) -> list[str]:
    """Apply what is missing. The caller makes sure that nobody else is at it."""
    tx.execute(MIGRATIONS_TABLE)
    done = applied(tx)
    fresh = [(name, text) for name, text in migrations() if name not in done]
    for name, text in fresh:
        for statement in statements(text):
            tx.execute(statement)
        tx.execute("INSERT INTO migrations (name) VALUES (:name)", {"name": name})
    return [name for name, _ in fresh]


def applied(tx: Session) -> set[str]:
    """Names of the migrations that a database has seen."""
    return {row["name"] for row in tx.all("SELECT name FROM migrations")}


def migrations() -> list[tuple[str, str]]:
    """All migrations as (name, SQL), oldest first."""
    folder = files("rushes.catalog") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text(encoding="utf-8")) for name in names]


def statements(text: str) -> list[str]:
    """Single statements of a migration. Comments end at the line's end; no statement of ours holds a semicolon inside."""
    lines = [line.split("--", 1)[0] for line in text.splitlines()]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
