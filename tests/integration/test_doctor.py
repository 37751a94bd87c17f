"""The doctor on this machine, and on machines with one part broken."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from rushes.catalog.open import database_path
from rushes.catalog.sqlite import SqliteDatabase
from rushes.chaos.member import free_port
from rushes.clock import ManualClock, SystemClock
from rushes.settings import Settings
from rushes.workers import doctor
from rushes.workers.doctor import Check, checks


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def taken() -> tuple[socket.socket, int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server, server.getsockname()[1]


def test_every_part_is_looked_at_and_nothing_is_left_behind(settings: Settings):
    found = checks(settings, port=free_port())
    names = [check.name for check in found]
    assert names == ["python", "data directory", "disk space", "database", "releases", "history", "object store", "doorbell",
                     "preview secret", "clock of the fleet", "caches", "memory watchdog", "clock", "port",
                     "ffmpeg", "sandbox", "profile", "speech", "visual labels", "policy"]  # fmt: skip
    assert [check for check in found if not check.ok] == []
    assert all(check.detail for check in found)
    assert not settings.data.exists()


def test_python_is_new_enough():
    assert doctor.python().ok


def test_data_directory_that_is_a_file(tmp_path: Path):
    (tmp_path / "data").write_text("x")
    check = doctor.data_directory(Settings(data=tmp_path / "data"))
    assert not check.ok
    assert "not a directory" in check.detail


def test_data_directory_that_cannot_be_written():
    # Given a file system that takes no files, even from root
    if not Path("/proc/self").is_dir():
        pytest.skip("/proc is not there")
    check = doctor.data_directory(Settings(data=Path("/proc/self/data")))
    assert not check.ok
    assert check.remedy


def test_parts_on_several_file_systems(tmp_path: Path):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    (tmp_path / "objects").symlink_to(other)
    check = doctor.data_directory(Settings(data=tmp_path))
    assert not check.ok
    assert "several file systems" in check.detail


def test_disk_space(tmp_path: Path):
    assert doctor.disk_space(Settings(data=tmp_path, min_free_bytes=0)).ok
    assert not doctor.disk_space(Settings(data=tmp_path, min_free_bytes=10**18)).ok


def test_database(settings: Settings):
    # Given none yet, it will be made
    assert doctor.database(settings).ok
    # When there is one without a schema, then the remedy is to migrate
    path = database_path(settings.database)
    base = SqliteDatabase(path)
    check = doctor.database(settings)
    assert (check.ok, check.remedy) == (False, "Run `rushes migrate`.")
    base.migrate()
    assert doctor.database(settings).ok
    # And one that a newer version made says so
    with base.write() as tx:
        tx.execute("INSERT INTO migrations (name) VALUES ('9999_future.sql')")
    base.close()
    check = doctor.database(settings)
    assert not check.ok
    assert "newer" in check.remedy


def test_a_file_that_is_no_database(settings: Settings):
    path = database_path(settings.database)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is not a database" * 100)
    check = doctor.guarded("database", lambda: doctor.database(settings))
    assert not check.ok
    assert "DatabaseError" in check.detail


def test_clock(settings: Settings):
    assert doctor.clock_sanity(settings, SystemClock()).ok
    check = doctor.clock_sanity(settings, ManualClock(0.0))
    assert (check.ok, check.remedy) == (False, "Set the clock (NTP).")


def test_port(settings: Settings, taken: tuple[socket.socket, int]):
    assert doctor.port_free(settings, free_port()).ok
    check = doctor.port_free(settings, taken[1])
    assert not check.ok
    assert "--port" in check.remedy


def test_port_of_our_own_stack_is_fine(settings: Settings, taken: tuple[socket.socket, int]):
    # Given a stack that holds the data directory
    settings.data.mkdir()
    handle = os.open(settings.data / "lock", os.O_CREAT | os.O_RDWR)
    try:
        assert not doctor.port_free(settings, taken[1]).ok
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert doctor.port_free(settings, taken[1]).ok
    finally:
        os.close(handle)


def test_what_breaks_a_check_is_a_finding():
    def broken() -> Check:
        raise RuntimeError("out of cheese")

    check = doctor.guarded("cheese", broken)
    assert (check.name, check.ok, check.detail) == ("cheese", False, "RuntimeError: out of cheese")
