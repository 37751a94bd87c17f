"""`/v1/assets`: the catalog for creators' apps."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rushes.api.auth import OPERATOR_ONLY, AnyCaller, Caller, NotAllowed, Tenant
from rushes.api.describing import TITLE, Key, Value, cleaned
from rushes.api.models import AssetView, OperatorView, Page, TakenDown, View
from rushes.api.negotiation import matches
from rushes.api.problems import RESPONSES
from rushes.api.records import complete, load, owned, render
from rushes.api.services import Services, WithServices
from rushes.api.views import operator_view
from rushes.api.why import WhyView, why_view
from rushes.engine.classes import Class
from rushes.errors import Refused
from rushes.keys import is_id
from rushes.model import Asset
from rushes.packaging.purge import summary
from rushes.packaging.takedown import hide, unpublish
from rushes.settings import load_profile
from rushes.states import Action, AssetState
from rushes.text import one_line

router = APIRouter(prefix="/v1/assets", tags=["assets"], responses=RESPONSES)

AssetId = Annotated[str, Path(description="26 letters and digits", max_length=64)]


class Decision(BaseModel):
    """What a moderator decides."""

    model_config = ConfigDict(extra="forbid")
    action: Action


class RetryRequest(BaseModel):
    """What to try again; left out: what failed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    step: str = Field(default="", alias="from", max_length=200, description="A step's key: it and all that rest on it")


class PriorityRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    chosen: Literal["fast", "normal", "enrich", "bulk"] = Field(alias="class")


class EncodeRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    profile: str = Field(min_length=1, max_length=64, description="Name of a profile")


class AssetChange(BaseModel):
    """What may be changed; a field that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=TITLE)
    metadata: dict[Key, Value] | None = Field(default=None, max_length=50, description="Replaces all metadata")

    def cleaned_metadata(self) -> dict[str, str] | None:
        return None if self.metadata is None else cleaned(self.metadata)


@router.get("", response_model=Page[AssetView], summary="Newest first")
async def index(
    request: Request,
    services: WithServices,
    tenant: Tenant,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: AssetState | None = None,
) -> Response:
    """Assets of the tenant. Deleted ones only where `state=deleted` asks for them."""
    if after is not None and not is_id(after):
        raise Refused("invalid_cursor", "`after` must be the `next` of an earlier page.")

    def read() -> Page[AssetView]:
        assets, cursor = services.catalog.assets(tenant=tenant, after=after, limit=limit, state=state)
        views = tuple(render(request, complete(services.catalog, asset)) for asset in assets)
        return Page[AssetView](items=views, next=cursor)

    return _fresh(request, await asyncio.to_thread(read))


@router.get("/{asset}", response_model=AssetView, summary="One asset")
async def show(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """Has an ETag; with `If-None-Match` the answer is 304 until something changes, the progress of a step included."""

    def read() -> AssetView:
        return render(request, complete(services.catalog, owned(services.catalog, tenant, asset)))

    return _fresh(request, await asyncio.to_thread(read))


@router.patch("/{asset}", response_model=AssetView, summary="Change title or metadata")
async def change(
    request: Request, services: WithServices, tenant: Tenant, asset: AssetId, wanted: AssetChange
) -> Response:
    def act(identity: str) -> Asset:
        title = None if wanted.title is None else one_line(wanted.title, TITLE)
        return services.catalog.update(identity, title=title, metadata=wanted.cleaned_metadata())

    return await _acted(request, services, tenant, asset, act)


@router.delete("/{asset}", response_model=TakenDown, summary="Delete, and take down")
async def delete(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """Not public any more when this answers; the objects follow. `purge` of the answer is what caches have to forget.
    Again is harmless."""

    def act(identity: str) -> Asset:
        gone = services.catalog.delete(identity)
        hide(services.store, identity)
        request.app.state.published.forget(identity)
        return gone

    return await _taken_down(request, services, tenant, asset, act)


@router.post("/{asset}/retry", response_model=AssetView | OperatorView, summary="Try failed steps again")
async def retry(
    request: Request, services: WithServices, caller: AnyCaller, asset: AssetId, wanted: RetryRequest | None = None
) -> Response:
    """With `from`, a step's key, that step and all that rest on it again, done or not: 404 `step_not_found`, 409 `under_way`,
    `source_deleted`, `not_from_here`. 409 `nothing_to_retry`. An operator may do it for any tenant, and is shown its work alone."""
    act = partial(services.catalog.retry, from_step=wanted.step if wanted else "")
    return await _acted(request, services, caller, asset, act)


@router.post("/{asset}/priority", response_model=AssetView | OperatorView, summary="Go before others, or after them")
async def prioritise(
    request: Request, services: WithServices, caller: AnyCaller, asset: AssetId, wanted: PriorityRequest
) -> Response:
    """What is planned of it and what is to come. `bulk` waits for everything else, `normal` and `enrich` are as it was planned,
    `fast` goes before what other tenants wait for, so that only an operator may say it: 403 `operator_only`."""
    chosen = Class[wanted.chosen.upper()]
    if chosen is Class.FAST and not caller.is_operator:
        raise NotAllowed("operator_only", OPERATOR_ONLY)

    def act(identity: str) -> Asset:
        return services.catalog.set_class(identity, chosen)

    return await _acted(request, services, caller, asset, act)


@router.post("/{asset}/cancel", response_model=AssetView, summary="Stop the work")
async def cancel(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    return await _acted(request, services, tenant, asset, services.catalog.cancel)


@router.post("/{asset}/encodes", status_code=202, response_model=AssetView, summary="Encode again, by another profile")
async def encode(
    request: Request, services: WithServices, tenant: Tenant, asset: AssetId, wanted: EncodeRequest
) -> Response:
    """A new build is made from the original beside the one that plays, and replaces it when all of it is there. While one by
    this profile is under way, asking again changes nothing. 409 `not_ready`, `source_deleted` where the original is gone,
    `encode_under_way` while one by another profile is made, `too_many_encodes`. `encodes` of the answer tells its number and
    state."""

    def act(identity: str) -> Asset:
        request.app.state.quotas.check_names(tenant, services.settings, profile=wanted.profile)
        return services.catalog.encode(identity, load_profile(wanted.profile), services.settings.max_encodes)

    return await _acted(request, services, tenant, asset, act, status=202)


@router.post("/{asset}/demand", status_code=202, response_model=AssetView, summary="Make what was left until now")
async def demand(request: Request, services: WithServices, tenant: Tenant, asset: AssetId) -> Response:
    """The rungs and codecs that its profile calls lazy are made at once, as a new build, whether anybody has played it or not.
    Again it changes nothing, but takes up what failed. `lazy` of the answer says how far it is. 409 `not_ready` for an asset
    that failed or was deleted."""
    return await _acted(request, services, tenant, asset, partial(services.catalog.demand, by="api"), status=202)


@router.delete("/{asset}/encodes/{number}", response_model=AssetView, summary="Give an encode up")
async def cancel_encode(
    request: Request, services: WithServices, tenant: Tenant, asset: AssetId, number: Annotated[int, Path(ge=2)]
) -> Response:
    """What is left of it is not done; what plays stays, and the record says so. Where its build is being published at this
    moment, that goes on. Again is harmless."""

    def act(identity: str) -> Asset:
        return services.catalog.cancel_encode(identity, number)

    return await _acted(request, services, tenant, asset, act)


@router.post("/{asset}/verdict", response_model=AssetView | TakenDown, summary="Decide over the policy")
async def decide(
    request: Request, services: WithServices, tenant: Tenant, asset: AssetId, wanted: Decision
) -> Response:
    """A moderator's decision, from now on stronger than the policy, and reversible. Holding or blocking is true when this
    answers, and `purge` is what caches have to forget; publishing when the pointer has been written. 409
    `no_build` while there is nothing to decide on."""

    def act(identity: str) -> Asset:
        decided = services.catalog.decide(identity, wanted.action)
        if wanted.action is not Action.PUBLISH:
            unpublish(services.store, identity)
            request.app.state.published.forget(identity)
        return decided

    down = wanted.action is not Action.PUBLISH
    return await (_taken_down if down else _acted)(request, services, tenant, asset, act)


@router.get("/{asset}/why", summary="What it is waiting for, and until when")
async def why(services: WithServices, caller: AnyCaller, asset: AssetId) -> WhyView:
    def read() -> WhyView:
        identity = _reached(services, caller, asset).id
        return why_view(identity, services.catalog.explain(identity))

    return await asyncio.to_thread(read)


async def _acted(
    request: Request,
    services: WithServices,
    caller: str | Caller,
    asset: str,
    act: Callable[[str], Asset],
    *,
    status: int = 200,
) -> Response:
    """`caller`: the tenant whose asset it has to be, or whoever may be an operator, who acts for all and is shown the work alone
    of what is another's."""

    def do() -> View:
        reached = _reached(services, caller, asset)
        act(reached.id)
        if isinstance(caller, Caller) and caller.tenant != reached.tenant:
            return operator_view(services.catalog.asset(reached.id), services.catalog.steps(reached.id))
        return render(request, load(services.catalog, reached.id))

    return _fresh(request, await asyncio.to_thread(do), status)


def _reached(services: Services, caller: str | Caller, asset: str) -> Asset:
    """Raises NotFound."""
    if isinstance(caller, Caller) and caller.is_operator:
        return services.catalog.asset(asset)
    tenant = caller.tenant if isinstance(caller, Caller) else caller
    return owned(services.catalog, tenant or "", asset)


async def _taken_down(
    request: Request, services: WithServices, tenant: str, asset: str, act: Callable[[str], Asset]
) -> Response:
    def do() -> TakenDown:
        identity = act(owned(services.catalog, tenant, asset).id).id
        view = render(request, load(services.catalog, identity))
        return TakenDown(**{**dict(view), "purge": summary(identity)})

    view = await asyncio.to_thread(do)
    await request.app.state.purger.forget(view.id)
    return _fresh(request, view)


def _fresh(request: Request, view: View, status: int = 200) -> Response:
    """JSON with a strong tag of its very bytes, or 304. Always to be asked for again: it changes while work goes on."""
    body = view.model_dump_json(by_alias=True).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if request.method == "GET" and matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, status, media_type="application/json", headers=headers)
