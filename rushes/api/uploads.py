"""`/v1/uploads`: one-time addresses by which a creator's app uploads without a key, within limits.

The tenant's backend asks for one and hands it to the creator's app, which gives it to any tus or IETF client as the endpoint.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from rushes.api.auth import Tenant
from rushes.api.models import Page, TicketLimits, TicketUploadView, TicketView, UploadAddress
from rushes.api.problems import RESPONSES
from rushes.api.records import base_url
from rushes.api.services import Services, WithServices
from rushes.api.views import options_view
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Ticket, TicketUpload, UploadLimits
from rushes.catalog.tickets import state_of
from rushes.clock import rfc3339
from rushes.errors import NotFound, Refused
from rushes.keys import is_id, new_id
from rushes.quotas import Quotas
from rushes.states import AssetState, TicketState
from rushes.text import one_line
from rushes.tokens import digest_of, opens, token_of

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=RESPONSES)

TicketId = Annotated[str, Path(description="26 letters and digits", max_length=64)]
_SECRET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@router.post("", status_code=201, response_model=TicketView, summary="A one-time upload address")
async def create(
    request: Request,
    services: WithServices,
    tenant: Tenant,
    wanted: UploadAddress,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Response:
    """The address is told here only. With an `Idempotency-Key`, the same request again gives the same answer."""
    secret: bytes = request.app.state.preview_secret
    ticket = await asyncio.to_thread(_ticket, services, tenant, wanted, request.app.state.quotas)
    ticket = ticket.model_copy(update={"secret": digest_of(_token(secret, ticket.id))})
    asked = hashlib.sha256(json.dumps(wanted.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def make() -> TicketView:
        made = services.catalog.create_ticket(ticket, retry_key=idempotency_key, request=asked)
        token = _token(secret, made.id)
        is_it = opens(token, made.secret)  # not, where the server's secret was changed between the two requests
        return _view(services, made, f"{base_url(request)}/files?ticket={token}" if is_it else None)

    view = await asyncio.to_thread(make)
    headers = {**_SECRET, "Location": f"{base_url(request)}/v1/uploads/{view.id}"}
    return Response(view.model_dump_json(), 201, headers, media_type="application/json")


@router.get("", response_model=Page[TicketView], summary="Newest first")
async def index(
    services: WithServices,
    tenant: Tenant,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    if after is not None and not is_id(after):
        raise Refused("invalid_cursor", "`after` must be the `next` of an earlier page.")

    def read() -> Page[TicketView]:
        found, cursor = services.catalog.tickets(tenant=tenant, after=after, limit=limit)
        return Page[TicketView](items=tuple(_view(services, ticket) for ticket in found), next=cursor)

    return _answer(await asyncio.to_thread(read))


@router.get("/{upload}", response_model=TicketView, summary="One address, and what became of it")
async def show(services: WithServices, tenant: Tenant, upload: TicketId) -> Response:
    def read() -> TicketView:
        return _view(services, _owned(services.catalog, tenant, upload))

    return _answer(await asyncio.to_thread(read))


@router.delete("/{upload}", response_model=TicketView, summary="Revoke, and end what is unfinished")
async def cancel(services: WithServices, tenant: Tenant, upload: TicketId) -> Response:
    """No upload can be made by it any more, and those under way end. Finished ones, and their assets, stay. Again is
    harmless."""

    def revoke() -> list[str]:
        return services.catalog.cancel_ticket(_owned(services.catalog, tenant, upload).id)

    for unfinished in await asyncio.to_thread(revoke):
        await services.end_upload(tenant, unfinished)
        await asyncio.to_thread(
            services.catalog.terminate_upload, unfinished
        )  # also one whose bytes cannot be reached now

    def read() -> TicketView:
        return _view(services, services.catalog.ticket(upload))

    return _answer(await asyncio.to_thread(read))


def _answer(view: TicketView | Page[TicketView]) -> Response:
    return Response(
        view.model_dump_json(), media_type="application/json", headers={"Cache-Control": "private, no-cache"}
    )


def _token(secret: bytes, ticket: str) -> str:
    """The id comes with it, so that the row is found before secrets are compared."""
    return f"{ticket}.{token_of(secret, 'ticket', ticket)}"


def _owned(catalog: Catalog, tenant: str, ticket: str) -> Ticket:
    """Raises NotFound for what is not there and, in the same words, for what belongs to another tenant."""
    missing = NotFound("upload_address_not_found", "There is no upload address of this id.")
    if not is_id(ticket):
        raise missing
    found = catalog.ticket(ticket)
    if found.tenant != tenant:
        raise missing
    return found


def _ticket(services: Services, tenant: str, wanted: UploadAddress, quotas: Quotas) -> Ticket:
    now = services.clock.now()
    quotas.check_names(tenant, services.settings, profile=wanted.profile or "", policy=wanted.policy or "")
    options = services.options(tenant, wanted.clip, wanted.watermark)
    return Ticket(
        id=new_id(now),
        tenant=tenant,
        secret="",
        places=wanted.count,
        limits=UploadLimits(
            max_bytes=wanted.max_bytes,
            max_duration=wanted.max_duration,
            types=tuple(wanted.types),
            origins=tuple(wanted.origins),
        ),
        title=one_line(wanted.title, 255),
        metadata={one_line(key, 64): one_line(value, 1024) for key, value in wanted.metadata.items()},
        profile=wanted.profile or "",
        policy=wanted.policy or "",
        options=options.model_copy(update={"playback": wanted.playback}),
        created_at=now,
        expires_at=now + wanted.expires_in,
    )


def _view(services: Services, ticket: Ticket, url: str | None = None) -> TicketView:
    """Blocks on the catalog."""
    made = services.catalog.ticket_uploads(ticket.id)
    state = state_of(ticket, made, services.clock.now())
    failed = [upload for upload in made if upload.asset_state is AssetState.FAILED]
    alive = [upload for upload in made if upload.state != "terminated"]
    return TicketView(
        id=ticket.id,
        url=url,
        state=state,
        created_at=rfc3339(ticket.created_at),
        expires_at=rfc3339(ticket.expires_at),
        cancelled_at=rfc3339(ticket.cancelled_at) if ticket.cancelled_at is not None else None,
        count=ticket.places,
        used=len(alive),
        limits=TicketLimits(
            max_bytes=ticket.limits.max_bytes,
            max_duration=ticket.limits.max_duration,
            types=ticket.limits.types,
            cors_origin=ticket.limits.origins,
        ),
        title=ticket.title,
        metadata=ticket.metadata,
        profile=ticket.profile or None,
        policy=ticket.policy or None,
        options=options_view(ticket.options),
        asset=_asset(made),
        uploads=tuple(_made(upload) for upload in made),
        reason=failed[-1].reason if failed and state in (TicketState.ERRORED, TicketState.TIMED_OUT) else None,
    )


def _asset(made: list[TicketUpload]) -> str | None:
    """The first one that came to something; else the one that is coming."""
    finished = [upload.asset for upload in made if upload.state == "finished"]
    under_way = [upload.asset for upload in made if upload.state == "open"]
    return next(iter([*finished, *under_way]), None)


def _made(upload: TicketUpload) -> TicketUploadView:
    return TicketUploadView(
        id=upload.id,
        state=upload.state,
        length=upload.length,
        asset=upload.asset,
        asset_state=upload.asset_state,
        reason=upload.reason,
    )
