"""What runs where: nobody waits for what is none of their business."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from rushes.catalog.records import Upload
from rushes.engine.early import Pieces
from rushes.ingest import early, early_webm, ietf_routes
from rushes.ingest import finish as finishing
from rushes.ingest.access import Caller
from rushes.ingest.early_film import MOST_LOOKS
from rushes.ingest.fleet import FleetHolds
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.requests import Append, Creation
from rushes.ingest.store import Appender, UploadBusy
from rushes.ingest.uploads import Uploads
from tests.integration.ingest.conftest import wait_for
from tests.integration.ingest.limited import ANN, Limited, bearer

IETF = {"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1", "Content-Type": "video/mp4"}
MATROSKA = bytes.fromhex("1a45dfa38b4282886d6174726f736b6118538067") + b"\x01" + b"\xff" * 7
"""Up to a segment of unknown size."""
MOST_ELEMENTS = 6000
"""That may be parsed for one upload: some 10 ms."""
ANNS = Caller("ann")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Limited]:
    """Not running: its parts."""
    house = Limited(tmp_path / "data")
    yield house
    house.database.close()


class Names:
    """Of the threads that a function was called in."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seen: list[str] = []

    def note(self, *arguments: Any, **options: Any) -> Any:
        self.seen.append(threading.current_thread().name.partition("_")[0])
        return self.function(*arguments, **options)


def noted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> Names:
    names = Names(getattr(place, name))
    if isinstance(place, type):
        monkeypatch.setattr(place, name, lambda *arguments, **options: names.note(*arguments, **options))
    else:
        monkeypatch.setattr(place, name, names.note)
    return names


@contextmanager
def busy(threads: ThreadPoolExecutor, size: int) -> Iterator[None]:
    """None of these threads is free."""
    gate = threading.Event()
    try:
        for _ in range(size):
            threads.submit(gate.wait)
        yield
    finally:
        gate.set()


async def body(data: bytes) -> AsyncIterator[bytes]:
    yield data


def creation(length: int, **more: Any) -> Creation:
    return Creation(length=length, metadata={}, raw_metadata="", body=True, **more)


# -- whole files ------------------------------------------------------------------------------------------------------


def test_a_creation_that_is_sent_again_does_not_read_the_file_again(
    make_house: Callable[..., Limited], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = noted(monkeypatch, ietf_routes, "measure")
    data, url = os.urandom(200_000), make_house().address()["url"]
    wanting = {**IETF, "Want-Repr-Digest": "sha-256=1"}
    first = httpx.post(url, content=data, headers=wanting)
    assert first.headers["repr-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
    for _ in range(3):
        again = httpx.post(url, content=data, headers=wanting)
        assert (again.status_code, again.headers["upload-complete"]) == (first.status_code, "?1")
        assert again.headers["location"] == first.headers["location"]
    assert measured.seen == ["copy"]


async def test_a_file_is_proven_in_threads_of_its_own(house: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    proven = noted(monkeypatch, finishing, "prove")
    data, uploads = os.urandom(1000), Uploads(house.ingest)
    created = await uploads.create(ANNS, creation(1000, digests={"sha256": hashlib.sha256(data).digest()}))
    assert (await uploads.append(ANNS, created.upload.id, Append(0, 1000), body(data))).is_complete
    assert proven.seen == ["copy"]


async def test_uploads_are_joined_in_threads_of_their_own(house: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = noted(monkeypatch, LocalUploadStore, "join")
    uploads = Uploads(house.ingest)
    part = (await uploads.create(ANNS, creation(3, kind="part"))).upload.id
    await uploads.append(ANNS, part, Append(0, 3), body(b"abc"))
    whole = await uploads.create(ANNS, Creation(None, {}, "", body=False, kind="joined", parts=(part, part)))
    assert (whole.is_complete, whole.upload.length, joined.seen) == (True, 6, ["copy"])


async def test_who_only_waits_for_the_parts_does_not_wait_behind_copies(house: Limited) -> None:
    uploads = Uploads(replace(house.ingest, copies=(copies := ThreadPoolExecutor(1))))
    part = (await uploads.create(ANNS, creation(3, kind="part"))).upload.id
    joined = Creation(None, {}, "", body=False, kind="joined", parts=(part,))
    with busy(copies, 1):
        whole = await asyncio.wait_for(uploads.create(ANNS, joined), 4)
    assert (whole.is_complete, whole.upload.length) == (False, 3)


# -- the catalog ------------------------------------------------------------------------------------------------------


async def test_leases_do_not_wait_for_the_threads_of_others(house: Limited) -> None:
    upload = (await Uploads(house.ingest).create(ANNS, creation(3))).upload.id
    asyncio.get_running_loop().set_default_executor(others := ThreadPoolExecutor(1))
    holds = FleetHolds(house.catalog)
    with busy(others, 1):
        async with asyncio.timeout(10):
            async with holds.claim(upload) as hold:
                await hold.confirm()
                await holds._renew(0.0)
            assert await holds.settle(upload)


async def test_uploads_are_looked_up_while_all_stores_are_slow(house: Limited) -> None:
    services = replace(house.ingest, threads=(slow := ThreadPoolExecutor(1)))
    uploads = Uploads(services)
    upload = (await uploads.create(ANNS, creation(3))).upload.id
    asyncio.get_running_loop().set_default_executor(others := ThreadPoolExecutor(1))
    with busy(slow, 1), busy(others, 1):
        assert (await asyncio.wait_for(uploads._load(ANNS, upload), 10)).id == upload


# -- the event loop ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 40, 500, 4096])
@pytest.mark.parametrize("kind", ["webm", "mp4"])
def test_a_file_of_filling_does_not_keep_the_server_busy(
    make_house: Callable[..., Limited], monkeypatch: pytest.MonkeyPatch, kind: str, size: int
) -> None:
    looks = noted(monkeypatch, early, "look")
    elements = noted(monkeypatch, early_webm, "_element")
    void = b"\xec" + (0x4000 | size).to_bytes(2) + bytes(size)
    free = (size + 8).to_bytes(4) + b"free" + bytes(size)
    start, filling = (MATROSKA, void) if kind == "webm" else (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", free)
    data = start + filling * (3 * 2**20 // len(filling))
    running = make_house()
    url = running.post(length=2 * len(data)).headers["location"]
    for at in range(0, len(data), 2**20):
        sent = running.patch(url, at, data[at : at + 2**20], **bearer(ANN))
        assert sent.status_code == 204, sent.text
    assert 0 < len(looks.seen) <= MOST_LOOKS
    assert len(elements.seen) <= MOST_ELEMENTS


def verdict(state: str, pieces: Pieces | None) -> object:
    upload = Upload(id="u", asset="a", tenant="t", length=9, created_at=0.0, expires_at=9.0, state=state)  # type: ignore[arg-type] # a word
    asset = SimpleNamespace(reason=None)
    catalog = SimpleNamespace(upload=lambda _: upload, asset=lambda _: asset, early_pieces=lambda _: pieces)
    return early._verdict(SimpleNamespace(catalog=catalog), upload)  # type: ignore[arg-type] # what it asks of them


def test_an_early_probe_that_is_done_is_not_waited_for() -> None:
    assert verdict("open", None) == ""
    assert verdict("open", Pieces.of(b"a", b"", 9)) is None
    assert verdict("finished", None) is None


# -- what is left -----------------------------------------------------------------------------------------------------


class Slow(LocalUploadStore):
    """Opens an upload when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opening, self.gate, self.opened = threading.Event(), threading.Event(), threading.Event()
        self.appender: Appender | None = None

    def append(self, upload: str, fence: int = 0, *, unproven: bool = False) -> Appender:
        self.opening.set()
        self.gate.wait(20)
        self.appender = super().append(upload, fence, unproven=unproven)
        self.opened.set()
        return self.appender


async def test_an_appender_that_nobody_waits_for_any_more_is_closed(house: Limited, tmp_path: Path) -> None:
    store = Slow(tmp_path / "data" / "uploads")
    uploads = Uploads(replace(house.ingest, uploads=store))
    upload = (await uploads.create(ANNS, creation(3))).upload.id
    request = asyncio.create_task(uploads.append(ANNS, upload, Append(0, 3), body(b"abc")))
    await asyncio.to_thread(store.opening.wait, 20)
    request.cancel()
    await asyncio.wait({request})
    assert request.cancelled()
    store.gate.set()
    assert await asyncio.to_thread(store.opened.wait, 20)

    def is_free() -> bool:
        try:
            house.uploads.append(upload).close()
        except UploadBusy:
            return False
        return True

    await asyncio.to_thread(wait_for, is_free, "the upload")
