"""`/v1/fleet`: pools, their backlog in seconds, workers and what they do; and what operators do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from rushes.api.auth import AnyCaller, Caller, Operator, operator_only
from rushes.api.problems import RESPONSES
from rushes.api.services import Services, WithServices
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Backlog, PoolState, PoolView
from rushes.catalog.records import WorkerView as Worker
from rushes.clock import rfc3339
from rushes.engine.scaling import scale_cpu_seconds
from rushes.errors import NotFound
from rushes.states import Pool

router = APIRouter(prefix="/v1/fleet", tags=["operators"], responses=RESPONSES)

WorkerId = Annotated[str, Path(description="As `GET /v1/fleet` names it", max_length=200)]
PoolName = Annotated[str, Path(description=", ".join(Pool), max_length=64)]


class WorkerView(BaseModel):
    id: str
    pools: tuple[str, ...]
    slots: int
    sandbox: str
    """How it shuts in the tools that open uploads: `bwrap`, `landlock`, `rlimits`, `off`."""
    started_at: str
    seen_at: str
    steps: tuple[str, ...]
    host: str
    release: str
    graph: int
    cores: float
    memory: int
    gpu: str
    state: str = Field(description="working, draining, cordoned")
    reason: str = Field(description="Of that state")
    wanted: str = Field(
        description="What an operator asked of it and it has not heard yet, or obeys: drain, cordon, work"
    )
    speed: float = Field(description="Estimated by measured CPU seconds; 0: unknown")
    scratch_free: int = Field(description="Bytes")
    skew: float = Field(description="Its clock minus the database's, seconds")


class FleetView(BaseModel):
    pools: tuple[PoolView, ...]
    workers: tuple[WorkerView, ...]


class PoolBacklog(BaseModel):
    ready: int
    running: int
    waiting: int
    ready_cpu_seconds: float
    running_cpu_seconds: float = Field(description="Of what is left of the steps that run")
    planned_cpu_seconds: float = Field(description="Of steps that wait for others")
    scale_cpu_seconds: float = Field(description="What to scale by: ready and running; a paused pool begins nothing")
    workers: int
    cores: float
    backlog_seconds: float = Field(
        description="Until these cores have done what is ready and running; with none, of one"
    )
    oldest_ready_seconds: float
    paused: bool


class BacklogView(BaseModel):
    sampled_at: str
    pools: dict[str, PoolBacklog]


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=500, description="For the next operator, and for who asks why it waits")


class PoolStateView(BaseModel):
    pool: str
    paused: bool
    reason: str
    changed_at: str


@router.get("", summary="Pools, workers, steps")
async def fleet(services: WithServices, caller: AnyCaller) -> FleetView:
    """The whole fleet, but of the steps that run only the tenant's own are named, to an operator all."""

    def read() -> FleetView:
        found = services.catalog.fleet()
        workers = tuple(_worker(services.catalog, caller, worker) for worker in found.workers)
        return FleetView(pools=found.pools, workers=workers)

    return await asyncio.to_thread(read)


@router.get("/backlog", summary="Work by pool, for whatever scales the fleet")
async def backlog(services: WithServices, allowed: Annotated[None, Depends(operator_only)]) -> BacklogView:
    """On loopback, or with any key. As it was sampled within the last seconds."""
    found = await asyncio.to_thread(services.catalog.backlog)
    at = min((pool.sampled_at for pool in found), default=0.0)
    return BacklogView(sampled_at=rfc3339(at), pools={pool.pool: _backlog(pool) for pool in found})


@router.post("/workers/{worker}/drain", summary="Have it take nothing more, and give back what it has")
async def drain(services: WithServices, caller: Operator, worker: WorkerId) -> WorkerView:
    """What runs may end within RUSHES_DRAIN_SECONDS; the rest is given back unharmed. It stays, idle: one that ended would be
    started again. It hears of it within seconds, and says `draining` then. Again is harmless."""
    return await _asked(services, caller, worker, "drain")


@router.post("/workers/{worker}/cordon", summary="Have it take nothing more")
async def cordon(services: WithServices, caller: Operator, worker: WorkerId) -> WorkerView:
    """What it runs goes on, and it stays. Again is harmless."""
    return await _asked(services, caller, worker, "cordon")


@router.post("/workers/{worker}/uncordon", summary="Let it take work again")
async def uncordon(services: WithServices, caller: Operator, worker: WorkerId) -> WorkerView:
    """Whoever took it out, an operator or itself, for its clock or its speed. What it finds of itself counts again after a
    quarter of an hour."""
    return await _asked(services, caller, worker, "work")


@router.post("/pools/{pool}/pause", summary="Begin no step of a pool")
async def pause(services: WithServices, caller: Operator, pool: PoolName, why: Why | None = None) -> PoolStateView:
    """On no worker. What runs goes on; what comes in waits, and says so. Again changes the reason."""
    reason = why.reason if why else ""
    return await _set(lambda: services.catalog.pause(_pool(pool), reason))


@router.post("/pools/{pool}/resume", summary="Begin its steps again")
async def resume(services: WithServices, caller: Operator, pool: PoolName) -> PoolStateView:
    """Again is harmless."""
    return await _set(lambda: services.catalog.resume(_pool(pool)))


async def _set(act: Callable[[], PoolState]) -> PoolStateView:
    state = await asyncio.to_thread(act)
    return PoolStateView.model_validate(state.model_dump() | {"changed_at": rfc3339(state.changed_at)})


def _pool(name: str) -> Pool:
    if name not in set(Pool):
        raise NotFound("pool_not_found", f"There is no such pool; there are {', '.join(Pool)}.")
    return Pool(name)


async def _asked(services: Services, caller: Caller, worker: str, wanted: str) -> WorkerView:
    def do() -> WorkerView:
        return _worker(services.catalog, caller, services.catalog.ask(worker, wanted))

    return await asyncio.to_thread(do)


def _backlog(found: Backlog) -> PoolBacklog:
    wanted = scale_cpu_seconds(
        found.ready_cpu_seconds, found.running_cpu_seconds,
        ready=found.ready, running=found.running, paused=found.paused,
    )  # fmt: skip
    return PoolBacklog.model_validate(found.model_dump() | {"scale_cpu_seconds": round(wanted, 2)})


def _worker(catalog: Catalog, caller: Caller, worker: Worker) -> WorkerView:
    changed = {
        "started_at": rfc3339(worker.started_at),
        "seen_at": rfc3339(worker.seen_at),
        "steps": tuple(step if _may_see(catalog, caller, step) else "another tenant's" for step in worker.steps),
    }
    return WorkerView.model_validate(worker.model_dump() | changed)


def _may_see(catalog: Catalog, caller: Caller, step: str) -> bool:
    """`step` is `{asset}/{key}`."""
    return caller.is_operator or catalog.asset(step.partition("/")[0]).tenant == caller.tenant
