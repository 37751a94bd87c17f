"""Recovery, where one upload cannot be helped: the others are looked after all the same, and clients are told to wait."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.records import Upload
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import ManualClock, SystemClock
from rushes.ingest.access import Caller
from rushes.ingest.admission import admit
from rushes.ingest.finish import finish_part
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.recovery import recover
from rushes.ingest.requests import Creation
from rushes.ingest.routes import router
from rushes.ingest.services import Services
from rushes.keys import new_id
from rushes.settings import Settings
from rushes.storage.local import LocalStore

TUS = {"Tus-Resumable": "1.0.0"}


class House:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.database = SqliteDatabase(data / "rushes.db")
        self.database.migrate()
        self.clock = ManualClock(SystemClock().now())
        self.catalog = Catalog(Store(self.database, self.clock))
        self.services = Services(
            self.catalog,
            LocalStore(data / "objects"),
            LocalUploadStore(data / "uploads"),
            Settings(data=data, min_free_bytes=0),
            self.clock,
            lambda request: "t",
        )

    def make(self, length: int | None, kind: str = "whole", parts: tuple[str, ...] = ()) -> Upload:
        creation = Creation(length=length, metadata={}, raw_metadata="", body=False, kind=kind, parts=parts)  # type: ignore[arg-type] # one of the literal's
        return admit(self.services, Caller("t"), creation).upload

    def write(self, upload: Upload, data: bytes) -> None:
        appender = self.services.uploads.append(upload.id)
        appender.write([data])
        appender.commit()
        appender.close()

    def joinable(self) -> Upload:
        """A joined upload whose part is complete."""
        part = self.make(3, "part")
        self.write(part, b"abc")
        finish_part(self.services, part)
        return self.make(None, "joined", (part.id,))

    def state(self, upload: Upload) -> str:
        return self.catalog.upload(upload.id).state


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.database.close()


def spoil(patch: pytest.MonkeyPatch, how: str) -> None:
    """From now on the bytes of parts cannot be read, or end too early."""

    def broken(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr(os, "copy_file_range", broken)
    patch.setattr(os, "pread", broken if how == "unreadable" else lambda *_: b"")


@pytest.mark.parametrize("how", ["unreadable", "short"])
async def test_an_upload_that_cannot_be_put_together_keeps_no_other_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    # Given one whose part cannot be read, one that is complete, one that is expired, and bytes that nothing leads to
    expired = house.make(5)
    house.clock.advance(house.services.settings.upload_expiry * 2)
    bad = house.joinable()
    complete = house.make(3)
    house.write(complete, b"abc")
    orphan = house.data / "uploads" / new_id(1.0, 1)
    orphan.write_bytes(b"left behind")
    os.utime(orphan, (1.0, 1.0))
    # When a round comes while that is so / Then it does all the rest
    with monkeypatch.context() as patch:
        spoil(patch, how)
        done = await recover(house.services)
    assert (done.finished, done.expired, done.orphans) == ((complete.id,), (expired.id,), (orphan.name,))
    assert house.state(bad) == "open"
    # And a later round, when it can be read again, does that too
    assert (await recover(house.services)).finished == (bad.id,)


async def test_what_cannot_be_removed_keeps_no_other_bytes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    orphans = [house.data / "uploads" / new_id(1.0, number) for number in (1, 2)]
    for orphan in orphans:
        orphan.write_bytes(b"left behind")
        os.utime(orphan, (1.0, 1.0))
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == orphans[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert (await recover(house.services)).orphans == (orphans[1].name,)


@pytest.mark.parametrize("how", ["unreadable", "short"])
def test_a_joined_upload_that_cannot_be_put_together_is_open_for_its_client(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bad = house.joinable()
    app = FastAPI()
    app.include_router(router(house.services))
    with TestClient(app) as client:
        with monkeypatch.context() as patch:
            spoil(patch, how)
            answer = client.head(f"/files/{bad.id}", headers=TUS)
        # It is not called complete, and nothing of it is lost
        assert answer.status_code == 200
        assert "upload-offset" not in answer.headers
        assert house.state(bad) == "open"
        assert client.head(f"/files/{bad.id}", headers=TUS).headers["upload-offset"] == "3"
