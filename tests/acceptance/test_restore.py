"""A database that is restored from yesterday, beside a store of today: `rushes audit` makes the two agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.keys import pointer_key
from rushes.storage.open import open_store
from tests.acceptance.corpus import all_settled, record, upload
from tests.services.fleet import Fleet
from tests.services.postgres import Postgres
from tests.services.redis import RedisServer
from tests.services.swift import Swift


@pytest.fixture
def fleet(tmp_path: Path, postgres: Postgres, redis_server: RedisServer, s3: Swift) -> Iterator[Fleet]:
    built = Fleet(tmp_path, {
        "RUSHES_DATABASE_URL": postgres.fresh(), "RUSHES_BROKER_URL": redis_server.url("restore"),
        "RUSHES_STORAGE_URL": s3.url(s3.bucket()), **s3.environment,
    })  # fmt: skip
    try:
        yield built
    finally:
        built.stop()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    picture = "testsrc2=size=320x180:rate=25:duration=2"
    subprocess.run([str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, str(path)], check=True)
    return path


def audit(fleet: Fleet, *options: str) -> tuple[int, dict[str, str]]:
    """Exit code, and what was found by asset."""
    command = [sys.executable, "-m", "rushes.cli", "audit", "--json", *options]
    done = subprocess.run(command, env=fleet.environment, capture_output=True, check=False)
    return done.returncode, {found["asset"]: found["code"] for found in json.loads(done.stdout)}


def public(fleet: Fleet, url: str, clip: Path) -> str:
    asset = upload(url, clip)
    (found,) = all_settled(url, [asset])
    assert found["publication"] == "published"
    return asset


@pytest.mark.timeout(240)
def test_yesterdays_database_and_todays_store(fleet: Fleet, postgres: Postgres, clip: Path, tmp_path: Path) -> None:
    # Given a database backed up when two videos were public, and a store in which one was deleted since and one is new
    url = fleet.serve()
    fleet.worker()
    gone, stays = public(fleet, url, clip), public(fleet, url, clip)
    backup = postgres.dump(fleet.environment["RUSHES_DATABASE_URL"], tmp_path / "backup")
    httpx.delete(f"{url}/v1/assets/{gone}").raise_for_status()
    all_settled(url, [gone])
    new = public(fleet, url, clip)
    fleet.stop()
    store = open_store(fleet.environment["RUSHES_STORAGE_URL"])
    store.delete(pointer_key(stays, "master.m3u8"))  # and somebody's hand in the bucket
    # When the backup is restored
    fleet.environment["RUSHES_DATABASE_URL"] = postgres.restore(backup)
    wrong = {gone: "deleted_since", stays: "pointer_missing", new: "unknown_asset"}
    assert audit(fleet) == (1, wrong)
    assert audit(fleet, "--repair") == (1, wrong)
    url = fleet.serve(wait=False)
    fleet.worker()
    fleet.until(lambda: _is_public(url, stays), "the pointer of the video that stays")
    all_settled(url, [gone, stays])
    # Then the two agree, but for the video that no catalog knows
    assert record(url, gone)["state"] == "deleted"
    assert audit(fleet) == (1, {new: "unknown_asset"})


def _is_public(url: str, asset: str) -> bool:
    try:
        return httpx.get(f"{url}/media/{asset}/master.m3u8").status_code == 200
    except httpx.HTTPError:
        return False
