"""What the HTTP rooms are given: the settings and the doors to the catalog, the store and time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from rushes.catalog.catalog import Catalog
from rushes.clock import Clock
from rushes.errors import Refused
from rushes.media_keys import KeyServer
from rushes.options import Clip, Mark, Options
from rushes.settings import Settings
from rushes.storage.store import ObjectStore


async def _nobody(tenant: str, upload: str) -> None:
    """Where no uploads are served, none is under way."""


def _no_options(tenant: str, clip: Clip | None, mark: Mark | None) -> Options:
    """Where nothing is stored, only a clip can be had."""
    if mark is not None:
        raise Refused("watermark_not_found", status=422)
    return Options(clip=clip)


@dataclass(frozen=True)
class Services:
    settings: Settings
    catalog: Catalog
    store: ObjectStore
    clock: Clock
    end_upload: Callable[[str, str], Awaitable[None]] = _nobody
    """Ends an unfinished upload: (tenant, upload)."""
    keys: KeyServer | None = None
    """Gives the keys of protected media; None: there are none."""
    options: Callable[[str, Clip | None, Mark | None], Options] = _no_options
    """What is asked for of an asset, with the tenant's pictures. Blocks; raises Refused."""


def services_of(request: Request) -> Services:
    """The services of the application that serves this request (put there by `create_app`)."""
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(services_of)]
