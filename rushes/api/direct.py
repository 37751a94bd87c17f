"""`/v1/uploads/direct`: bytes go straight to the object store, for apps that insist; and what the store tells of it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, ParamSpec, Protocol, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rushes.api.auth import Tenant, Unauthorized
from rushes.api.describing import Described
from rushes.api.models import AssetView, View
from rushes.api.problems import RESPONSES
from rushes.api.records import load, render
from rushes.api.services import Services, WithServices
from rushes.catalog.records import Upload
from rushes.clock import rfc3339
from rushes.errors import NotFound, Refused
from rushes.model import Asset

MOST = 2**20
"""Bytes of an event message; S3's have a few thousand."""
P = ParamSpec("P")
T = TypeVar("T")
UploadId = Annotated[str, Path(description="26 letters and digits", max_length=64)]


class PartAddress(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def url(self) -> str: ...


class Plan(Protocol):
    @property
    def upload(self) -> Upload: ...
    @property
    def part_size(self) -> int: ...
    @property
    def parts(self) -> int: ...
    @property
    def page(self) -> Sequence[PartAddress]: ...
    @property
    def complete_url(self) -> str: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def next(self) -> int | None: ...


class Doors(Protocol):
    """What is done, elsewhere. Methods block, and raise RushesError, StoreError."""

    def begin(self, tenant: str, request: Mapping[str, Any]) -> Plan: ...

    def look(self, tenant: str, upload_id: str, first: int = 1) -> Plan: ...

    def complete(self, tenant: str, upload_id: str, etags: Mapping[int, str] | None = None) -> Asset: ...

    def abort(self, tenant: str, upload_id: str) -> None: ...

    def heard(self, message: object) -> list[str]: ...


class DirectRequest(Described):
    length: int = Field(ge=1, le=2**53, description="Bytes of the file")
    filename: str = Field(default="", max_length=255)


class SentPart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=10_000)
    etag: str = Field(min_length=1, max_length=128, description="As the store answered the PUT")


class Completion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parts: tuple[SentPart, ...] | None = Field(
        default=None, max_length=10_000, description="None: the store is asked what it has"
    )


class PartView(View):
    number: int
    start: int = Field(description="Where in the file the part begins")
    size: int = Field(description="Bytes to PUT; the address takes no other number")
    url: str


class DirectView(View):
    id: str
    asset: str
    length: int
    part_size: int
    part_count: int
    parts: tuple[PartView, ...] = Field(description="Up to 100 of them")
    next: int | None = Field(description="`first` of the next page; null on the last one")
    complete_url: str = Field(description="CompleteMultipartUpload, for those who call it themselves (bucket events)")
    expires: str = Field(description="Until when the addresses are good; `GET` gives fresh ones")


class Heard(View):
    finished: tuple[str, ...] = Field(description="Assets that have their source now")


class Call(Protocol):
    """Runs what waits for a store, in a thread: not in those that serve videos and the API."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


def router(doors: Doors, call: Call) -> APIRouter:
    routes = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=RESPONSES)

    @routes.post("/direct", status_code=201, response_model=DirectView, summary="Send straight to the object store")
    async def begin(tenant: Tenant, wanted: DirectRequest) -> Response:
        """PUT each part of the file to its address, in any order, then call `complete`. The asset is there at once,
        `uploading`. 501 where the videos lie on a local disk."""
        return _plan(await call(doors.begin, tenant, wanted.cleaned()), 201)

    @routes.get("/direct/{upload}", response_model=DirectView, summary="Addresses of further parts, or fresh ones")
    async def look(tenant: Tenant, upload: UploadId, first: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
        return _plan(await call(doors.look, tenant, upload, first), 200)

    @routes.post("/direct/{upload}/complete", response_model=AssetView, summary="All parts are sent")
    async def complete(
        request: Request, services: WithServices, tenant: Tenant, upload: UploadId, wanted: Completion | None = None
    ) -> Response:
        """The parts become the asset's source, once. 409 `parts_missing`, `parts_differ` where the store has others. Again
        is harmless."""

        def act() -> AssetView:
            given = wanted.parts if wanted else None
            etags = None if given is None else {part.number: part.etag for part in given}
            asset = doors.complete(tenant, upload, etags)
            return render(request, load(services.catalog, asset.id))

        view = await call(act)
        headers = {"Location": f"/v1/assets/{view.id}", "Cache-Control": "no-store"}
        return Response(view.model_dump_json(), 200, headers, "application/json")

    @routes.delete("/direct/{upload}", status_code=204, summary="Give it up")
    async def abort(tenant: Tenant, upload: UploadId) -> Response:
        await call(doors.abort, tenant, upload)
        return Response(status_code=204)

    @routes.post("/s3-events", response_model=Heard, summary="The object store tells of new objects")
    async def events(request: Request, services: WithServices) -> Heard:
        """Takes the messages of Amazon S3, EventBridge and MinIO, with `Authorization: Bearer` and the key of
        `RUSHES_S3_EVENTS_KEY`. Messages that come twice, or tell of something else, are harmless."""
        _authorise(request, services)
        message = await _message(request)
        return Heard(finished=tuple(await call(doors.heard, message)))

    return routes


def _plan(plan: Plan, status: int) -> Response:
    parts = (PartView(number=p.number, start=p.start, size=p.size, url=p.url) for p in plan.page)
    view = DirectView(
        id=plan.upload.id, asset=plan.upload.asset or "", length=plan.upload.length or 0, part_size=plan.part_size,
        part_count=plan.parts, parts=tuple(parts), next=plan.next, complete_url=plan.complete_url,
        expires=rfc3339(plan.expires_at),
    )  # fmt: skip
    headers = {"Cache-Control": "no-store", "Location": f"/v1/uploads/direct/{view.id}"}
    return Response(view.model_dump_json(), status, headers, "application/json")


def _authorise(request: Request, services: Services) -> None:
    key = services.settings.s3_events_key
    if not key:
        raise NotFound("not_found", "Bucket events are not switched on here: RUSHES_S3_EVENTS_KEY is not set.")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sent = given.strip() if scheme.lower() == "bearer" else ""
    if not hmac.compare_digest(sent.encode(), key.encode()):
        raise Unauthorized("unauthorized", "Send `Authorization: Bearer KEY` with the key for bucket events.")


async def _message(request: Request) -> object:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST:
            raise Refused("too_large", f"A message may have {MOST} bytes.", status=413)
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise Refused("bad_event", "The message is not JSON.") from error
