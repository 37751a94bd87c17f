"""The one door to PostgreSQL: transactions on pooled connections, the server's clock, and words for what may pass.

Transactions are READ COMMITTED, so those that change an asset take its row first (see `assets.row`); reads are REPEATABLE
READ, which sees one state and can neither block nor fail for another's sake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from rushes.catalog.connections import Connections
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
    applied,
    apply_migrations,
    migrations,
)
from rushes.errors import Refused
from rushes.settings import SettingsError

SIZE, PATIENCE, IDLE = 10, 15.0, 60.0
"""Connections of a process, seconds to wait for a free one, seconds after which an unused one is closed."""
TIMEOUTS = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=15s"
"""A process that is stopped in the middle of a transaction must not keep its locks for ever."""
DEFAULTS: dict[str, str | int] = {
    "application_name": "rushes",
    "client_encoding": "utf8",  # in a database of another encoding, texts would come as bytes
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within 15 to 25 s.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq's parameters; those in the URL go before them."""
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Not READ WRITE, which a standby refuses as nothing else, and which would write around a read-only that somebody has set."""
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
NOW = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
FAMILY = 0x72757368
"""First half of the keys of our advisory locks, in case that others use some in this database ("rush")."""

_PASSING = {"25P03", "25006", "0A000"}
"""Beside OperationalError: idle in a transaction for too long; a server that only reads, as after a fail-over; a statement
that was prepared before a migration and does not fit any more."""

_TOKEN = re.compile(r"'(?:[^']|'')*'|::|:([a-z_]\w*)|%")


@lru_cache(maxsize=512)
def rewritten(statement: str) -> bytes:
    """`:name` as psycopg wants it. Casts (`::`) and what is quoted stay; each `%` is doubled, for it means itself."""

    def replace(match: re.Match[str]) -> str:
        return f"%({match[1]})s" if match[1] else match[0].replace("%", "%%")

    return _TOKEN.sub(replace, statement).encode()


def translated(statement: str) -> str:
    """The words of a migration that SQLite and PostgreSQL do not share."""
    return statement.replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")


class PostgresSession:
    def __init__(self, connection: Connection[DictRow], now: float, *, writes: bool) -> None:
        self._connection = connection
        # One for what is asked, one for what nobody waits for: to make one costs a fifth of what a statement costs here.
        self._cursor, self._aside = connection.cursor(), connection.cursor()
        self.now = now
        # NO KEY UPDATE, because what refers to a row (a step to its asset) must be free to come meanwhile.
        self.lock = " FOR NO KEY UPDATE" if writes else ""
        self.skip = " FOR NO KEY UPDATE OF s, a SKIP LOCKED" if writes else ""
        self._pending: list[tuple[bytes, Params]] = []

    def turn(self, turn: Turn, *, wait: bool) -> bool:
        name = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        found = self.one(f"SELECT {name}(:family, :turn) AS mine", {"family": FAMILY, "turn": int(turn)})
        return wait or bool(found and found["mine"])

    def _run(self, statement: str, parameters: Params | None) -> psycopg.Cursor[DictRow]:
        return self._last(rewritten(statement), parameters or {})

    def _last(self, statement: bytes, parameters: Params) -> psycopg.Cursor[DictRow]:
        """In one round trip with those before it that nobody has waited for."""
        if not self._pending:
            return self._cursor.execute(statement, parameters)
        pending, self._pending = self._pending, []
        with self._connection.pipeline():
            for one, values in pending:
                self._aside.execute(one, values)
            return self._cursor.execute(statement, parameters)

    def later(self, statement: str, parameters: Params | None = None) -> None:
        self._pending.append((rewritten(statement), parameters or {}))

    def commit(self) -> None:
        if self._last(b"COMMIT", {}).statusmessage != "COMMIT":
            raise RuntimeError("a statement failed, and its error was swallowed: nothing was committed")

    def execute(self, statement: str, parameters: Params | None = None) -> int:
        return self._run(statement, parameters).rowcount

    def all(self, statement: str, parameters: Params | None = None) -> list[Row]:
        return [*self._run(statement, parameters).fetchall()]

    def one(self, statement: str, parameters: Params | None = None) -> Row | None:
        return self._run(statement, parameters).fetchone()


class _Migration(PostgresSession):
    def _run(self, statement: str, parameters: Params | None) -> psycopg.Cursor[DictRow]:
        return super()._run(translated(statement), parameters)


class PostgresDatabase:
    """Connects when it is first used. After a restart of the server the next transaction finds its way by itself."""

    def __init__(self, url: str, *, size: int = SIZE) -> None:
        """Raises SettingsError where the URL cannot be understood."""
        conninfo = _conninfo(url)

        def connect() -> Connection[DictRow]:
            try:
                return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
            except psycopg.Error as error:
                raise DatabaseUnavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from None

        self._connections = Connections(connect, size=size, patience=PATIENCE, idle=IDLE)

    def close(self) -> None:
        self._connections.close()

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._transaction(WRITE) as (connection, now):
            session = PostgresSession(connection, now, writes=True)
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._transaction(READ) as (connection, now):
            session = PostgresSession(connection, now, writes=False)
            yield session
            session.commit()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[tuple[Connection[DictRow], float]]:
        with _told():
            connection, now = self._begin(begin)
            try:
                yield connection, now
            except psycopg.Error:
                connection.close()  # whatever it was, it must not wait there for the next one
                raise
            finally:
                self._put_back(connection)

    def _begin(self, begin: str) -> tuple[Connection[DictRow], float]:
        """A connection in a transaction, and its time. A connection from before a restart is replaced without a word."""
        while True:
            connection, fresh = self._connections.take()
            try:
                return connection, _start(connection, begin)
            except psycopg.OperationalError:
                self._connections.drop(connection)
                if fresh:
                    raise
                self._connections.clear()
            except BaseException:
                self._connections.drop(connection)
                raise

    def _put_back(self, connection: Connection[DictRow]) -> None:
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:
                connection.close()
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._connections.give_back(connection)
        else:
            self._connections.drop(connection)

    def migrate(self) -> list[str]:
        with self._transaction(WRITE) as (connection, now):
            tx = _Migration(connection, now, writes=True)
            tx.execute("SET LOCAL statement_timeout = '10min'")
            tx.execute("SET LOCAL lock_timeout = '10min'")
            tx.turn(Turn.MIGRATE, wait=True)
            fresh = apply_migrations(tx)
            tx.commit()
            return fresh

    def ensure(self) -> None:
        with self.read() as tx:
            done = applied(tx) if _has_migrations(tx) else set()
        if missing := [name for name, _ in migrations() if name not in done]:
            raise SettingsError(f"The database lacks {', '.join(missing)}. Run `rushes migrate`.")

    def version(self) -> str | None:
        with self.read() as tx:
            return max(applied(tx), default=None) if _has_migrations(tx) else None


def _has_migrations(tx: Session) -> bool:
    found = tx.one("SELECT to_regclass('migrations') IS NOT NULL AS there")
    return bool(found and found["there"])


def _conninfo(url: str) -> str:
    wrong = SettingsError(
        "RUSHES_DATABASE_URL cannot be understood. It must look like postgresql://user:password@host:5432/rushes,"
        " with special characters of the password percent-encoded."
    )
    try:
        given: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.Error:
        raise wrong from None  # libpq's message quotes what it stumbled over, which may be the password
    port = str(given.get("port", "")).replace(",", "")
    if "@" in f"{given.get('host')}{given.get('dbname')}" or (port and not port.isdigit()):
        raise wrong  # a password that was not encoded ends up in these, and libpq's messages name them
    options = " ".join(filter(None, (TIMEOUTS, given.pop("options", None))))
    return make_conninfo(**{**DEFAULTS, **given, "options": options})


def _start(connection: Connection[DictRow], begin: str) -> float:
    """Begin, and ask for the time, in one round trip."""
    cursor = connection.execute(f"{begin}; {NOW}".encode(), prepare=False)
    cursor.nextset()
    row = cursor.fetchone()
    return float(row["now"]) if row else 0.0


def _passes(error: psycopg.Error) -> bool:
    """What may pass: no connection, too many of them, a lock or a statement that took too long, a deadlock, a full disk,
    a server that shuts down or starts. Limits of the program (class 54) and everything else are bugs."""
    state = error.sqlstate or ""
    return (isinstance(error, psycopg.OperationalError) and not state.startswith("54")) or state in _PASSING


_CODES = {
    "25006": READ_ONLY,
    "53100": FULL,
    **dict.fromkeys(
        ("55P03", "40P01", "40001", "57014", "25P03"), LOCKED
    ),  # lock, deadlock, serialization, statement too long
}
"""PostgreSQL's error codes (its appendix A) that say more than that it was not there."""


def _code(error: psycopg.Error) -> str:
    return _CODES.get(error.sqlstate or "", UNREACHABLE)


@contextmanager
def _told() -> Iterator[None]:
    """What may pass is told apart from what is wrong with a statement."""
    try:
        yield
    except psycopg.Error as error:
        if _passes(error):
            raise DatabaseUnavailable(str(error).strip() or type(error).__name__, _code(error)) from error
        if isinstance(error, psycopg.DataError) and "NUL" in str(error):
            raise Refused("invalid_request", "A text must not contain the character NUL.", status=422) from error
        raise
