"""`POST /v1/assets`: an asset from a file at an https address."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from rushes.api.auth import Tenant
from rushes.api.describing import Described
from rushes.api.models import AssetView
from rushes.api.problems import RESPONSES
from rushes.api.records import load, render
from rushes.api.services import WithServices
from rushes.model import Asset


class Arrival(Protocol):
    @property
    def asset(self) -> Asset: ...

    @property
    def is_new(self) -> bool: ...


class Begin(Protocol):
    def __call__(self, tenant: str, request: dict[str, Any], retry_key: str | None) -> Arrival:
        """Blocks. Raises RushesError."""
        ...


class PullRequest(Described):
    """What to fetch."""

    url: str = Field(max_length=8192, description="https address of the file; its queries are kept, and never shown")
    policy: str = Field(default="", max_length=64, description="Empty: the server's own")


RetryKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=255, description="The same request again gives the same asset"),
]


def router(begin: Begin) -> APIRouter:
    routes = APIRouter(prefix="/v1/assets", tags=["assets"], responses=RESPONSES)

    @routes.post("", status_code=201, response_model=AssetView, summary="Fetch a file from an https address")
    async def create(
        request: Request, services: WithServices, tenant: Tenant, wanted: PullRequest, retry_key: RetryKey = None
    ) -> Response:
        """The asset is there at once, `uploading`; a worker fetches its source, and goes on where it was cut. How far it
        is stands in `steps` under `pull`. 201, or 200 for a request that was made before (`Idempotency-Key`)."""

        def act() -> tuple[AssetView, bool]:
            arrival = begin(tenant, wanted.cleaned(), retry_key)
            return render(request, load(services.catalog, arrival.asset.id)), arrival.is_new

        view, is_new = await asyncio.to_thread(act)
        headers = {"Location": f"/v1/assets/{view.id}", "Cache-Control": "no-store"}
        body = view.model_dump_json().encode()
        return Response(body, 201 if is_new else 200, headers, "application/json")

    return routes
