"""`GET /v1/ledger`: tenants see their own, operators all."""

from __future__ import annotations

import pytest

from rushes.catalog.pipeline import Pipeline
from rushes.clock import rfc3339
from rushes.errors import Blame
from rushes.noun import Reason
from rushes.states import Pool

ANN, BOB, OPERATOR = "0123456789abcdef-ann", "0123456789abcdef-bob", "0123456789abcdef-op"
OOPS = Reason(code="internal", message="Something went wrong on our side.")


@pytest.fixture
def house(make_house):
    """Two tenants, each with an asset whose steps failed after some work."""
    found = make_house(auth="keys", api_keys=f"ann:{ANN},bob:{BOB}", operator_keys=OPERATOR)
    pipeline = Pipeline(found.rows, lease=30.0, max_attempts=4, tool="ffmpeg-test")
    found.assets = {tenant: found.ingested(tenant).id for tenant in ("ann", "bob")}
    while claim := pipeline.claim(tuple(Pool), "w1"):
        cpu = 1.0 if claim.job.tenant == "ann" else 2.0
        pipeline.fail(claim.job, OOPS, Blame.TRANSIENT, cpu_seconds=cpu)
    return found


async def ask(house, key: str, **query: str):
    async with house.client(key) as client:
        return await client.get("/v1/ledger", params=query)


async def test_an_operator_sees_all_tenants_and_each(house) -> None:
    found = (await ask(house, OPERATOR, by="tenant")).json()
    lines = {line["name"]: line for line in found["lines"]}
    assert lines["bob"]["cpu_seconds"] == 2 * lines["ann"]["cpu_seconds"] > 0
    assert [line["name"] for line in found["lines"]] == ["bob", "ann"]  # the dearest first
    assert lines["ann"]["wasted_cpu_seconds"] == lines["ann"]["cpu_seconds"]
    assert lines["ann"]["bytes_stored"] == 10
    assert found["total"]["cpu_seconds"] == pytest.approx(3 * lines["ann"]["cpu_seconds"])
    assert found["until"] == rfc3339(house.clock.now())[:10]
    one = (await ask(house, OPERATOR, by="kind", tenant="ann")).json()
    assert one["total"]["cpu_seconds"] == lines["ann"]["cpu_seconds"]


async def test_a_tenant_sees_its_own_whatever_it_asks_for(house) -> None:
    found = (await ask(house, ANN, by="tenant", tenant="bob")).json()
    assert [line["name"] for line in found["lines"]] == ["ann"]
    assert found["tenant"] == "ann"


async def test_one_asset(house) -> None:
    mine = (await ask(house, ANN, asset=house.assets["ann"], by="kind")).json()
    assert mine["total"]["cpu_seconds"] > 0
    assert {line["name"] for line in mine["lines"]} >= {"probe"}
    others = await ask(house, ANN, asset=house.assets["bob"], by="kind")
    assert (others.status_code, others.json()["code"]) == (404, "asset_not_found")
    assert (await ask(house, OPERATOR, asset=house.assets["bob"], by="rendition")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"by": "colour"}, {"since": "yesterday"}, {"since": "2026-13-45"}, {"until": "2026-02-30"},
        {"asset": "x", "by": "tenant"},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_with_a_code(house, query: dict[str, str]) -> None:
    got = await ask(house, OPERATOR, **query)
    assert (got.status_code, got.json()["code"]) == (422, "invalid_request")
    assert got.headers["content-type"] == "application/problem+json"


async def test_what_is_no_day_is_told_as_a_person_would(house) -> None:
    for text in ("yesterday", "2026-13-45"):
        said = (await ask(house, OPERATOR, since=text)).json()["errors"][0]
        assert (said["field"], said["message"]) == ("query.since", "Give a day of the calendar, as 2026-01-31")


async def test_without_a_key_nothing(house) -> None:
    assert (await ask(house, "wrong")).status_code == 401
