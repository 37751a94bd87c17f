"""A real server in a thread, with the API and the uploads of one catalog, whose parts a test may look at and replace."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from rushes.api.app import create_app
from rushes.api.auth import tenant_of
from rushes.api.services import Services
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.chaos.member import free_port
from rushes.clock import SystemClock
from rushes.ingest import routes
from rushes.ingest import services as ingest
from rushes.ingest.body import BodyProtocol
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.revoking import end_upload
from rushes.ingest.uploads import Uploads
from rushes.settings import Settings
from rushes.storage.local import LocalStore

ANN, BOB = "0123456789abcdef-ann", "0123456789abcdef-bob"
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


class Limited:
    """Tenants ann and bob, by keys."""

    def __init__(self, data: Path, **settings: Any) -> None:
        values = {
            "auth": "keys",
            "api_keys": f"ann:{ANN},bob:{BOB}",
            "min_free_bytes": 0,
            "refuse_early": False,
            **settings,
        }
        self.settings = Settings(data=data, **values)
        self.clock = SystemClock()
        self.database = open_database(self.settings.database)
        self.database.migrate()
        self.catalog = Catalog(Store(self.database))
        self.objects = LocalStore(data / "objects")
        self.uploads = LocalUploadStore(data / "uploads")
        self.ingest = ingest.Services(
            catalog=self.catalog, objects=self.objects, uploads=self.uploads, settings=self.settings, clock=self.clock,
            tenant_of=tenant_of,
        )  # fmt: skip
        end = partial(end_upload, Uploads(self.ingest))
        api = Services(self.settings, self.catalog, self.objects, self.clock, end)
        self.app = create_app(api, (routes.router(self.ingest),))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Limited]:
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_config=None, access_log=False, http=BodyProtocol,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server, up = uvicorn.Server(config), threading.Event()
        startup = server.startup

        async def started(*arguments: Any, **options: Any) -> None:
            await startup(*arguments, **options)
            up.set()

        server.startup = started  # type: ignore[method-assign] # uvicorn has no other way to tell
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert up.wait(60), "the server did not start"
            yield self
        finally:
            server.should_exit = True
            thread.join(20)
            self.database.close()

    # -- what clients do ----------------------------------------------------------------------------------------------

    def address(self, key: str = ANN, **wanted: Any) -> dict[str, Any]:
        """A one-time upload address, as the tenant's backend gets it."""
        answer = httpx.post(f"{self.url}/v1/uploads", json=wanted, headers=bearer(key))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def told(self, identity: str, key: str = ANN) -> dict[str, Any]:
        """What the backend is told of an address."""
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/uploads/{identity}", headers=bearer(key)).json()
        return found

    def post(
        self, url: str = "", length: int | None = 9, *, key: str = "", body: bytes | None = None, **headers: str
    ) -> httpx.Response:
        """A creation. Without a URL by the API key."""
        said = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        kind = PATCH if body else TUS
        credentials = {} if url and not key else bearer(key or ANN)
        return httpx.post(
            url or f"{self.url}/files",
            content=body,
            headers={**kind, **said, **credentials, **renamed(headers)},
            timeout=30,
        )

    def patch(self, url: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        given = {**PATCH, "Upload-Offset": str(offset), **renamed(headers)}
        return httpx.patch(url, content=data, headers=given, timeout=30)

    def head(self, url: str, **headers: str) -> httpx.Response:
        return httpx.head(url, headers={**TUS, **renamed(headers)})

    def delete(self, url: str, **headers: str) -> httpx.Response:
        return httpx.delete(url, headers={**TUS, **renamed(headers)})

    def half_a_patch(self, url: str, data: bytes, announced: int) -> socket.socket:
        """The head of a PATCH from 0 and a piece of it; the connection stays open."""
        path = url.removeprefix(self.url)
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nContent-Length: {announced}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(head.encode() + data)
        return connection


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def renamed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def metadata(**pairs: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]
