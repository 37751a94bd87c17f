"""`/healthz`: the process lives. `/readyz`: it can do its work. `/metrics`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from rushes.api.auth import operator_only
from rushes.api.metrics import HttpMetrics
from rushes.api.services import Services, WithServices
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.open import is_shared
from rushes.storage.store import StoreError

router = APIRouter(tags=["operators"])
logger = logging.getLogger("rushes.api")

PATIENCE = 3.0
"""Seconds a check may take; an orchestrator's own time-out is usually longer."""


class Check(BaseModel):
    ok: bool
    detail: str


class Readiness(BaseModel):
    status: str
    checks: dict[str, Check]


@router.get("/healthz", summary="The process lives")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, summary="It can work")
async def readyz(services: WithServices) -> Response:
    """Database, store and, in an embedded stack, its worker. 503 names what is missing."""
    checks = {"database": _database, "store": _store, "workers": _workers}
    results = await asyncio.gather(*(_tried(check, services) for check in checks.values()))
    ready = all(result.ok for result in results)
    body = Readiness(status="ready" if ready else "not ready", checks=dict(zip(checks, results, strict=True)))
    return JSONResponse(body.model_dump(), 200 if ready else 503, {"Cache-Control": "no-store"})


@router.get("/metrics", response_class=Response, summary="Prometheus")
async def metrics(request: Request, allowed: Annotated[None, Depends(operator_only)]) -> Response:
    """On loopback, or with an API key."""
    source: HttpMetrics = request.app.state.metrics
    return Response(await asyncio.to_thread(source.text), media_type=CONTENT_TYPE_LATEST)


async def _tried(check: Callable[[Services], Check], services: Services) -> Check:
    try:
        return await asyncio.wait_for(asyncio.to_thread(check, services), PATIENCE)
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {PATIENCE:.0f} s")
    except (DatabaseUnavailable, StoreError) as error:  # asked for every few seconds: no stack trace each time
        logger.warning("not ready: %s", error)
        return Check(ok=False, detail="failed; the log says why")
    except Exception:
        logger.exception("readiness check failed")
        return Check(ok=False, detail="failed; the log says why")


def _database(services: Services) -> Check:
    services.catalog.last_event()
    return Check(ok=True, detail="answers")


def _store(services: Services) -> Check:
    key = f"health/{secrets.token_hex(8)}"
    services.store.put_bytes(key, b"ready\n")
    services.store.delete(key)
    return Check(ok=True, detail="can be written to")


def _workers(services: Services) -> Check:
    """A fleet's servers take uploads while its workers are away: the work waits, and nothing that comes in is lost."""
    alive = len(services.catalog.workers())
    return Check(ok=alive > 0 or is_shared(services.settings.database), detail=f"{alive} alive")
