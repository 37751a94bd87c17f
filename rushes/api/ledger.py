"""`/v1/ledger`: what work has cost, by asset, tenant, kind of step, rendition and day."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel

from rushes.api.auth import AnyCaller, Caller
from rushes.api.problems import RESPONSES
from rushes.api.records import owned
from rushes.api.services import WithServices
from rushes.catalog.account import Account, Entry
from rushes.catalog.catalog import Catalog
from rushes.clock import rfc3339
from rushes.errors import Refused

router = APIRouter(prefix="/v1", tags=["operators"], responses=RESPONSES)

DAYS = 30
"""Told of, where nobody says since when."""


def _day(text: str) -> str:
    """`2026-01-31`. Raises ValueError for what no calendar has."""
    try:
        return date.fromisoformat(text).isoformat() if text else text
    except ValueError as error:
        raise ValueError("Give a day of the calendar, as 2026-01-31") from error


Day = Annotated[str, AfterValidator(_day)]


class Line(Entry):
    name: str
    """Of the tenant, kind, rendition or day. The empty rendition: what was done for an asset as a whole."""


class LedgerView(BaseModel):
    by: str
    since: str
    until: str
    asset: str | None = None
    tenant: str | None = None
    """None: all of them."""
    as_of: str
    """Until when what has ended is in it."""
    total: Entry
    lines: tuple[Line, ...]
    """The dearest first."""


@router.get("/ledger", summary="CPU seconds and bytes by tenant, kind of step, rendition, day")
async def ledger(  # noqa: PLR0913 - each is a parameter of the query
    services: WithServices,
    caller: AnyCaller,
    by: Annotated[Literal["tenant", "kind", "rendition", "day"], Query()] = "kind",
    since: Annotated[Day, Query(description="First day (UTC), YYYY-MM-DD; 30 days ago.")] = "",
    until: Annotated[Day, Query(description="Last day (UTC); today.")] = "",
    tenant: Annotated[str | None, Query(max_length=200)] = None,
    asset: Annotated[str | None, Query(max_length=64)] = None,
) -> LedgerView:
    """A tenant sees what is its own; an operator sees all, or one `tenant`. With `asset`, all that this one ever cost, by kind or
    rendition.

    What attempts cost that failed, were lost, cancelled or given back is `wasted_cpu_seconds`, and is in `cpu_seconds` too.
    """
    now = services.clock.now()
    days = (since or rfc3339(now - DAYS * 86_400)[:10], until or rfc3339(now)[:10])
    whose = tenant if caller.is_operator else caller.tenant

    def read() -> Account:
        if asset is not None:
            return _of_asset(services.catalog, asset, by, caller)
        return services.catalog.ledger(by, days, whose)

    found = await asyncio.to_thread(read)
    return _view(found, days, whose if asset is None else None, asset)


def _of_asset(catalog: Catalog, asset: str, by: str, caller: Caller) -> Account:
    if by not in ("kind", "rendition"):
        raise Refused("invalid_request", "Of one asset, `by` is `kind` or `rendition`.", status=422)
    if not caller.is_operator:
        owned(catalog, caller.tenant or "", asset)
    return catalog.asset_ledger(asset, by)


def _view(found: Account, days: tuple[str, str], tenant: str | None, asset: str | None) -> LedgerView:
    lines = sorted(found.entries.items(), key=lambda item: (-item[1].cpu_seconds, -item[1].bytes_stored, item[0]))
    total = Entry()
    for _, entry in lines:
        total = total.plus(entry)
    return LedgerView(
        by=found.by, since=days[0], until=days[1], asset=asset, tenant=tenant, as_of=rfc3339(found.as_of),
        total=_rounded(total), lines=tuple(Line(name=name, **_rounded(entry).model_dump()) for name, entry in lines),
    )  # fmt: skip


def _rounded(entry: Entry) -> Entry:
    fields = {name: round(getattr(entry, name), 3) for name in ("cpu_seconds", "wasted_cpu_seconds")}
    return entry.model_copy(update=fields)
