"""What operators do by HTTP: who may, what is answered, and that it is done."""

from __future__ import annotations

import json
from collections import Counter

import httpx
import pytest

from rushes.catalog import workforce
from rushes.catalog.workforce import Presence
from rushes.states import Pool

ANN, BOSS = "0123456789abcdef-ann", "0123456789abcdef-operator"
ACTS = [
    "/v1/fleet/workers/w1/drain",
    "/v1/fleet/workers/w1/cordon",
    "/v1/fleet/workers/w1/uncordon",
    "/v1/fleet/pools/video/pause",
    "/v1/fleet/pools/video/resume",
    "/v1/quarantine/x/release",
]


@pytest.fixture
def locked(make_house):
    return make_house(auth="keys", api_keys=f"ann:{ANN},bob:0123456789abcdef-bob", operator_keys=BOSS)


def report(house, name: str = "w1", **said: object) -> str:
    """A worker is there; gives what it hears."""
    with house.database.write() as tx:
        presence = Presence(pools=(Pool.VIDEO,), slots=2, cores=4.0, **said)
        return workforce.report(tx, name, presence, house.clock.now()).wanted


@pytest.mark.parametrize("path", ACTS)
async def test_only_operators_change_the_fleet(locked, path: str) -> None:
    report(locked)
    async with locked.client() as nobody, locked.client(ANN) as tenant:
        unknown, refused = await nobody.post(path), await tenant.post(path)
    assert (unknown.status_code, unknown.json()["code"]) == (401, "unauthorized")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
    assert report(locked) == ""


@pytest.mark.parametrize("path", ["/v1/quarantine", "/v1/quarantine/x"])
async def test_only_operators_see_the_quarantine(locked, path: str) -> None:
    async with locked.client(ANN) as tenant:
        assert (await tenant.get(path)).status_code == 403


async def test_an_operator_is_no_tenant(locked) -> None:
    asset = locked.ingested("ann")
    async with locked.client(BOSS) as boss:
        assert (await boss.get(f"/v1/assets/{asset.id}")).status_code == 401
        assert (await boss.get("/v1/assets")).status_code == 401


async def test_without_keys_who_sits_here_is_the_operator(house) -> None:
    report(house)
    async with house.client() as client:
        assert (await client.post("/v1/fleet/workers/w1/cordon")).status_code == 200
        proxied = await client.post("/v1/fleet/workers/w1/drain", headers={"X-Forwarded-For": "192.0.2.1"})
        foreign = await client.post("/v1/fleet/workers/w1/drain", headers={"Origin": "https://evil.example"})
    assert (proxied.status_code, proxied.json()["code"]) == (403, "operator_only")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_site")
    assert report(house) == "cordon"


async def test_workers_are_drained_cordoned_and_let_go(locked) -> None:
    report(locked)
    async with locked.client(BOSS) as boss:
        for act, heard in (("drain", "drain"), ("drain", "drain"), ("cordon", "cordon"), ("uncordon", "work")):
            got = await boss.post(f"/v1/fleet/workers/w1/{act}")
            assert (got.status_code, got.json()["id"], got.json()["wanted"]) == (200, "w1", heard)
            assert report(locked) == heard
        missing = await boss.post("/v1/fleet/workers/w2/drain")
    assert (missing.status_code, missing.json()["code"]) == (404, "worker_not_found")


async def test_a_worker_that_took_itself_out_can_be_overruled(locked) -> None:
    report(locked, state="cordoned", reason="clock_skew")
    async with locked.client(BOSS) as boss:
        seen = (await boss.get("/v1/fleet")).json()["workers"][0]
        await boss.post("/v1/fleet/workers/w1/uncordon")
    assert (seen["state"], seen["reason"], seen["cores"]) == ("cordoned", "clock_skew", 4.0)
    assert report(locked) == "work"


async def test_a_pool_is_paused_and_goes_on(locked) -> None:
    locked.ingested("ann")
    async with locked.client(BOSS) as boss:
        paused = await boss.post("/v1/fleet/pools/io/pause", json={"reason": "a new model"})
        assert paused.status_code == 200
        assert {**paused.json(), "changed_at": ""} == {
            "pool": "io", "paused": True, "reason": "a new model", "changed_at": "",
        }  # fmt: skip
        backlog = (await boss.get("/v1/fleet/backlog")).json()["pools"]["io"]
        assert (backlog["ready"] > 0, backlog["paused"], backlog["scale_cpu_seconds"]) == (True, True, 0.0)
        assert (await boss.post("/v1/fleet/pools/io/resume")).json()["paused"] is False
        backlog = (await boss.get("/v1/fleet/backlog")).json()["pools"]["io"]
        assert backlog["scale_cpu_seconds"] >= 1.0
        missing = await boss.post("/v1/fleet/pools/tea/pause")
        wrong = await boss.post("/v1/fleet/pools/io/pause", json={"why": "x"})
    assert (missing.status_code, missing.json()["code"]) == (404, "pool_not_found")
    assert wrong.status_code == 422


async def test_the_backlog_is_for_any_key_and_counts_seconds(locked) -> None:
    locked.ingested("ann")
    report(locked)
    async with locked.client(ANN) as tenant:
        got = (await tenant.get("/v1/fleet/backlog")).json()
        told = (await tenant.get("/metrics")).text
    assert f'rushes_scale_cpu_seconds{{pool="io"}} {got["pools"]["io"]["scale_cpu_seconds"]}' in told
    assert got["pools"].keys() == set(Pool)
    assert got["sampled_at"].endswith("Z")
    io = got["pools"]["io"]
    assert io["ready"] > 0
    assert io["scale_cpu_seconds"] >= io["ready_cpu_seconds"] > 0
    assert got["pools"]["video"]["cores"] == 4.0
    everything = httpx.ASGITransport(app=locked.app, client=("192.0.2.1", 4000))
    async with httpx.AsyncClient(transport=everything, base_url="http://127.0.0.1:8000") as stranger:
        assert (await stranger.get("/v1/fleet/backlog")).status_code == 401


async def test_who_may_let_an_asset_go_first(locked) -> None:
    asset = locked.ingested("ann")
    path = f"/v1/assets/{asset.id}/priority"
    async with locked.client(ANN) as ann, locked.client(BOSS) as boss, locked.client("0123456789abcdef-bob") as bob:
        assert (await ann.post(path, json={"class": "bulk"})).status_code == 200
        assert classes(locked).keys() == {0}
        assert (await ann.post(path, json={"class": "normal"})).status_code == 200
        planned = classes(locked)
        refused = await ann.post(path, json={"class": "fast"})
        assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
        assert (await bob.post(path, json={"class": "bulk"})).status_code == 404
        assert (await boss.post(path, json={"class": "fast"})).status_code == 200
        assert (await boss.post(path, json={"class": "soon"})).status_code == 422
    assert 0 not in planned
    lifted = classes(locked)
    assert (lifted[1], lifted[2]) == (0, planned[1])  # each by a class, and nothing is above `fast`
    assert lifted[3] == planned[2] + planned[3]


@pytest.mark.parametrize("act", ["priority", "retry"])
async def test_an_operator_is_answered_with_what_concerns_operators(locked, act: str) -> None:
    """Not with the creator's words, nor with addresses by which its private preview could be seen."""
    asset = locked.ingested("ann")
    with locked.database.write() as tx:
        tx.execute(
            "UPDATE steps SET state = 'failed', reason_code = 'internal', reason_message = 'x' WHERE kind = 'checksum'"
        )
    body = {"class": "bulk"} if act == "priority" else None
    async with locked.client(BOSS) as boss, locked.client(ANN) as ann:
        got = (await boss.post(f"/v1/assets/{asset.id}/{act}", json=body)).json()
        own = (await ann.post(f"/v1/assets/{asset.id}/priority", json={"class": "normal"})).json()
    assert got.keys() == {"id", "tenant", "state", "publication", "reason", "class", "steps"}
    assert (got["id"], got["tenant"], got["class"]) == (asset.id, "ann", "bulk" if act == "priority" else "normal")
    assert {step["key"] for step in got["steps"]} >= {"probe", "checksum"}
    assert "token" not in str(got)
    assert own["playback"] and own["title"] is not None  # whose it is sees all of it


async def test_without_keys_who_sits_here_sees_all_of_it(house) -> None:
    asset = house.ingested("default")
    async with house.client() as client:
        got = (await client.post(f"/v1/assets/{asset.id}/priority", json={"class": "bulk"})).json()
    assert got["playback"]


def classes(house) -> Counter[int]:
    """Class of open steps -> how many."""
    with house.database.read() as tx:
        return Counter(row["class"] for row in tx.all("SELECT class FROM steps WHERE state IN ('ready', 'waiting')"))


async def test_a_retry_may_begin_at_a_step(locked) -> None:
    asset = locked.ingested("ann")
    path = f"/v1/assets/{asset.id}/retry"
    async with locked.client(ANN) as ann, locked.client(BOSS) as boss:
        unknown = await ann.post(path, json={"from": "nonsense"})
        nothing = await boss.post(path)
        wrong = await ann.post(path, json={"form": "probe"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "step_not_found")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_retry")
    assert wrong.status_code == 422


async def test_the_quarantine_is_seen_and_let_go(locked) -> None:
    asset = locked.ingested("ann")
    with locked.database.write() as tx:
        step = tx.one("SELECT id FROM steps WHERE kind = 'probe'")["id"]
        tx.execute("UPDATE steps SET state = 'failed', reason_code = 'quarantined' WHERE id = :id", {"id": step})
        values = {"step": step, "asset": asset.id, "bundle": json.dumps({"step": step, "job": None})}
        tx.execute(
            "INSERT INTO quarantine (step, asset, tenant, at, reason_code, bundle)"
            " VALUES (:step, :asset, 'ann', 1.0, 'worker_lost', :bundle)",
            values,
        )
    async with locked.client(BOSS) as boss:
        (listed,) = (await boss.get("/v1/quarantine")).json()["items"]
        assert (listed["step"], listed["key"], listed["reason_code"]) == (step, "probe", "worker_lost")
        assert listed["replay"] == f"rushes replay {asset.id}/probe"
        for name in (step, f"{asset.id}/probe"):
            shown = (await boss.get(f"/v1/quarantine/{name}")).json()
            assert shown["bundle"]["step"] == step
        missing = await boss.get("/v1/quarantine/nonsense")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_quarantined")
        released = await boss.post(f"/v1/quarantine/{asset.id}/probe/release")
        assert (released.status_code, released.json()["id"]) == (200, asset.id)
        assert (await boss.get("/v1/quarantine")).json()["items"] == []
        assert len((await boss.get("/v1/quarantine", params={"released": "true"})).json()["items"]) == 1
    assert {one.key: one.state for one in locked.catalog.steps(asset.id)}["probe"] == "ready"


async def test_an_operator_is_told_why_of_any_asset(locked) -> None:
    asset = locked.ingested("ann")
    path = f"/v1/assets/{asset.id}/why"
    async with locked.client(BOSS) as boss, locked.client("0123456789abcdef-bob") as bob:
        assert (await boss.get(path)).json()["asset"] == asset.id
        assert (await bob.get(path)).status_code == 404
