"""`/v1/quarantine`: steps that were set aside because they kill workers. For operators."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from rushes.api.auth import Operator
from rushes.api.models import Page
from rushes.api.problems import RESPONSES
from rushes.api.services import WithServices
from rushes.catalog.records import Quarantined
from rushes.clock import rfc3339
from rushes.states import AssetState, Publication

router = APIRouter(prefix="/v1/quarantine", tags=["operators"], responses=RESPONSES)

Step = Annotated[str, Path(description="Its id, or `ASSET/KEY`", max_length=200)]


class QuarantineView(BaseModel):
    step: str
    asset: str
    key: str
    kind: str
    tenant: str
    at: str
    reason_code: str = Field(description="How its last attempt ended")
    released_at: str | None
    replay: str = Field(description="The command that does it again elsewhere")


class QuarantineRecord(QuarantineView):
    bundle: dict[str, Any] = Field(
        description="What is needed to do it again elsewhere; no secrets, and no bytes of the source"
    )


class Released(BaseModel):
    """The asset of a step that was let go."""

    id: str
    state: AssetState
    publication: Publication


@router.get("", summary="Steps that were set aside, newest first")
async def index(
    services: WithServices,
    caller: Operator,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    released: Annotated[bool, Query(description="Those too that were let go")] = False,
) -> Page[QuarantineView]:
    found = await asyncio.to_thread(services.catalog.quarantine, limit=limit, released=released)
    return Page[QuarantineView](items=tuple(QuarantineView.model_validate(_fields(one)) for one in found), next=None)


@router.post("/{step:path}/release", summary="Try it once more")
async def release(services: WithServices, caller: Operator, step: Step) -> Released:
    """From the beginning, its history forgiven. 404 `not_quarantined`, 409 `nothing_to_retry`."""
    asset = await asyncio.to_thread(services.catalog.release_quarantined, step)
    return Released(id=asset.id, state=asset.state, publication=asset.publication)


@router.get("/{step:path}", summary="What is needed to see it happen again")
async def show(services: WithServices, caller: Operator, step: Step) -> QuarantineRecord:
    found = await asyncio.to_thread(services.catalog.quarantined, step)
    return QuarantineRecord.model_validate(_fields(found) | {"bundle": json.loads(found.bundle)})


def _fields(found: Quarantined) -> dict[str, Any]:
    released = None if found.released_at is None else rfc3339(found.released_at)
    return found.model_dump(exclude={"bundle"}) | {"at": rfc3339(found.at), "released_at": released}
