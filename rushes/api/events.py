"""Progress as server-sent events (WHATWG HTML section 9.2), and the replayable feed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from rushes.api.assets import AssetId
from rushes.api.auth import Tenant
from rushes.api.models import AssetView, EventView, Page
from rushes.api.problems import RESPONSES
from rushes.api.records import Record, complete, owned, render
from rushes.api.services import WithServices
from rushes.api.views import step_json
from rushes.api.watcher import Watcher
from rushes.catalog.records import Event
from rushes.clock import rfc3339

router = APIRouter(prefix="/v1", tags=["events"], responses=RESPONSES)

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent: proxies close what seems dead."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Render = Callable[[Record], AssetView]


def message(event: str, data: str, identity: str | None = None) -> str:
    """One event as text. `data` is JSON without line breaks."""
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {event}\ndata: {data}\n\n"


@router.get(
    "/assets/{asset}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 204: {"description": "Seen to its end already"}},
    summary="Progress of one asset",
)
async def progress(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """`asset`: the asset JSON, whenever it or the state of a step changed. `progress`: its steps. `end`: all is over.

    A client that comes back with `Last-Event-ID` is not told twice; after the end it gets 204, which tells an
    EventSource to stop.
    """

    def read() -> Record:
        return complete(services.catalog, owned(services.catalog, tenant, asset))

    known, record = request.headers.get("last-event-id"), await asyncio.to_thread(read)
    if record.is_over and known == record.version:
        return Response(status_code=204, headers=_HEADERS)
    watcher: Watcher = request.app.state.watcher
    stream = messages(watcher, asset, known, lambda record: render(request, record))
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def messages(
    watcher: Watcher, asset: str, known: str | None, view: Render, keep_alive: float = KEEP_ALIVE
) -> AsyncIterator[str]:
    """The stream of one asset from the version that the client knows to its end."""
    yield "retry: 1000\n\n"
    async with aclosing(watcher.watch(asset, keep_alive)) as records:
        async for record in records:
            if record is None:
                yield ": keep-alive\n\n"
            elif record.version != known:
                known = record.version
                yield message("asset", view(record).model_dump_json(), known)
            else:
                yield message("progress", _steps(record))
            if record and record.is_over:
                yield message("end", json.dumps({"state": record.asset.state}))
                return


def _steps(record: Record) -> str:
    steps = [step_json(step).model_dump(mode="json") for step in record.steps]
    return json.dumps({"asset": record.asset.id, "steps": steps})


@router.get("/events", summary="All that happened, in order")
async def feed(
    services: WithServices,
    tenant: Tenant,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`seq` of the last event known")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    asset: Annotated[str | None, Query(max_length=64)] = None,
) -> Page[EventView]:
    """Oldest first. Where `next` is null there is no more for now: ask again later, after the last `seq`."""

    def read() -> list[Event]:
        return services.catalog.events(after=after, asset=asset, tenant=tenant, limit=limit + 1)

    found = await asyncio.to_thread(read)
    items = tuple(event_view(event) for event in found[:limit])
    return Page[EventView](items=items, next=str(items[-1].seq) if len(found) > limit else None)


def event_view(event: Event) -> EventView:
    return EventView(
        seq=event.seq, id=event.id, type=event.type, asset=event.asset, at=rfc3339(event.at), data=event.data
    )
