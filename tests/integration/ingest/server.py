"""A real server with the upload endpoint, the real catalog and real files. A program of its own, so that it can be killed.

`python server.py DATA_DIR PORT [JSON]`: the JSON may override `settings`, `sync`, `reserve`, `stalled`; `storage` (an
address `s3://...`, instead of files) and `fleet` (leases in the catalog). While a file `out-of-order` lies in the
directory, the store of files refuses everything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.clock import SystemClock
from rushes.ingest.body import BodyProtocol
from rushes.ingest.fleet import FleetHolds
from rushes.ingest.hold import STALLED, Holds
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.open import open_upload_store
from rushes.ingest.recovery import recover
from rushes.ingest.routes import router
from rushes.ingest.services import Services
from rushes.ingest.store import UploadStore
from rushes.settings import Settings
from rushes.storage.local import LocalStore
from rushes.storage.open import open_store
from rushes.storage.store import ObjectInfo, ObjectStore, StoreError


class FailingStore(LocalStore):
    def __init__(self, root: Path, marker: Path) -> None:
        super().__init__(root)
        self._marker = marker

    def adopt(self, key: str, path: Path, *rest: Any) -> ObjectInfo:
        if self._marker.exists():
            raise StoreError("out of order, as the test wants it")
        return super().adopt(key, path, *rest)

    def put_new(self, objects: Sequence[tuple[str, bytes]]) -> list[StoreError | None]:
        if self._marker.exists():
            return [StoreError("out of order, as the test wants it") for _ in objects]
        return super().put_new(objects)


def tenant_of(request: Request) -> str:
    return request.headers.get("x-test-tenant", "default")


def stores(data: Path, options: dict[str, Any]) -> tuple[ObjectStore, UploadStore]:
    """In the data directory, or in the bucket of the option `storage`."""
    if storage := options.get("storage"):
        return open_store(storage), open_upload_store(Settings(data=data, storage_url=storage), alone=False)
    uploads = LocalUploadStore(data / "uploads", sync=options.get("sync", "commit"), reserve=options.get("reserve", 0))
    return FailingStore(data / "objects", data / "out-of-order"), uploads


def create_app(data: Path, options: dict[str, Any]) -> FastAPI:
    settings = Settings(data=data, min_free_bytes=0, **options.get("settings", {}))
    database = open_database(settings.database)
    database.migrate()
    catalog = Catalog(Store(database))
    objects, uploads = stores(data, options)
    services = Services(
        catalog=catalog,
        objects=objects,
        uploads=uploads,
        settings=settings,
        clock=SystemClock(),
        tenant_of=tenant_of,
        holds=FleetHolds(catalog) if options.get("fleet") else Holds(stalled=options.get("stalled", STALLED)),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with suppress(StoreError):
            await recover(services)
        yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router(services))

    @app.get("/v1/assets")
    def listed(request: Request) -> list[dict[str, Any]]:
        found, _ = catalog.assets(tenant=tenant_of(request))
        return [asset.model_dump(mode="json") for asset in found]

    @app.get("/v1/assets/{asset}")
    def show(asset: str) -> dict[str, Any]:
        return services.catalog.asset(asset).model_dump(mode="json")

    return app


if __name__ == "__main__":
    directory, port, given = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3] if sys.argv[3:] else "{}")
    uvicorn.run(
        create_app(directory, given),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=2,
        http=BodyProtocol,
    )
