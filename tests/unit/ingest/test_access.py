from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from rushes.catalog.records import Ticket, Upload, UploadLimits
from rushes.errors import NotFound, RushesError
from rushes.ingest.access import Caller, caller_of
from rushes.keys import new_id
from rushes.model import Asset
from rushes.tokens import digest_of, token_of

NOW = 1_750_000_000.0
NAME = new_id(NOW, 1)
TOKEN = f"{NAME}.{token_of(b'house', 'ticket', NAME)}"
SITE = "https://app.example.com"


class NobodyError(RushesError):
    status = 401


def ticket(**fields: Any) -> Ticket:
    return Ticket(id=NAME, tenant="acme", secret=digest_of(TOKEN), created_at=NOW, expires_at=NOW + 60, **fields)


def upload(**fields: Any) -> Upload:
    named = {"id": "u", "asset": "a", "tenant": "acme", "length": 1, "created_at": NOW, "expires_at": NOW + 60}
    return Upload(**{**named, **fields})


def request(query: str = "", **headers: str) -> Request:
    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/files", "query_string": query.encode(), "headers": given}
    )


def tenant_of(request: Request) -> str:
    if "authorization" not in request.headers:
        raise NobodyError("unauthorized")
    return request.headers["authorization"]


async def called(query: str = "", **headers: str) -> Caller:
    """For an upload that is there."""
    return await caller_of(request(query, **headers), tenant_of)


async def creating(query: str = "", *, known: Ticket | None = None, **headers: str) -> Caller:
    async def find(name: str) -> Ticket:
        if known is None or name != known.id:
            raise NotFound("upload_address_not_found")
        return known

    return await caller_of(request(query, **headers), tenant_of, find)


async def test_an_api_key_reaches_every_upload_of_its_tenant() -> None:
    caller = await called(Authorization="acme")
    assert caller.reaches(upload())
    assert caller.reaches(upload(secret=digest_of("x")))
    assert not caller.reaches(upload(tenant="others"))


async def test_without_a_key_or_an_address_nobody_gets_in() -> None:
    for query in ("", "key=", "ticket=", "Ticket=x"):
        for ask in (called, creating):
            with pytest.raises(NobodyError):
                await ask(query)


async def test_a_secret_is_good_for_what_it_is_for_only() -> None:
    with pytest.raises(NobodyError):
        await creating("key=sesame", known=ticket())  # opens an upload, makes none
    with pytest.raises(NobodyError):
        await called(f"ticket={TOKEN}")  # makes uploads, opens none
    assert (await creating(f"ticket={TOKEN}&key=sesame", known=ticket())).tenant == "acme"
    assert (await called(f"ticket={TOKEN}&key=sesame")).tenant == ""


async def test_an_uploads_own_secret_opens_it_and_nothing_else() -> None:
    caller = await called("key=sesame")
    assert caller.reaches(upload(secret=digest_of("sesame")))
    assert not caller.reaches(upload(secret=digest_of("sesame2")))
    assert not caller.reaches(upload())
    assert not (await called("key=wrong", Authorization="acme")).reaches(upload(secret=digest_of("sesame")))


async def test_a_ticket_makes_uploads_of_its_tenant_with_secrets_of_their_own() -> None:
    caller = await creating(f"ticket={TOKEN}", known=ticket(title="Clip", policy="strict", metadata={"user": "7"}))
    asset = Asset(id="a", tenant="acme", title="mine", metadata={"user": "8", "x": "y"}, created_at=NOW)
    made, named = caller.equipped(upload(), asset)
    assert (caller.tenant, made.ticket) == ("acme", NAME)
    assert made.secret == digest_of(caller.key_for("u"))
    assert caller.key_for("u") not in (caller.key_for("v"), TOKEN)
    assert named is not None
    assert (named.title, named.policy, named.profile, named.metadata) == (
        "Clip", "strict", asset.profile, {"user": "7", "x": "y"},
    )  # fmt: skip
    assert (await called(f"key={caller.key_for('u')}")).reaches(made)
    assert caller.reaches(made)
    assert not caller.reaches(upload(ticket="another"))


@pytest.mark.parametrize(
    "token", [TOKEN[:-1], f"{TOKEN}A", NAME, f"{NAME}.", f"{new_id(NOW, 2)}.x", "x.y", "../..", "é", "x" * 9000]
)
async def test_a_wrong_ticket_and_one_that_never_was_look_the_same(token: str) -> None:
    with pytest.raises(RushesError) as refused:
        await creating(f"ticket={token}", known=ticket(), Authorization="acme")
    assert (refused.value.status, refused.value.code) == (403, "ticket_unknown")
    assert token not in str(refused.value) or len(token) < 4


async def test_pages_of_other_sites_are_refused_where_sites_are_named() -> None:
    limits = UploadLimits(origins=(SITE,))
    assert await creating(f"ticket={TOKEN}", known=ticket(limits=limits), Origin=SITE)
    assert await creating(f"ticket={TOKEN}", known=ticket(limits=limits))  # what is no browser
    assert await creating(f"ticket={TOKEN}", known=ticket(), Origin="https://evil.example")
    for origin in ("https://evil.example", "null", f"{SITE}.evil.example"):
        with pytest.raises(RushesError) as refused:
            await creating(f"ticket={TOKEN}", known=ticket(limits=limits), Origin=origin)
        assert refused.value.code == "origin_not_allowed"
        there = upload(secret=digest_of("sesame"), limits=limits)
        assert not (await called("key=sesame", Origin=origin)).reaches(there)
    assert (await called("key=sesame", Origin=SITE)).reaches(upload(secret=digest_of("sesame"), limits=limits))


async def test_secrets_do_not_show_in_what_is_printed() -> None:
    assert "sesame" not in repr(await called("key=sesame"))
    assert TOKEN not in repr(await creating(f"ticket={TOKEN}", known=ticket()))


async def test_nobody_reaches_what_is_fetched() -> None:
    fetched = upload(kind="fetched", secret=digest_of("sesame"))
    assert not (await called(Authorization="acme")).reaches(fetched)
    assert not (await called("key=sesame")).reaches(fetched)
