"""A real catalog and a real store behind the application, and assets in every state."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from rushes.api.app import create_app
from rushes.api.services import Services
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.records import Upload
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import ManualClock
from rushes.engine.outcome import Outcome
from rushes.facts import SourceRef
from rushes.keys import new_id, pointer_key
from rushes.media_keys import DerivedKeys
from rushes.model import Asset
from rushes.settings import Settings
from rushes.states import AssetState, Publication
from rushes.storage.local import LocalStore
from rushes.storage.store import IMMUTABLE, POINTER, Headers, ObjectStore
from rushes.storage.types import content_type
from rushes.tracks import Segment, Track

ANN, BOB = "0123456789abcdef-ann", "0123456789abcdef-bob"
KEYS_SECRET = b"what the keys of the tests are made of"


class House:
    """The application with what is behind it."""

    def __init__(self, root: Path, store: ObjectStore | None = None, **settings: Any) -> None:
        self.clock = ManualClock()
        self.settings = Settings(data=root, **settings)
        self.database = SqliteDatabase(root / "rushes.db")
        self.database.migrate()
        self.rows = Store(self.database, self.clock, deliver=True)
        self.catalog = Catalog(self.rows)
        self.store = store or LocalStore(root / "objects")
        self.services = Services(self.settings, self.catalog, self.store, self.clock, keys=DerivedKeys(KEYS_SECRET))
        self.app: FastAPI = create_app(self.services)

    def client(self, key: str | None = None, **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 4000))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers, **options)

    def uploading(self, tenant: str = "default", title: str = "A clip") -> Asset:
        now = self.clock.now()
        self.clock.advance(1)
        asset = Asset(id=new_id(now), tenant=tenant, title=title, created_at=now)
        upload = Upload(id=asset.id, asset=asset.id, tenant=tenant, length=10, created_at=now, expires_at=now + 60)
        return self.catalog.create_upload(upload, asset)

    def ingested(self, tenant: str = "default") -> Asset:
        asset = self.uploading(tenant)
        return self.catalog.finish_upload(asset.id, SourceRef(key=f"sources/{asset.id}", size=10, filename="a.mp4"))

    def put(self, key: str, data: bytes, cache_control: str = IMMUTABLE) -> None:
        self.store.put_bytes(key, data, Headers(content_type(key), cache_control))

    def change(self, asset: Asset, event: str = "asset.updated", **fields: Any) -> Asset:
        """What a finished step would do to an asset."""
        changed = self.catalog.asset(asset.id).model_copy(update=fields)
        with self.rows.change() as change:
            return change.save(Outcome(changed, (event,)))

    def built(self, publication: Publication, tenant: str = "default") -> Asset:
        """An asset with one build of one track; the pointers are there if it is published."""
        asset = self.ingested(tenant)
        prefix = f"media/{asset.id}/t/recipe/1/720p/"
        self.put(f"{prefix}init.mp4", b"init")
        self.put(f"{prefix}00001.m4s", bytes(range(256)) * 4096)
        self.put(f"media/{asset.id}/b/1/master.m3u8", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n720p.m3u8\n")
        self.put(
            f"media/{asset.id}/b/1/720p.m3u8", b"#EXTM3U\n" + b"#EXTINF:4,\n../../t/recipe/1/720p/00001.m4s\n" * 50
        )
        self.put(f"artifacts/{asset.id}/poster/1/poster.jpg", b"\xff\xd8 picture")
        if publication.is_public:
            self.put(pointer_key(asset.id, "master.m3u8"), b"#EXTM3U\n" + b"b/1/720p.m3u8\n" * 40, POINTER)
            self.put(pointer_key(asset.id, "manifest.mpd"), b"<MPD>" + b" " * 500 + b"</MPD>", POINTER)
        track = Track(
            name="720p", kind="video", prefix=prefix, codecs="avc1.64001f", timescale=30, width=1280, height=720,
            fps=Fraction(30), segments=(Segment(name="00001.m4s", ticks=120, size=2**20),),
        )  # fmt: skip
        return self.change(
            asset, "asset.ready", state=AssetState.READY, publication=publication, build=1, tracks=(track,),
            published_build=int(publication.is_public), ready_at=self.clock.now(),
        )  # fmt: skip


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(**settings: Any) -> House:
        houses.append(House(tmp_path / f"data{len(houses)}", **settings))
        return houses[-1]

    yield make
    for house in houses:
        house.database.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
def locked_house(make_house: Callable[..., House]) -> House:
    """Two tenants, ann and bob, with keys."""
    return make_house(auth="keys", api_keys=f"ann:{ANN},bob:{BOB}")


class Server(uvicorn.Server):
    """uvicorn in a thread of the test."""

    @property
    def port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        up = threading.Event()
        startup = self.startup

        async def started(*arguments: Any, **options: Any) -> None:
            await startup(*arguments, **options)
            up.set()

        self.startup = started  # type: ignore[method-assign]
        thread = threading.Thread(target=lambda: asyncio.run(self.serve()))
        thread.start()
        try:
            assert up.wait(30)
            yield f"http://127.0.0.1:{self.port}"
        finally:
            self.should_exit = True
            thread.join(30)


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serves an application on a real socket until the test is over."""
    with contextlib.ExitStack() as stack:

        def start(app: FastAPI) -> str:
            config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1, lifespan="off")
            return stack.enter_context(Server(config).running())

        yield start
