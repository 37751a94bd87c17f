"""`/v1/watermarks`: pictures that a tenant's assets may carry, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, ParamSpec, Protocol, TypeVar

from fastapi import APIRouter, Path, Request, Response

from rushes.api.auth import Tenant
from rushes.api.models import Page, View
from rushes.api.problems import RESPONSES
from rushes.errors import Refused

MOST = 5 * 2**20
"""Bytes of a picture."""
PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/png", "image/webp", "image/jpeg")
        },
    }
}
"""For OpenAPI: the body is read as it comes."""
P = ParamSpec("P")
T = TypeVar("T")
Name = Annotated[str, Path(description="Up to 64 lower-case letters, digits, `-` and `_`", max_length=64)]


class Picture(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def size(self) -> int: ...


class Pictures(Protocol):
    """What is done, elsewhere. Methods block, and raise RushesError, StoreError."""

    def put(self, tenant: str, name: str, data: bytes) -> Picture: ...

    def get(self, tenant: str, name: str) -> Picture: ...

    def list(self, tenant: str) -> Iterator[Picture]: ...

    def delete(self, tenant: str, name: str) -> None: ...


class PictureView(View):
    name: str
    width: int
    height: int
    size: int


class Call(Protocol):
    """Runs what waits for a store or a tool, in a thread."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


def router(pictures: Pictures, call: Call) -> APIRouter:
    routes = APIRouter(prefix="/v1/watermarks", tags=["watermarks"], responses=RESPONSES)

    @routes.put(
        "/{name}", response_model=PictureView, summary="Store a picture, or replace it", openapi_extra=PICTURE_BODY
    )
    async def put(request: Request, tenant: Tenant, name: Name) -> Response:
        """The body is a PNG, WebP or JPEG of at most 5 MiB. Assets created from now on that name it carry this picture;
        those that are there keep theirs. 415 `watermark_unusable` for anything else."""
        made = await call(pictures.put, tenant, name, await _body(request))
        return Response(_view(made).model_dump_json(), media_type="application/json")

    @routes.get("", response_model=Page[PictureView], summary="All of them, by name")
    async def index(tenant: Tenant) -> Page[PictureView]:
        def read() -> tuple[PictureView, ...]:
            return tuple(_view(found) for found in pictures.list(tenant))

        return Page[PictureView](items=await call(read), next=None)

    @routes.get("/{name}", response_model=PictureView, summary="One of them")
    async def show(tenant: Tenant, name: Name) -> PictureView:
        return _view(await call(pictures.get, tenant, name))

    @routes.delete("/{name}", status_code=204, summary="Take its name away")
    async def delete(tenant: Tenant, name: Name) -> Response:
        """No asset can name it any more; those that have it keep it."""
        await call(pictures.delete, tenant, name)
        return Response(status_code=204)

    return routes


def _view(found: Picture) -> PictureView:
    return PictureView(name=found.name, width=found.width, height=found.height, size=found.size)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST:
            raise Refused("too_large", f"A watermark may have {MOST} bytes.", status=413)
    return bytes(body)
