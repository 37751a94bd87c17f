"""`/v1/fleet`: pools, their backlog in seconds, workers and what they do."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from rushes.api.auth import Tenant
from rushes.api.problems import RESPONSES
from rushes.api.services import WithServices
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import PoolView
from rushes.catalog.records import WorkerView as Worker
from rushes.clock import rfc3339

router = APIRouter(prefix="/v1", tags=["operators"], responses=RESPONSES)


class WorkerView(BaseModel):
    id: str
    pools: tuple[str, ...]
    slots: int
    sandbox: str
    """How it shuts in the tools that open uploads: `bwrap`, `landlock`, `rlimits`, `off`."""
    started_at: str
    seen_at: str
    steps: tuple[str, ...]


class FleetView(BaseModel):
    pools: tuple[PoolView, ...]
    workers: tuple[WorkerView, ...]


@router.get("/fleet", summary="Pools, workers, steps")
async def fleet(services: WithServices, tenant: Tenant) -> FleetView:
    """The whole fleet, but of the steps that run only the tenant's own are named."""

    def read() -> FleetView:
        found = services.catalog.fleet()
        workers = tuple(_worker(services.catalog, tenant, worker) for worker in found.workers)
        return FleetView(pools=found.pools, workers=workers)

    return await asyncio.to_thread(read)


def _worker(catalog: Catalog, tenant: str, worker: Worker) -> WorkerView:
    changed = {
        "started_at": rfc3339(worker.started_at),
        "seen_at": rfc3339(worker.seen_at),
        "steps": tuple(step if _is_own(catalog, tenant, step) else "another tenant's" for step in worker.steps),
    }
    return WorkerView.model_validate(worker.model_dump() | changed)


def _is_own(catalog: Catalog, tenant: str, step: str) -> bool:
    """`step` is `{asset}/{key}`."""
    return catalog.asset(step.partition("/")[0]).tenant == tenant
