import pytest
from prometheus_client.parser import text_string_to_metric_families

from rushes.catalog import workforce
from rushes.catalog.catalog import Catalog
from rushes.catalog.database import READ_ONLY, DatabaseUnavailable
from rushes.catalog.workforce import Presence
from rushes.states import Pool, Publication
from rushes.storage.store import StoreError

ANN = "0123456789abcdef-ann"


def worker_reports(house, name: str = "w1", sandbox: str = "bwrap") -> None:
    with house.database.write() as tx:
        workforce.report(tx, name, Presence(pools=(Pool.VIDEO, Pool.IO), slots=4, sandbox=sandbox), house.clock.now())


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {
        (item.name, tuple(sorted(item.labels.items()))): item.value for family in families for item in family.samples
    }


async def test_alive(house) -> None:
    async with house.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_the_sandbox_in_force_is_in_the_metrics_and_in_the_fleet(house) -> None:
    for name, mode in (("w1", "bwrap"), ("w2", "bwrap"), ("w3", "rlimits")):
        worker_reports(house, name, mode)
    async with house.client() as client:
        found = samples((await client.get("/metrics")).text)
        workers = (await client.get("/v1/fleet")).json()["workers"]
    assert found["rushes_worker_sandbox", (("mode", "bwrap"),)] == 2
    assert found["rushes_worker_sandbox", (("mode", "rlimits"),)] == 1
    assert [worker["sandbox"] for worker in workers] == ["bwrap", "bwrap", "rlimits"]


async def test_ready_needs_a_worker(house) -> None:
    async with house.client() as client:
        before = await client.get("/readyz")
        assert before.status_code == 503
        assert {name: check["ok"] for name, check in before.json()["checks"].items()} == {
            "database": True,
            "store": True,
            "workers": False,
        }
        worker_reports(house)
        after = await client.get("/readyz")
        assert (after.status_code, after.json()["status"]) == (200, "ready")
        # A worker that is not heard of any more does not count
        house.clock.advance(3600)
        assert (await client.get("/readyz")).status_code == 503
    assert [info.key for info in house.store.list("health/")] == []


async def test_ready_tells_which_part_is_broken_but_not_how(
    house, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker_reports(house)

    def fail(*arguments: object) -> None:
        raise StoreError("no space left on /secret/disk")

    monkeypatch.setattr(house.store, "put_bytes", fail)
    async with house.client() as client:
        got = await client.get("/readyz")
    assert got.status_code == 503
    assert [name for name, check in got.json()["checks"].items() if not check["ok"]] == ["store"]
    assert "secret" not in got.text
    assert "no space left" in caplog.text  # the log says how, without a stack trace at every look
    assert "Traceback" not in caplog.text


async def test_metrics_count_what_the_catalog_holds(house) -> None:
    house.uploading()
    house.ingested()
    house.built(Publication.PUBLISHED)
    worker_reports(house)
    house.clock.advance(10)
    async with house.client() as client:
        await client.get("/v1/assets")
        await client.get("/v1/assets/nonsense")
        got = await client.get("/metrics")
    assert got.headers["content-type"].startswith("text/plain")
    found = samples(got.text)
    assert found["rushes_uploads_active", ()] == 1
    assert found["rushes_assets", (("state", "uploading"),)] == 1
    assert found["rushes_steps", (("kind", "probe"), ("pool", "io"), ("state", "ready"))] == 2
    assert found["rushes_backlog_cpu_seconds", (("pool", "io"),)] > 0
    assert found["rushes_oldest_ready_step_age_seconds", (("pool", "io"),)] >= 10
    assert found["rushes_outbox_lag_seconds", ()] > 0
    assert found["rushes_worker_slots", (("state", "free"),)] == 4
    # Routes, not paths, are labels
    key = (("code", "404"), ("method", "GET"), ("route", "/v1/assets/{asset}"))
    assert found["rushes_http_requests_total", key] == 1
    assert found["rushes_http_response_start_seconds_count", (("method", "GET"), ("route", "/v1/assets"))] == 1
    assert "nonsense" not in got.text


async def test_a_server_shows_what_it_has_served_while_the_catalog_is_away(
    house, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the errors it answers with would be seen by nobody, just when there are some."""

    def away() -> None:
        raise DatabaseUnavailable("it has no leave to write", READ_ONLY)

    async with house.client() as client:
        assert samples((await client.get("/metrics")).text)["rushes_catalog_up", ()] == 1
        monkeypatch.setattr(Catalog, "counts", lambda _: away())
        monkeypatch.setattr(Catalog, "fleet", lambda _: away())
        refused = await client.get("/v1/fleet")
        got = await client.get("/metrics")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused.json()["detail"] == "The database takes no changes now. Please try again."
    assert got.status_code == 200
    found = samples(got.text)
    assert found["rushes_catalog_up", ()] == 0
    assert found["rushes_http_requests_total", (("code", "503"), ("method", "GET"), ("route", "/v1/fleet"))] == 1


async def test_metrics_of_two_applications_do_not_mix(make_house) -> None:
    first, second = make_house(), make_house()
    async with first.client() as one, second.client() as two:
        await one.get("/healthz")
        got = samples((await two.get("/metrics")).text)
    assert not [key for key in got if key[0] == "rushes_http_requests_total"]


async def test_the_fleet(house) -> None:
    asset = house.ingested()
    worker_reports(house)
    with house.database.write() as tx:
        tx.execute("UPDATE steps SET state = 'running', lease_owner = 'w1' WHERE kind = 'probe'")
    async with house.client() as client:
        got = (await client.get("/v1/fleet")).json()
    (worker,) = got["workers"]
    assert (worker["id"], worker["slots"], worker["steps"]) == ("w1", 4, [f"{asset.id}/probe"])
    assert worker["seen_at"].endswith("Z")
    assert {pool["pool"] for pool in got["pools"]} >= {"io", "video"}


async def test_the_fleet_names_no_steps_of_others(locked_house) -> None:
    asset = locked_house.ingested("bob")
    worker_reports(locked_house)
    with locked_house.database.write() as tx:
        tx.execute("UPDATE steps SET state = 'running', lease_owner = 'w1' WHERE kind = 'probe'")
    async with locked_house.client(ANN) as client:
        got = await client.get("/v1/fleet")
    assert got.json()["workers"][0]["steps"] == ["another tenant's"]
    assert asset.id not in got.text


async def test_unknown_addresses_and_methods_are_problems(house) -> None:
    async with house.client() as client:
        missing, wrong = await client.get("/nowhere"), await client.put("/v1/assets")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]
    for answer in (missing, wrong):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_an_error_of_ours_is_a_problem(house, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("SELECT secret FROM house")

    monkeypatch.setattr(house.catalog, "assets", fail)
    async with house.client() as client:
        got = await client.get("/v1/assets")
    assert (got.status_code, got.json()["code"]) == (500, "internal")
    assert "secret" not in got.text
