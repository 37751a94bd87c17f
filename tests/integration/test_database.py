"""The door to SQLite: migrations as statements, two processes that write at once, and the words for what may pass."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.catalog import sqlite
from rushes.catalog.database import Database, DatabaseUnavailable, migrations, statements
from rushes.catalog.sqlite import SqliteDatabase

WRITER = """
import sys
from pathlib import Path
from rushes.catalog.sqlite import SqliteDatabase
name, rounds = sys.argv[2], int(sys.argv[3])
base = SqliteDatabase(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(rounds):
    with base.write() as tx:
        n = tx.one("SELECT count(*) AS n FROM log")["n"]
        tx.execute("INSERT INTO log VALUES (:n, :name)", {"n": n, "name": name})
"""


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Database]:
    made = SqliteDatabase(tmp_path / "x.db")
    with made.write() as tx:
        tx.execute("CREATE TABLE log (n INTEGER PRIMARY KEY, name TEXT)")
    yield made
    made.close()


def test_statements_are_split_and_comments_left_out() -> None:
    text = "-- first; not a statement\nCREATE TABLE a (x TEXT);  -- why; because\n\nCREATE INDEX b ON a (x);\n;"
    assert statements(text) == ["CREATE TABLE a (x TEXT)", "CREATE INDEX b ON a (x)"]


def test_every_migration_is_a_list_of_statements_in_order() -> None:
    found = migrations()
    assert [name for name, _ in found] == sorted(name for name, _ in found)
    assert all(statements(text) for _, text in found)


def test_what_an_older_version_left_is_carried_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database of the first version, with an asset that became ready and whose attempts left something behind
    base = SqliteDatabase(tmp_path / "old.db")
    everything = migrations()
    monkeypatch.setattr("rushes.catalog.database.migrations", lambda: everything[:1])
    base.migrate()
    with base.write() as tx:
        tx.execute("INSERT INTO tenants (id) VALUES ('t')")
        for name in ("kept", "gone"):
            tx.execute(
                "INSERT INTO assets (id, tenant, state, publication, created_at, profile, policy, doc)"
                f" VALUES ('{name}', 't', 'ready', 'private', 1, '', '', '')"
            )
            tx.execute(
                "INSERT INTO events (id, type, asset, tenant, at, data)"
                f" VALUES ('{name}', 'asset.ready', '{name}', 't', 5, '')"
            )
        for step, asset, key, kind in (
            ("s1", "kept", "encode.0", "encode"),
            ("s2", "gone", "cleanup.original.0", "cleanup"),
        ):
            tx.execute(
                "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost, state,"
                f" waiting, created_at) VALUES ('{step}', '{asset}', 't', 1, '{key}', '{kind}', 'io', '', 1, 0, 1, 'done', 0, 1)"
            )
            tx.execute(
                "INSERT INTO attempts (step, fence, worker, started_at, outcome)"
                f" VALUES ('{step}', 1, 'w', 1, 'lost'), ('{step}', 2, 'w', 1, 'done')"
            )
    # When this version opens it
    monkeypatch.undo()
    base.ensure()
    # Then it knows what is to be tidied up
    with base.read() as tx:
        rows = [tuple(row) for row in tx.all("SELECT id, ready_at, original, litter FROM assets ORDER BY id")]  # type: ignore[call-overload]
    assert rows == [("gone", 5.0, 0, 0), ("kept", 5.0, 1, 1)]
    base.close()


def test_two_processes_write_at_once_and_neither_starves(base: Database, tmp_path: Path) -> None:
    # Given two processes that are ready to write without a pause, where every write builds on the last
    rounds = 1500
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "x.db"), name, str(rounds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in "ab"
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    # When they start together
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    # Then nothing was lost, and they took turns
    assert [writer.returncode for writer in writers] == [0, 0]
    with base.read() as tx:
        order = "".join(row["name"] for row in tx.all("SELECT name FROM log ORDER BY n"))
    assert len(order) == 2 * rounds
    assert order.count("ab") + order.count("ba") >= 3


def test_a_lock_held_for_too_long_is_said_so(base: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOCK_PATIENCE", 0.05)
    other = SqliteDatabase(tmp_path / "x.db")
    with other.write(), pytest.raises(DatabaseUnavailable, match="locked"), base.write():
        pass
    with base.write() as tx:  # afterwards it works again
        tx.execute("INSERT INTO log VALUES (1, 'x')")


def test_a_failed_transaction_leaves_nothing(base: Database) -> None:
    with pytest.raises(ZeroDivisionError), base.write() as tx:
        tx.execute("INSERT INTO log VALUES (1, 'x')")
        raise ZeroDivisionError
    with base.read() as tx:
        assert tx.all("SELECT * FROM log") == []


def test_a_wrong_statement_is_not_taken_for_bad_weather(base: Database) -> None:
    with pytest.raises(sqlite3.OperationalError), base.write() as tx:
        tx.execute("SELECT nonsense FROM nowhere")


@pytest.mark.parametrize("kind", ["write", "read"])
def test_trouble_of_the_disk_is_told_apart_when_writing_and_when_reading(base: Database, kind: str) -> None:
    trouble = sqlite3.OperationalError("database or disk is full")
    trouble.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(DatabaseUnavailable, match="full"), getattr(base, kind)():
        raise trouble


@pytest.mark.parametrize(
    ("how", "code"), [("max_page_count = 1", "database_full"), ("query_only = ON", "database_read_only")]
)
def test_a_real_database_that_takes_nothing_says_why_and_takes_it_later(tmp_path: Path, how: str, code: str) -> None:
    database = SqliteDatabase(tmp_path / "small.db")
    database.migrate()
    database._connection.execute(f"PRAGMA {how}")
    statement = "INSERT INTO migrations (name) VALUES (:name)"
    with pytest.raises(DatabaseUnavailable) as raised, database.write() as tx:
        for number in range(200):  # until its pages are full
            tx.execute(statement, {"name": f"{number}-" + 1000 * "x"})
    assert raised.value.code == code
    assert str(raised.value).startswith(code)
    # Once there is room, or leave to write, it goes on by itself
    database._connection.execute("PRAGMA query_only = OFF")
    database._connection.execute("PRAGMA max_page_count = 100000")
    with database.write() as tx:
        tx.execute(statement, {"name": "at last"})
    database.close()


def test_a_place_that_cannot_be_opened_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(DatabaseUnavailable):
        SqliteDatabase(tmp_path / "folder.db")
