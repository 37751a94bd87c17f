"""One-time upload addresses over HTTP: made, read, revoked, each by its own tenant only."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from rushes.catalog.records import Upload
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import Asset
from rushes.noun import Reason
from rushes.settings import SettingsError
from rushes.tokens import digest_of

ANN, BOB = "0123456789abcdef-ann", "0123456789abcdef-bob"


def begin(house: Any, ticket: str, tenant: str = "default") -> Upload:
    now = house.clock.now()
    house.clock.advance(1)
    asset = Asset(id=new_id(now), tenant=tenant, created_at=now)
    upload = Upload(
        id=new_id(now), asset=asset.id, tenant=tenant, length=9, ticket=ticket, created_at=now, expires_at=now + 60
    )
    house.catalog.create_upload(upload, asset)
    return upload


def finish(house: Any, upload: Upload) -> None:
    house.catalog.finish_upload(upload.id, SourceRef(key=f"sources/{upload.id}", size=9))


async def test_an_address_is_made_within_limits(house) -> None:
    wanted = {
        "expires_in": 600, "cors_origin": "https://App.example.com/", "max_bytes": 5_000_000, "max_duration": 60,
        "types": ["video/*"], "count": 2, "title": "Clip\u202e", "metadata": {"user": "7"}, "profile": "fast",
    }  # fmt: skip
    async with house.client() as client:
        got = await client.post("/v1/uploads", json=wanted)
        made = got.json()
        again = (await client.get(got.headers["location"])).json()
    assert (got.status_code, got.headers["cache-control"]) == (201, "no-store")
    assert got.headers["referrer-policy"] == "no-referrer"
    assert made["url"].startswith("http://127.0.0.1:8000/files?ticket=" + made["id"])
    assert (made["state"], made["asset"], made["used"], made["count"]) == ("waiting", None, 0, 2)
    assert made["limits"] == {
        "max_bytes": 5_000_000, "max_duration": 60.0, "types": ["video/*"], "cors_origin": ["https://app.example.com"],
    }  # fmt: skip
    assert (made["title"], made["metadata"], made["profile"], made["policy"]) == (
        "Clip",
        {"user": "7"},
        "fast",
        None,
    )
    assert made["expires_at"] == "2025-06-15T15:16:40.000Z"
    assert again == {**made, "url": None}


async def test_the_database_keeps_the_digest_of_the_secret_only(house) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/uploads", json={})).json()
    token = made["url"].partition("=")[2]
    dump = "\n".join(sqlite3.connect(house.settings.data / "rushes.db").iterdump())
    assert digest_of(token) in dump
    assert token not in dump
    assert token.partition(".")[2] not in dump


async def test_nothing_has_to_be_said(house) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/uploads", json={})).json()
    assert made["limits"] == {"max_bytes": None, "max_duration": None, "types": [], "cors_origin": []}
    assert (made["count"], made["expires_at"]) == (1, "2025-06-15T16:06:40.000Z")


@pytest.mark.parametrize(
    "wanted",
    [
        {"expires_in": 0}, {"expires_in": 1e9}, {"expires_in": "soon"}, {"max_bytes": 0}, {"max_bytes": -1}, {"max_bytes": 1.5},
        {"max_duration": 0}, {"max_duration": "NaN"}, {"max_duration": "Infinity"},
        {"count": 0}, {"count": 10**9}, {"types": ["mp4"]}, {"types": ["*/*"]},
        {"types": ["video/mp4\r\nX: y"]}, {"types": ["video/mp4"] * 33}, {"cors_origin": "*"}, {"cors_origin": ["https://a.test/x"]},
        {"cors_origin": ["https://a.test"] * 33}, {"metadata": {"a": "x" * 1025}}, {"title": "x" * 501}, {"secret": "mine"},
        {"metadata": {"x" * 65: "a"}}, {"metadata": {"": "a"}},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(house, wanted: dict[str, Any]) -> None:
    async with house.client() as client:
        got = await client.post("/v1/uploads", json=wanted)
        assert (got.status_code, got.headers["content-type"]) == (422, "application/problem+json")
        assert got.json()["errors"][0]["field"].startswith("body.")
        assert (await client.get("/v1/uploads")).json()["items"] == []


@pytest.mark.parametrize(
    "wanted", [{"policy": "strict"}, {"policy": "../../etc/passwd.toml"}, {"profile": "/etc/x.toml"}]
)
async def test_only_policies_and_profiles_that_the_operator_allows(house, wanted: dict[str, str]) -> None:
    async with house.client() as client:
        got = await client.post("/v1/uploads", json=wanted)
    assert got.status_code == 400
    assert got.json()["code"] in ("policy_not_allowed", "profile_not_allowed")


async def test_a_tenant_may_be_allowed_another_policy(make_house, tmp_path) -> None:
    (tmp_path / "quotas.toml").write_text('[tenant.ann]\npolicies = ["strict"]\n')
    house = make_house(auth="keys", api_keys=f"ann:{ANN},bob:{BOB}", quotas=str(tmp_path / "quotas.toml"))
    async with house.client(ANN) as ann, house.client(BOB) as bob:
        assert (await ann.post("/v1/uploads", json={"policy": "strict"})).json()["policy"] == "strict"
        assert (await bob.post("/v1/uploads", json={"policy": "strict"})).json()["code"] == "policy_not_allowed"


def test_a_wrong_file_of_quotas_is_told_at_the_start(make_house, tmp_path) -> None:
    (tmp_path / "quotas.toml").write_text("[tenant.ann]\nopen = 1\n")
    with pytest.raises(SettingsError, match=r"\[tenant\.ann\]: open"):
        make_house(quotas=str(tmp_path / "quotas.toml"))


async def test_the_same_request_with_the_same_key_gives_the_same_address(house) -> None:
    async with house.client() as client:
        client.headers["Idempotency-Key"] = "order-7"
        first = await client.post("/v1/uploads", json={"count": 2})
        house.clock.advance(5)
        again = await client.post("/v1/uploads", json={"count": 2})
        other = await client.post("/v1/uploads", json={"count": 3})
        assert (again.status_code, again.json()) == (201, first.json())
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len((await client.get("/v1/uploads")).json()["items"]) == 1


async def test_what_became_of_it(house) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/uploads", json={"count": 2})).json()

        async def now() -> dict[str, Any]:
            return (await client.get(f"/v1/uploads/{made['id']}")).json()

        first = begin(house, made["id"])
        found = await now()
        assert (found["state"], found["used"], found["asset"]) == ("waiting", 1, first.asset)
        assert found["uploads"] == [
            {
                "id": first.id,
                "state": "open",
                "length": 9,
                "asset": first.asset,
                "asset_state": "uploading",
                "reason": None,
            }
        ]
        house.catalog.terminate_upload(first.id, reason=Reason(code="not_media", message="No video."))
        found = await now()
        assert (found["state"], found["used"], found["asset"], found["reason"]) == ("waiting", 0, None, None)
        assert found["uploads"][0]["reason"] == {"code": "not_media", "message": "No video."}
        second = begin(house, made["id"])
        finish(house, second)
        found = await now()
        assert (found["state"], found["used"], found["asset"]) == ("asset_created", 1, second.asset)


async def test_nothing_came_of_it(house) -> None:
    async with house.client() as client:
        silent, failed = [(await client.post("/v1/uploads", json={})).json()["id"] for _ in range(2)]
        reason = Reason(code="not_media", message="No video.")
        house.catalog.terminate_upload(begin(house, failed).id, reason=reason)
        house.clock.advance(3600)
        assert (await client.get(f"/v1/uploads/{silent}")).json()["state"] == "timed_out"
        found = (await client.get(f"/v1/uploads/{failed}")).json()
        assert (found["state"], found["reason"]["code"]) == ("errored", "not_media")


async def test_revoking_ends_what_is_unfinished_and_is_harmless_again(house) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/uploads", json={"count": 3})).json()
        done, under_way = begin(house, made["id"]), begin(house, made["id"])
        other = begin(house, "another")
        finish(house, done)
        got = await client.delete(f"/v1/uploads/{made['id']}")
        assert (got.status_code, got.json()["state"]) == (200, "asset_created")
        assert got.json()["cancelled_at"]
        assert (await client.delete(f"/v1/uploads/{made['id']}")).json() == got.json()
    states = [house.catalog.upload(upload.id).state for upload in (done, under_way, other)]
    assert states == ["finished", "terminated", "open"]


async def test_revoked_before_anything_came(house) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/uploads", json={})).json()
        assert (await client.delete(f"/v1/uploads/{made['id']}")).json()["state"] == "cancelled"


async def test_every_verb_is_for_the_tenants_own_key_only(locked_house) -> None:
    async with locked_house.client(ANN) as ann, locked_house.client(BOB) as bob, locked_house.client() as nobody:
        made = (await ann.post("/v1/uploads", json={})).json()
        path = f"/v1/uploads/{made['id']}"
        for method, where in (("POST", "/v1/uploads"), ("GET", "/v1/uploads"), ("GET", path), ("DELETE", path)):
            assert (await nobody.request(method, where)).status_code == 401
        for method in ("GET", "DELETE"):
            foreign, missing = await bob.request(method, path), await bob.request(method, "/v1/uploads/" + "0" * 26)
            assert foreign.status_code == missing.status_code == 404
            assert foreign.json()["code"] == missing.json()["code"] == "upload_address_not_found"
            assert (await bob.request(method, "/v1/uploads/..%2f")).status_code == 404
        assert (await bob.get("/v1/uploads")).json() == {"items": [], "next": None}
        assert (await ann.get(path)).json()["state"] == "waiting"
        # A ticket is no key: it opens nothing of the API
        ticket = made["url"].partition("?")[2]
        assert (await nobody.get(f"{path}?{ticket}")).status_code == 401


async def test_lists_are_pages(house) -> None:
    made = []
    async with house.client() as client:
        for _ in range(3):
            made.append((await client.post("/v1/uploads", json={})).json()["id"])
            house.clock.advance(1)
        first = (await client.get("/v1/uploads?limit=2")).json()
        rest = (await client.get(f"/v1/uploads?limit=2&after={first['next']}")).json()
        assert (await client.get("/v1/uploads?after=x")).json()["code"] == "invalid_cursor"
    assert [found["id"] for found in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert {found["url"] for found in first["items"]} == {None}


async def test_an_address_may_make_assets_that_take_a_token(house: Any) -> None:
    async with house.client() as client:
        made = await client.post("/v1/uploads", json={"playback": "signed"})
        plain = await client.post("/v1/uploads", json={})
        wrong = await client.post("/v1/uploads", json={"playback": "private"})
    assert (made.json()["options"]["playback"], plain.json()["options"]["playback"]) == ("signed", "public")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_playback")
