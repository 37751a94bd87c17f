"""The door to PostgreSQL: how statements are rewritten, what may pass, restarts, and passwords that nobody gets to see."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import psycopg
import pytest

from rushes import wiring
from rushes.catalog import postgres as door
from rushes.catalog.database import DatabaseUnavailable, migrations
from rushes.catalog.open import open_database
from rushes.catalog.postgres import PostgresDatabase, rewritten, translated
from rushes.clock import SystemClock, pause
from rushes.errors import Refused
from rushes.settings import Settings, SettingsError
from rushes.workers import doctor
from rushes.workers.doorbell import MemoryDoorbell
from tests.services.postgres import Postgres

TABLE = "CREATE TABLE log (n INTEGER PRIMARY KEY, name TEXT)"


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    made = postgres.empty()
    yield made
    postgres.drop(made)


@pytest.fixture
def base(url: str) -> Iterator[PostgresDatabase]:
    made = PostgresDatabase(url)
    with made.write() as tx:
        tx.execute(TABLE)
    yield made
    made.close()


# -- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT :a, :b_2 WHERE x=:a", "SELECT %(a)s, %(b_2)s WHERE x=%(a)s"),
        ("SELECT x::text, :a::int", "SELECT x::text, %(a)s::int"),
        ("SELECT 1 % 2, 'a%b' LIKE :p", "SELECT 1 %% 2, 'a%%b' LIKE %(p)s"),
        ("SELECT ':a', 'it''s :b', :c", "SELECT ':a', 'it''s :b', %(c)s"),
    ],
)
def test_names_of_parameters_are_rewritten_and_nothing_else(ours: str, theirs: str) -> None:
    assert rewritten(ours) == theirs.encode()


def test_the_server_understands_what_was_rewritten(base: PostgresDatabase) -> None:
    with base.read() as tx:
        row = tx.one("SELECT :n::int % 3 AS rest, 'a:n%b' AS text, :text AS given", {"n": 5, "text": ":n %(n)s %"})
    assert row is not None
    assert dict(row) == {"rest": 2, "text": "a:n%b", "given": ":n %(n)s %"}


def test_every_migration_is_understood_by_both(base: PostgresDatabase) -> None:
    assert base.version() is None
    assert base.migrate() == [name for name, _ in migrations()]
    assert base.version() == migrations()[-1][0]
    assert "AUTOINCREMENT" not in translated("".join(text for _, text in migrations()))


# -- transactions -----------------------------------------------------------------------------------------------------


def test_a_failed_transaction_leaves_nothing_and_its_connection_goes_on(base: PostgresDatabase) -> None:
    with pytest.raises(ZeroDivisionError), base.write() as tx:
        tx.execute("INSERT INTO log VALUES (1, 'x')")
        raise ZeroDivisionError
    with base.read() as tx:
        assert tx.all("SELECT n FROM log") == []
        own = tx.one("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()")
    assert own is not None and own["n"] == 1


def test_an_error_that_was_swallowed_is_no_commit(base: PostgresDatabase) -> None:
    with pytest.raises(RuntimeError, match="nothing was committed"), base.write() as tx:
        tx.execute("INSERT INTO log VALUES (1, 'x')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            tx.execute("INSERT INTO log VALUES (1, 'y')")
    with base.read() as tx:
        assert tx.all("SELECT n FROM log") == []


def test_a_reader_sees_one_state_and_cannot_write(base: PostgresDatabase) -> None:
    with base.read() as tx:
        assert tx.all("SELECT n FROM log") == []
        with base.write() as other:
            other.execute("INSERT INTO log VALUES (1, 'x')")
        assert tx.all("SELECT n FROM log") == []
    with pytest.raises(DatabaseUnavailable, match="read-only"), base.read() as tx:
        tx.execute("INSERT INTO log VALUES (2, 'x')")


def test_the_time_is_the_servers_and_comes_with_the_transaction(base: PostgresDatabase) -> None:
    with base.write() as first:
        pause(0.01)
        row = first.one("SELECT extract(epoch FROM clock_timestamp())::float8 AS now")
    assert row is not None
    assert 0.01 <= row["now"] - first.now < 5


# -- what may pass ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["53100", "53200", "53300", "57P01", "57P03", "40P01", "40001", "55P03", "57014", "25006", "08006"]
)
def test_what_may_pass(state: str) -> None:
    error = psycopg.errors.lookup(state)("it happened") if state != "08006" else psycopg.OperationalError("it happened")
    with pytest.raises(DatabaseUnavailable, match="it happened"), door._told():
        raise error


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("25006", "database_read_only"),
        ("53100", "database_full"),
        ("55P03", "database_locked"),
        ("57P01", "database_unreachable"),
    ],
)
def test_why_it_may_pass_has_a_name(state: str, code: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=code) as raised, door._told():
        raise psycopg.errors.lookup(state)("it happened")
    assert raised.value.code == code


@pytest.mark.parametrize("state", ["42601", "42P01", "23505", "22P02", "54001", "23503"])
def test_what_is_a_fault_of_ours(state: str) -> None:
    with pytest.raises(psycopg.Error), door._told():
        raise psycopg.errors.lookup(state)("it happened")


@pytest.fixture
def standby(postgres: Postgres, base: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """The server has become a standby, as after a failover that went to the wrong address."""
    signal = postgres.data / "standby.signal"
    postgres.stop()
    signal.touch()
    postgres.start()
    yield base
    postgres.stop()
    signal.unlink()
    postgres.start()


def test_a_standby_can_be_read_and_says_that_it_is_no_more(standby: PostgresDatabase) -> None:
    with standby.read() as tx:
        assert tx.all("SELECT n FROM log") == []
    with pytest.raises(DatabaseUnavailable) as raised, standby.write() as tx:
        tx.execute("INSERT INTO log (n, name) VALUES (1, 'x')")
    assert raised.value.code == "database_read_only"


def test_a_database_that_was_made_read_only_is_believed(base: PostgresDatabase, url: str) -> None:
    """Some providers do this when a disk is nearly full: nobody may write around it."""
    with base.write() as tx:
        tx.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with (
        closing(PostgresDatabase(url)) as anew,
        pytest.raises(DatabaseUnavailable, match="read-only"),
        anew.write() as tx,
    ):
        tx.execute("INSERT INTO log (n, name) VALUES (1, 'x')")


def test_a_nul_in_a_text_is_the_callers_fault(base: PostgresDatabase) -> None:
    with pytest.raises(Refused) as raised, base.read() as tx:
        tx.all("SELECT n FROM log WHERE name = :name", {"name": "a\0b"})
    assert raised.value.status == 422
    with base.read() as tx:
        assert tx.all("SELECT n FROM log WHERE name = :name", {"name": "ab"}) == []


def test_a_wrong_statement_is_not_taken_for_bad_weather(base: PostgresDatabase) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), base.write() as tx:
        tx.execute("SELECT nonsense FROM nowhere")


def test_a_deadlock_is_bad_weather(base: PostgresDatabase) -> None:
    with base.write() as tx:
        tx.execute("INSERT INTO log VALUES (1, 'x'), (2, 'x')")
    gate = Barrier(2)

    def lock(first: int, second: int) -> str:
        try:
            with base.write() as tx:
                tx.execute("UPDATE log SET name = 'y' WHERE n = :n", {"n": first})
                gate.wait(10)
                tx.execute("UPDATE log SET name = 'y' WHERE n = :n", {"n": second})
        except DatabaseUnavailable as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(2) as threads:
        one, two = threads.submit(lock, 1, 2), threads.submit(lock, 2, 1)
        ends = sorted([one.result(), two.result()], key=len)
    assert ends[0] == "done"
    assert "deadlock" in ends[1]


def test_a_lock_held_for_too_long_is_said_so(base: PostgresDatabase, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TIMEOUTS", "-c lock_timeout=50ms")
    other = PostgresDatabase(url)
    with base.write() as tx:
        tx.execute("LOCK TABLE log")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"), other.read() as waiting:
            waiting.all("SELECT n FROM log")
    with other.read() as tx:  # afterwards it works again
        assert tx.all("SELECT n FROM log") == []
    other.close()


def test_who_sleeps_in_a_transaction_loses_it_and_options_of_the_url_go_before_ours(url: str) -> None:
    base = PostgresDatabase(f"{url}?options=-c%20idle_in_transaction_session_timeout%3D50ms")
    with pytest.raises(DatabaseUnavailable), base.write() as tx:
        pause(0.3)
        tx.execute(TABLE)
    with base.read() as tx:
        row = tx.one("SELECT current_setting('lock_timeout') AS ours, current_setting('application_name') AS name")
    assert row is not None and dict(row) == {"ours": "10s", "name": "rushes"}
    base.close()


def test_more_threads_than_connections_wait_for_a_while(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.05)
    base = PostgresDatabase(url, size=1)
    with base.read(), pytest.raises(DatabaseUnavailable, match="all 1 connections"), base.read():
        pass
    with base.read() as tx:
        assert tx.one("SELECT 1 AS n") is not None
    base.close()


# -- the server comes and goes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_the_next_transaction_finds_its_way(
    postgres: Postgres, base: PostgresDatabase, how: str
) -> None:
    # Given several connections from before
    with base.read(), base.read(), base.read():
        pass
    getattr(postgres, how)()
    began = SystemClock().monotonic()
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"), base.read():
        pass
    assert SystemClock().monotonic() - began < 5
    postgres.start()
    for _ in range(4):
        with base.write() as tx:
            tx.execute("DELETE FROM log")


def test_a_server_that_dies_within_a_transaction_is_bad_weather(postgres: Postgres, base: PostgresDatabase) -> None:
    try:
        with pytest.raises(DatabaseUnavailable), base.write() as tx:
            tx.execute("INSERT INTO log VALUES (1, 'x')")
            postgres.kill()
    finally:
        postgres.start()
    with base.read() as tx:
        assert tx.all("SELECT n FROM log") == []


# -- schema and settings ----------------------------------------------------------------------------------------------


def test_an_older_schema_is_refused_and_a_newer_one_is_fine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(database_url=url)
    with pytest.raises(SettingsError, match="Run `rushes migrate`"):
        wiring.open_catalog(settings, MemoryDoorbell())
    assert doctor.database(settings).remedy == "Run `rushes migrate`."
    base = open_database(url)
    base.migrate()
    with base.write() as tx:
        tx.execute("INSERT INTO migrations (name) VALUES ('9999_future.sql')")
    wiring.open_catalog(settings, MemoryDoorbell()).database.close()
    everything = migrations()
    monkeypatch.setattr(door, "migrations", lambda: [*everything, ("0999_more.sql", "")])
    with pytest.raises(SettingsError, match=r"lacks 0999_more.sql"):
        base.ensure()
    base.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://rushes:top/secret@127.0.0.1/rushes",
        "postgresql://rushes:top:secret@127.0.0.1:x/rushes",
        "postgresql://rushes:top@secret:word@127.0.0.1/rushes",
        "postgresql://rushes:top%secret@127.0.0.1/rushes",
        "postgresql://rushes:12/secret@127.0.0.1/rushes",
        "mysql://rushes:secret@127.0.0.1/rushes",
    ],
)
def test_a_url_that_cannot_be_understood_is_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://user") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    base = open_database("postgresql://rushes:secret@127.0.0.1:1/rushes")
    with pytest.raises(DatabaseUnavailable, match="cannot be reached") as caught, base.read():
        pass
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_a_database_without_an_encoding_gives_texts_all_the_same(postgres: Postgres) -> None:
    database = PostgresDatabase(postgres.empty("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"))
    try:
        database.migrate()
        database.ensure()
        with database.read() as tx:
            row = tx.one("SELECT 'é' AS letter")
        assert row is not None
        assert row["letter"] == "é"
    finally:
        database.close()
