"""Whose request it is, and which uploads it reaches.

Three things open a door: a tenant's API key, every upload of the tenant; a one-time upload address (`?ticket=`), the
creation of so many uploads; and the secret in an upload's own address (`?key=`), this one upload, by every verb.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from starlette.requests import Request

from rushes.catalog.records import Ticket, Upload, UploadLimits
from rushes.errors import NotFound, RushesError
from rushes.keys import is_id
from rushes.model import Asset
from rushes.tokens import digest_of, opens, token_of

TICKET, KEY = "ticket", "key"
"""Names of the parameters of an address that hold a secret."""
_LONGEST = 200


class NotAllowed(RushesError):
    status = 403


class TicketBook(Protocol):
    """The part of the catalog that knows one-time upload addresses. Blocks."""

    def ticket(self, ticket: str) -> Ticket:
        """Raises NotFound."""
        ...


@dataclass(frozen=True)
class Caller:
    """Who asks. `tenant` is whose uploads, assets and quota these are; empty where only an upload's own secret came."""

    tenant: str
    ticket: Ticket | None = None
    """The one-time address that was used."""
    token: str = field(default="", repr=False)
    """What that address carried."""
    key: str = field(default="", repr=False)
    """The secret of an upload's own address, not yet compared with anything."""
    origin: str = ""
    """The web site whose page asks (RFC 6454 section 7); empty: no browser."""

    @property
    def limits(self) -> UploadLimits:
        """Of an upload that this caller begins."""
        return self.ticket.limits if self.ticket else UploadLimits()

    def reaches(self, upload: Upload) -> bool:
        """Whether this caller may see and change the upload. To all others it is not there.

        One that is fetched has no address: a worker or an import writes to it, under another lock than requests have.
        """
        if upload.kind == "fetched" or not is_allowed_origin(upload.limits, self.origin):
            return False
        if self.key:
            return upload.secret is not None and opens(self.key, upload.secret)
        if self.ticket:
            return upload.ticket == self.ticket.id
        return bool(self.tenant) and upload.tenant == self.tenant

    def key_for(self, upload: str) -> str:
        """The secret of the address of an upload that this caller begins; empty where an API key opens it.

        The same again for the same upload, so that an answer that was lost can be given once more.
        """
        return token_of(self.token.encode(), "upload", upload) if self.ticket else ""

    def equipped(self, upload: Upload, asset: Asset | None) -> tuple[Upload, Asset | None]:
        """A fresh upload and its asset with all that the caller's one-time address says of them."""
        if self.ticket is None:
            return upload, asset
        ticket = self.ticket
        marks = {"ticket": ticket.id, "secret": digest_of(self.key_for(upload.id)), "limits": ticket.limits}
        if asset is not None:
            asset = asset.model_copy(
                update={
                    "title": ticket.title or asset.title,
                    "metadata": {**asset.metadata, **ticket.metadata},
                    "profile": ticket.profile or asset.profile,
                    "policy": ticket.policy or asset.policy,
                }
            )
        return upload.model_copy(update=marks), asset


async def caller_of(
    request: Request,
    tenant_of: Callable[[Request], str],
    find: Callable[[str], Awaitable[Ticket]] | None = None,
) -> Caller:
    """Who sends a request. `find` gives the ticket of an id, or raises NotFound: for a creation, which a one-time address is
    good for. Without it the request is about an upload that is there, and the secret of its address is good.

    Raises a RushesError of status 401 or 403 where it cannot be told, or where a one-time address is not a good one.
    """
    origin = request.headers.get("origin", "")
    if find is None and (key := request.query_params.get(KEY, "")):
        return Caller("", key=key[:_LONGEST], origin=origin)
    if find is not None and (token := request.query_params.get(TICKET, "")):
        ticket = await _ticket(token[:_LONGEST], find)
        if not is_allowed_origin(ticket.limits, origin):
            raise NotAllowed("origin_not_allowed", "Pages of this site may not upload to this address.")
        return Caller(ticket.tenant, ticket=ticket, token=token, origin=origin)
    return replace(Caller(tenant_of(request)), origin=origin)


async def _ticket(token: str, find: Callable[[str], Awaitable[Ticket]]) -> Ticket:
    """A wrong secret and an address that never was look the same."""
    name = token.partition(".")[0]
    unknown = NotAllowed("ticket_unknown", "This upload address is not valid. Please ask for a new one.")
    if not is_id(name):
        raise unknown
    try:
        ticket = await find(name)
    except NotFound as error:
        raise unknown from error
    if not opens(token, ticket.secret):
        raise unknown
    return ticket


def is_allowed_origin(limits: UploadLimits, origin: str) -> bool:
    """What is no browser sends no origin, and could send any: the list binds pages of other sites."""
    return not limits.origins or not origin or origin.lower() in limits.origins


def upload_named(name: str) -> str:
    """The id of an upload from the last segment of its address. Raises NotFound for what is no such name."""
    if not is_id(name):
        raise gone()
    return name


def gone() -> NotFound:
    return NotFound("upload_not_found", "There is no upload of this id; it may have expired. Please start again.")
