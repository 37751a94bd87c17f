"""Our own web side in a thread of the test, with the local store behind it and assets that are made up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn

from rushes.api.app import create_app
from rushes.api.services import Services
from rushes.api.signed import sign
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import SystemClock
from rushes.keys import build_prefix, new_id, pointer_key
from rushes.packaging.pointer import point
from rushes.packaging.takedown import takedown
from rushes.settings import Settings
from rushes.storage.local import LocalStore
from rushes.storage.names import implied_headers

SEGMENTS, RUNGS = 5, ("240p", "360p", "480p")
SIZE = 20_000


class Origin:
    """`url` serves as soon as it is made. `asked` counts requests by method and path, `headers` are those of
    the last one for a path."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.clock = SystemClock()
        self.settings = Settings(data=root, **settings)
        database = SqliteDatabase(root / "rushes.db")
        database.migrate()
        self.catalog = Catalog(Store(database, self.clock))
        self.store = LocalStore(root / "objects")
        self.app = create_app(Services(self.settings, self.catalog, self.store, self.clock))
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, dict[str, str]] = {}
        config = uvicorn.Config(
            self._counted, port=0, log_config=None, timeout_graceful_shutdown=1, lifespan="off", interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        waiting = threading.Event()
        while not self._server.started:
            assert self._thread.is_alive(), "the origin did not start"
            waiting.wait(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def _counted(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.asked[f"{scope['method']} {scope['path']}"] += 1
            self.headers[scope["path"]] = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    # -- assets -------------------------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> str:
        """With the headers that its name implies. Gives the path."""
        self.store.put_bytes(key, data, implied_headers(key))
        return f"/{key}"

    def publish(self, asset: str = "", build: int = 1, *, signed: bool = False) -> str:
        """A build of an asset, with segments of its own, and the pointer. Gives the asset."""
        asset = asset or new_id(self.clock.now())
        master = ["#EXTM3U", f"# rushes build={build}{' playback=signed' if signed else ''}"]
        for number, rung in enumerate(RUNGS, 1):
            self._rendition(asset, build, rung)
            master += [f"#EXT-X-STREAM-INF:BANDWIDTH={number}00000", f"{rung}.m3u8"]
        self.put(f"{build_prefix(asset, build)}master.m3u8", "\n".join(master).encode() + b"\n")
        self.put(f"{build_prefix(asset, build)}manifest.mpd", f"<!-- rushes build={build} --><MPD/>".encode())
        point(self.store, asset, build)
        self.forget(asset)
        return asset

    def _rendition(self, asset: str, build: int, rung: str) -> None:
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", f'#EXT-X-MAP:URI="../../t/r/{build}/{rung}/init.mp4"']
        self.put(f"media/{asset}/t/r/{build}/{rung}/init.mp4", b"init")
        for number in range(1, SEGMENTS + 1):
            self.put(f"media/{asset}/t/r/{build}/{rung}/{number:05d}.m4s", bytes([number]) * SIZE)
            lines += ["#EXTINF:4.0,", f"../../t/r/{build}/{rung}/{number:05d}.m4s"]
        self.put(f"{build_prefix(asset, build)}{rung}.m3u8", ("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n").encode())

    def take_down(self, asset: str) -> list[str]:
        """As the API and the cleanup step do. Gives the paths to purge."""
        paths = takedown(self.store, asset)
        self.forget(asset)
        return paths

    def forget(self, asset: str) -> None:
        self.app.state.published.forget(asset)

    def token(self, asset: str, seconds: int = 600) -> str:
        return sign(self.app.state.origin_secrets.playback[0], asset, int(self.clock.now()) + seconds)

    @staticmethod
    def pointer(asset: str) -> str:
        return f"/{pointer_key(asset, 'master.m3u8')}"

    @staticmethod
    def segment(asset: str, build: int = 1, number: int = 1) -> str:
        return f"/media/{asset}/t/r/{build}/{RUNGS[0]}/{number:05d}.m4s"
