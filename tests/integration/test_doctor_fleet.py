"""The doctor of a fleet: what is shared is there, or the finding names it and its remedy, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.clock import ManualClock, SystemClock
from rushes.settings import Settings
from rushes.workers import doctor, fleetcheck
from tests.services.fleet import Fleet
from tests.services.postgres import Postgres
from tests.services.redis import PASSWORD, RedisServer
from tests.services.swift import Swift


def test_a_database_at_the_newest_version(postgres: Postgres, tmp_path: Path) -> None:
    check = doctor.database(Settings(data=tmp_path, database_url=postgres.fresh()))
    assert check.ok, check


def test_a_database_without_tables(postgres: Postgres, tmp_path: Path) -> None:
    check = doctor.database(Settings(data=tmp_path, database_url=postgres.empty()))
    assert (check.ok, check.remedy) == (False, "Run `rushes migrate`.")


def test_a_database_that_is_away(tmp_path: Path) -> None:
    check = doctor.database(Settings(data=tmp_path, database_url="postgresql://me:geheim@127.0.0.1:1/rushes"))
    assert not check.ok
    assert "RUSHES_DATABASE_URL" in check.remedy
    assert "geheim" not in f"{check.detail} {check.remedy}"


def test_a_store_that_works(s3: Swift, tmp_path: Path) -> None:
    check = fleetcheck.object_store(Settings(data=tmp_path, storage_url=s3.url(s3.shared, "doctor")))
    assert check.ok, check


def test_a_bucket_that_is_missing(s3: Swift, tmp_path: Path) -> None:
    check = fleetcheck.object_store(Settings(data=tmp_path, storage_url=s3.url("no-such-bucket")))
    assert not check.ok
    assert "no-such-bucket" in check.detail or "NoSuchBucket" in check.detail


def test_wrong_keys(s3: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed-badly")
    check = fleetcheck.object_store(Settings(data=tmp_path, storage_url=s3.url(s3.shared)))
    assert not check.ok
    assert "guessed-badly" not in check.detail


def test_a_fleet_needs_a_preview_secret(postgres: Postgres) -> None:
    url = postgres.url("any")
    assert not fleetcheck.preview_secret(Settings(database_url=url)).ok
    assert fleetcheck.preview_secret(Settings(database_url=url, preview_secret="x" * 32)).ok
    assert fleetcheck.preview_secret(Settings()).ok


def test_a_doorbell_that_rings(redis_server: RedisServer) -> None:
    check = fleetcheck.doorbell(Settings(broker_url=redis_server.url("doctor")))
    assert check.ok, check


@pytest.mark.parametrize("password", ["wrong", PASSWORD])
def test_a_doorbell_out_of_order(redis_server: RedisServer, password: str) -> None:
    url = redis_server.url("doctor", password)
    check = fleetcheck.doorbell(
        Settings(broker_url=url if password != PASSWORD else url.replace(str(redis_server.port), "1"))
    )
    assert not check.ok
    assert "RUSHES_BROKER_URL" in check.remedy
    assert password not in check.detail


def test_a_port_taken_by_a_server_of_the_fleet_is_fine(postgres: Postgres, s3: Swift, tmp_path: Path) -> None:
    fleet = Fleet(
        tmp_path, {"RUSHES_DATABASE_URL": postgres.fresh(), "RUSHES_STORAGE_URL": s3.url(s3.bucket()), **s3.environment}
    )
    try:
        port = int(fleet.serve().rpartition(":")[2])
        check = doctor.port_free(Settings(data=tmp_path / "elsewhere"), port)
    finally:
        fleet.stop()
    assert check.ok, check


@pytest.mark.parametrize(
    ("password", "code"), [(PASSWORD, "doorbell_unreachable"), ("not-the-one", "doorbell_refused")]
)
def test_a_doorbell_that_refuses_is_told_from_one_that_is_away(
    redis_server: RedisServer, password: str, code: str
) -> None:
    url = redis_server.url("doctor", password=password)
    away = url.replace(str(redis_server.port), "1") if code == "doorbell_unreachable" else url
    check = fleetcheck.doorbell(Settings(broker_url=away))
    assert (check.ok, check.detail.split(":")[0]) == (False, code)


def test_nonsense_among_the_rings_is_found(redis_server: RedisServer) -> None:
    redis_server.client.hset("nonsense:io.msgs", "1", b"{")
    check = fleetcheck.doorbell(Settings(broker_url=redis_server.url("nonsense")))
    redis_server.client.delete("nonsense:io.msgs")
    assert (check.ok, check.detail.split(":")[0]) == (False, "doorbell_malformed")
    assert fleetcheck.doorbell(Settings(broker_url=redis_server.url("nonsense"))).ok


def test_a_clock_that_is_far_from_the_databases(postgres: Postgres) -> None:
    settings = Settings(database_url=postgres.fresh())
    assert fleetcheck.shared_clock(settings, SystemClock()).ok
    check = fleetcheck.shared_clock(settings, ManualClock(SystemClock().now() - 600))
    assert (check.ok, check.detail.split(":")[0]) == (False, "clock_skew")
