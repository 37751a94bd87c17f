"""A real server with the upload endpoint, the real catalog and real files. A program of its own, so that it can be killed.

`python server.py DATA_DIR PORT [JSON]`: the JSON may override settings, `sync` and `fail_until` (a file: while it
exists, the object store refuses everything).
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database
from rushes.clock import SystemClock
from rushes.ingest.hold import Holds
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.recovery import recover
from rushes.ingest.routes import router
from rushes.ingest.services import Services
from rushes.settings import Settings
from rushes.storage.local import LocalStore
from rushes.storage.store import ObjectInfo, StoreError


class FailingStore(LocalStore):
    def __init__(self, root: Path, marker: Path) -> None:
        super().__init__(root)
        self._marker = marker

    def adopt(self, key: str, path: Path, *rest: Any) -> ObjectInfo:
        if self._marker.exists():
            raise StoreError("out of order, as the test wants it")
        return super().adopt(key, path, *rest)


def tenant_of(request: Request) -> str:
    return request.headers.get("x-test-tenant", "default")


def create_app(data: Path, options: dict[str, Any]) -> FastAPI:
    settings = Settings(data=data, min_free_bytes=0, **options.get("settings", {}))
    database = Database(data / "rushes.db")
    database.migrate()
    services = Services(
        catalog=Catalog(Store(database, SystemClock())),
        objects=FailingStore(data / "objects", data / "out-of-order"),
        uploads=LocalUploadStore(
            data / "uploads", sync=options.get("sync", "commit"), reserve=options.get("reserve", 0)
        ),
        settings=settings,
        clock=SystemClock(),
        tenant_of=tenant_of,
        holds=Holds(stalled=options.get("stalled", 1.0)),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await recover(services)
        yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router(services))

    @app.get("/v1/assets/{asset}")
    def show(asset: str) -> dict[str, Any]:
        return services.catalog.asset(asset).model_dump(mode="json")

    return app


if __name__ == "__main__":
    directory, port, given = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3] if sys.argv[3:] else "{}")
    uvicorn.run(
        create_app(directory, given), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2
    )
