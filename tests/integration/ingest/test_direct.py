"""Direct uploads to a store that enforces signatures: real PUTs by presigned addresses, completed in each of the ways."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rushes.api import direct as routes
from rushes.api.app import create_app
from rushes.api.services import Services as ApiServices
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.clock import ManualClock, SystemClock
from rushes.ingest import direct, recovery
from rushes.ingest.direct import Direct
from rushes.ingest.finish import Position
from rushes.ingest.open import open_upload_store
from rushes.ingest.recovery import recover
from rushes.ingest.services import Services
from rushes.settings import load_settings
from rushes.storage.bucket import Bucket
from rushes.storage.open import open_store
from tests.services.swift import Swift

DATA = random.Random(6).randbytes(12 * 2**20 + 5)
KEY, OTHER_KEY, EVENTS_KEY = "k" * 20, "o" * 20, "e" * 20
MINE = {"Authorization": f"Bearer {KEY}"}
OTHERS = {"Authorization": f"Bearer {OTHER_KEY}"}
STORES = {"Authorization": f"Bearer {EVENTS_KEY}"}


class Desk:
    def __init__(self, data: Path, storage: str = "") -> None:
        self.settings = load_settings(
            {}, data=data, storage_url=storage or None, auth="keys", api_keys=f"acme:{KEY},other:{OTHER_KEY}",
            s3_events_key=EVENTS_KEY, min_free_bytes=0,
        )  # fmt: skip
        self.clock = ManualClock(SystemClock().now())
        database = open_database(self.settings.database)
        database.migrate()
        self.catalog = Catalog(Store(database, self.clock))
        self.objects, self.uploads = open_store(self.settings.storage), open_upload_store(self.settings, alone=False)
        self.services = Services(
            catalog=self.catalog, objects=self.objects, uploads=self.uploads, settings=self.settings,
            clock=self.clock, tenant_of=lambda _: "acme",
        )  # fmt: skip
        self.bucket = Bucket.parse(storage) if storage else None
        self.http = TestClient(self._app())

    def _app(self) -> FastAPI:
        services = ApiServices(self.settings, self.catalog, self.objects, self.clock)
        return create_app(services, (routes.router(Direct(self.services), self.services.call),))

    def begin(self, data: bytes = DATA, **more: Any) -> dict[str, Any]:
        body = {"length": len(data), "filename": "clip.mp4", **more}
        answer = self.http.post("/v1/uploads/direct", json=body, headers=MINE)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def complete(self, upload: str, **more: Any) -> httpx.Response:
        return self.http.post(f"/v1/uploads/direct/{upload}/complete", headers=MINE, **more)

    def tell(self, plan: dict[str, Any], name: str = "ObjectCreated:CompleteMultipartUpload") -> list[str]:
        """The store's message about an object."""
        assert self.bucket
        key = quote_plus(f"{self.bucket.prefix}{self.key(plan)}", safe="/")
        about = {"bucket": {"name": self.bucket.name}, "object": {"key": key, "size": 1}}
        answer = self.http.post(
            "/v1/uploads/s3-events", json={"Records": [{"eventName": name, "s3": about}]}, headers=STORES
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json()["finished"])

    def key(self, plan: dict[str, Any]) -> str:
        return f"sources/acme/{plan['asset']}/1"

    def state(self, plan: dict[str, Any]) -> str:
        return self.catalog.asset(plan["asset"]).state.value

    def assert_whole(self, plan: dict[str, Any], data: bytes = DATA) -> None:
        asset = self.catalog.asset(plan["asset"])
        assert asset.source is not None
        assert asset.source.size == len(data)
        assert self.objects.read(asset.source.key) == data
        assert self.catalog.uploads_of(asset.id)[0].state == "finished"
        assert [event.type for event in self.catalog.events(asset=asset.id)] == ["asset.created", "asset.ingested"]
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        assert self.bucket
        assert list(self.uploads.list()) == []
        assert list(self.bucket.uploads("")) == []


def send(plan: dict[str, Any], data: bytes = DATA, skip: int = 0) -> dict[int, str]:
    """PUT the parts; gives their ETags."""
    etags = {}
    for part in plan["parts"]:
        if part["number"] != skip:
            answer = httpx.put(part["url"], content=data[part["start"] : part["start"] + part["size"]])
            assert answer.status_code == 200, answer.text
            etags[part["number"]] = answer.headers["etag"]
    return etags


@pytest.fixture
def desk(s3: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(direct, "PART", 5 * 2**20)
    desk = Desk(tmp_path / "data", s3.url(s3.bucket(), "videos"))
    with desk.http:
        yield desk


def test_parts_sent_straight_to_the_store_become_the_source(desk: Desk) -> None:
    plan = desk.begin(title="Opening night", metadata={"show": "7"})
    assert (plan["part_count"], plan["part_size"], plan["next"]) == (3, 5 * 2**20, None)
    assert sum(part["size"] for part in plan["parts"]) == len(DATA)
    assert desk.state(plan) == "uploading"
    etags = send(plan)
    answer = desk.complete(plan["id"], json={"parts": [{"number": n, "etag": e} for n, e in etags.items()]})
    assert (answer.status_code, answer.json()["state"]) == (200, "ingested")
    assert answer.headers["location"] == f"/v1/assets/{plan['asset']}"
    assert (answer.json()["title"], answer.json()["metadata"]) == ("Opening night", {"show": "7"})
    desk.assert_whole(plan)


def test_the_store_is_asked_where_the_client_kept_no_etags(desk: Desk) -> None:
    plan = desk.begin()
    send(plan)
    assert desk.complete(plan["id"]).status_code == 200
    desk.assert_whole(plan)


def test_completing_twice_is_harmless(desk: Desk) -> None:
    plan = desk.begin()
    send(plan)
    assert [desk.complete(plan["id"]).status_code for _ in range(2)] == [200, 200]
    desk.assert_whole(plan)


def test_a_small_file_has_one_part(desk: Desk) -> None:
    plan = desk.begin(b"small")
    assert plan["part_count"] == 1
    send(plan, b"small")
    assert desk.complete(plan["id"]).status_code == 200
    desk.assert_whole(plan, b"small")


def test_a_part_that_is_missing_is_named_and_may_come_later(desk: Desk) -> None:
    plan = desk.begin()
    send(plan, skip=2)
    answer = desk.complete(plan["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "parts_missing")
    assert "2" in answer.json()["detail"]
    assert desk.state(plan) == "uploading"
    send(plan)
    assert desk.complete(plan["id"]).status_code == 200
    desk.assert_whole(plan)


@pytest.mark.parametrize("wrong", [{1: '"00000000000000000000000000000000"'}, {9: '"x"'}])
def test_etags_that_are_not_the_stores_are_refused(desk: Desk, wrong: dict[int, str]) -> None:
    plan = desk.begin()
    etags = send(plan) | wrong
    answer = desk.complete(plan["id"], json={"parts": [{"number": n, "etag": e} for n, e in etags.items()]})
    assert (answer.status_code, answer.json()["code"]) == (409, "parts_differ")


def test_an_address_takes_its_own_part_only(desk: Desk) -> None:
    plan = desk.begin()
    first, second = plan["parts"][:2]
    forged = first["url"].replace("partNumber=1", "partNumber=2")
    assert httpx.put(forged, content=b"x" * second["size"]).status_code == 403
    assert httpx.put(first["url"], content=b"x" * 10).status_code in (400, 403)
    assert httpx.get(first["url"]).status_code in (403, 405)


def test_addresses_come_in_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "PAGE", 2)
    plan = desk.begin()
    assert ([part["number"] for part in plan["parts"]], plan["next"]) == ([1, 2], 3)
    page = desk.http.get(f"/v1/uploads/direct/{plan['id']}?first=3", headers=MINE).json()
    assert ([part["number"] for part in page["parts"]], page["next"]) == ([3], None)
    beyond = desk.http.get(f"/v1/uploads/direct/{plan['id']}?first=4", headers=MINE)
    assert (beyond.status_code, beyond.json()["code"]) == (400, "no_such_part")


# -- what the store tells ---------------------------------------------------------------------------------------------


def client_completes(plan: dict[str, Any], etags: dict[int, str]) -> None:
    """By the presigned call, without us (Amazon S3 API reference, CompleteMultipartUpload)."""
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in sorted(etags.items()))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    answer = httpx.post(plan["complete_url"], content=body, headers={"Content-Type": "application/xml"}, timeout=30)
    assert answer.status_code == 200, answer.text


def test_a_bucket_event_finishes_what_the_client_completed(desk: Desk) -> None:
    plan = desk.begin()
    client_completes(plan, send(plan))
    assert desk.state(plan) == "uploading"
    assert desk.tell(plan) == [plan["asset"]]
    desk.assert_whole(plan)
    assert desk.tell(plan) == [], "the second time there is nothing to do"
    assert desk.complete(plan["id"]).status_code == 200
    desk.assert_whole(plan)


def test_a_call_finishes_it_too_where_the_event_was_lost(desk: Desk) -> None:
    plan = desk.begin()
    client_completes(plan, send(plan))
    assert desk.complete(plan["id"]).status_code == 200
    desk.assert_whole(plan)


async def test_recovery_finishes_it_where_nobody_tells(desk: Desk) -> None:
    plan = desk.begin()
    client_completes(plan, send(plan))
    desk.clock.advance(desk.settings.upload_expiry + 60)
    await recover(desk.services)
    desk.assert_whole(plan)


async def test_recovery_does_not_wait_until_it_would_expire(desk: Desk) -> None:
    plan = desk.begin()
    client_completes(plan, send(plan))
    await recover(desk.services)
    desk.assert_whole(plan)


async def test_a_round_of_recovery_asks_for_some_of_many_uploads_and_the_next_ones_for_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [desk.begin(b"small") for _ in range(3)]
    for plan in plans:
        client_completes(plan, send(plan, b"small"))
    monkeypatch.setattr(recovery, "ASKED", 1)
    for left in (2, 1, 0):
        await recover(desk.services)
        assert [desk.state(plan) for plan in plans].count("uploading") == left


async def test_a_kill_in_the_middle_of_completing_is_mended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.begin()
    send(plan)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(direct, "finish", killed)
        Direct(desk.services).complete("acme", plan["id"])
    assert desk.state(plan) == "uploading"
    await recover(desk.services)
    desk.assert_whole(plan)


def test_an_object_of_another_size_than_announced_fails(desk: Desk) -> None:
    plan = desk.begin()
    etags = send(plan)
    client_completes(plan, {1: etags[1]})
    assert desk.tell(plan) == []
    asset = desk.catalog.asset(plan["asset"])
    assert asset.reason is not None and asset.reason.code == "upload_size_differs"
    assert list(desk.objects.list("sources/")) == []
    desk.assert_nothing_left()


@pytest.mark.parametrize(
    "message",
    [
        {}, [], {"Records": [{"eventName": "ObjectCreated:Put"}]}, {"Event": "s3:TestEvent"},
        {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "videos/sources/acme/../1"}}}]},
        {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "videos/media/x/1"}}}]},
    ],
)  # fmt: skip
def test_messages_about_something_else_are_harmless(desk: Desk, message: object) -> None:
    answer = desk.http.post("/v1/uploads/s3-events", json=message, headers=STORES)
    assert (answer.status_code, answer.json()) == (200, {"finished": []})


def test_a_message_about_an_object_that_is_not_there_changes_nothing(desk: Desk) -> None:
    plan = desk.begin()
    assert desk.tell(plan) == []
    assert desk.state(plan) == "uploading"


@pytest.mark.parametrize("headers", [{}, MINE, {"Authorization": "Bearer "}, {"Authorization": f"Basic {EVENTS_KEY}"}])
def test_only_who_has_the_key_may_tell(desk: Desk, headers: dict[str, str]) -> None:
    assert desk.http.post("/v1/uploads/s3-events", json={}, headers=headers).status_code == 401


@pytest.mark.parametrize(("body", "status"), [(b"nonsense", 400), (b"[" * 100_000, 400), (b"x" * 2**21, 413)])
def test_nonsense_is_refused(desk: Desk, body: bytes, status: int) -> None:
    assert desk.http.post("/v1/uploads/s3-events", content=body, headers=STORES).status_code == status


# -- the end, and who may ---------------------------------------------------------------------------------------------


def test_giving_it_up_leaves_nothing(desk: Desk) -> None:
    plan = desk.begin()
    send(plan)
    assert desk.http.delete(f"/v1/uploads/direct/{plan['id']}", headers=MINE).status_code == 204
    desk.assert_nothing_left()
    assert desk.state(plan) == "deleted"
    assert desk.complete(plan["id"]).status_code == 404
    assert httpx.put(plan["parts"][0]["url"], content=DATA[: plan["parts"][0]["size"]]).status_code == 404


def test_giving_it_up_takes_along_what_the_client_completed(desk: Desk) -> None:
    plan = desk.begin()
    client_completes(plan, send(plan))
    for _ in range(2):
        assert desk.http.delete(f"/v1/uploads/direct/{plan['id']}", headers=MINE).status_code == 204
    assert desk.state(plan) == "deleted"
    assert list(desk.objects.list("sources/")) == []
    desk.assert_nothing_left()


async def test_an_upload_that_expires_takes_along_what_the_client_completes_at_that_moment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = desk.begin()
    etags = send(plan)
    desk.clock.advance(desk.settings.upload_expiry + 60)

    def late(*_: object) -> bool:
        """Nothing is there yet; at once it is."""
        client_completes(plan, etags)
        return False

    monkeypatch.setattr(recovery, "finish_if_there", late)
    monkeypatch.setattr(recovery, "position", lambda *_: Position(0, 0.0))
    await recover(desk.services)
    assert desk.state(plan) == "failed"
    assert list(desk.objects.list("sources/")) == []
    desk.assert_nothing_left()


def test_what_is_complete_cannot_be_given_up(desk: Desk) -> None:
    plan = desk.begin()
    send(plan)
    desk.complete(plan["id"])
    answer = desk.http.delete(f"/v1/uploads/direct/{plan['id']}", headers=MINE)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_ended")
    assert desk.http.get(f"/v1/uploads/direct/{plan['id']}", headers=MINE).status_code == 409
    desk.assert_whole(plan)


async def test_what_nobody_completes_expires(desk: Desk) -> None:
    plan = desk.begin()
    send(plan, skip=3)
    await recover(desk.services)
    assert desk.state(plan) == "uploading"
    desk.clock.advance(desk.settings.upload_expiry + 60)
    await recover(desk.services)
    asset = desk.catalog.asset(plan["asset"])
    assert asset.reason is not None and asset.reason.code == "upload_expired"
    desk.assert_nothing_left()


def test_a_sweep_knows_a_direct_upload(desk: Desk) -> None:
    plan = desk.begin()
    assert desk.uploads.sweep(desk.clock.now() + 1e6) == 0
    send(plan)
    assert desk.complete(plan["id"]).status_code == 200


def test_other_tenants_do_not_see_it(desk: Desk) -> None:
    plan = desk.begin()
    path = f"/v1/uploads/direct/{plan['id']}"
    answers = [
        desk.http.get(path, headers=OTHERS),
        desk.http.post(f"{path}/complete", headers=OTHERS),
        desk.http.delete(path, headers=OTHERS),
        desk.http.get("/v1/uploads/direct/..%2f..", headers=MINE),
        desk.http.get("/v1/uploads/direct/" + "0" * 26, headers=MINE),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert desk.http.get(path).status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"length": 0}, {"length": -1}, {"length": "x"}, {"length": 2**60}, {"length": 5, "x": 1}]
)
def test_bad_requests_are_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.http.post("/v1/uploads/direct", json=body, headers=MINE).status_code == 422
    assert desk.catalog.assets(tenant="acme")[0] == []


def test_a_file_beyond_the_limit_is_refused(desk: Desk) -> None:
    answer = desk.http.post("/v1/uploads/direct", json={"length": 2**50}, headers=MINE)
    assert answer.status_code == 413
    desk.assert_nothing_left()


def test_a_server_with_files_of_its_own_says_so(tmp_path: Path) -> None:
    with Desk(tmp_path / "data").http as http:
        answer = http.post("/v1/uploads/direct", json={"length": 5}, headers=MINE)
        assert (answer.status_code, answer.json()["code"]) == (501, "direct_unavailable")
        assert http.post("/v1/uploads/s3-events", json={}, headers=STORES).status_code == 501


def test_slow_stores_keep_only_uploads_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Direct uploads wait for the store in the threads of uploads: those that serve videos stay free."""
    names: list[str] = []
    monkeypatch.setattr(Direct, "abort", lambda *_: names.append(threading.current_thread().name))
    assert Desk(tmp_path).http.delete("/v1/uploads/direct/x", headers=MINE).status_code == 204
    assert [name.partition("_")[0] for name in names] == ["ingest"]
