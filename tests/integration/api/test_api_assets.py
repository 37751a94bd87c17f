import pytest

from rushes.catalog.records import Event
from rushes.keys import new_id, pointer_key, tombstone_key
from rushes.noun import Reason
from rushes.states import AssetState, Publication

ANN, BOB = "0123456789abcdef-ann", "0123456789abcdef-bob"
FIELDS = """id tenant title metadata state publication reason created_at uploaded_at playable_at ready_at published_at
source playback build renditions tracks labels coverage verdict transcript steps cost"""
SURFACE = set(FIELDS.split())
"""The fields of the asset JSON that scripts rely on."""


async def test_an_asset_from_its_first_moment(house) -> None:
    asset = house.uploading()
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}")).json()
    assert got.keys() >= SURFACE
    assert (got["state"], got["publication"], got["source"], got["steps"]) == ("uploading", "private", None, [])
    assert got["created_at"] == "2025-06-15T15:06:40.000Z"


async def test_a_published_asset(house) -> None:
    asset = house.built(Publication.PUBLISHED)
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}")).json()
        assert got["playback"]["hls"] == f"http://127.0.0.1:8000/media/{asset.id}/master.m3u8"
        assert (await client.get(got["playback"]["hls"])).status_code == 200
        assert (await client.get(got["tracks"][0]["url"])).status_code == 200
    assert got["renditions"][0]["bitrate"] == round(2**20 * 8 / 4)
    assert got["cost"]["bytes_stored"] == 2**20 + 10
    assert {step["kind"] for step in got["steps"]} >= {"probe"}


async def test_addresses_follow_the_public_url(make_house) -> None:
    house = make_house(public_url="https://video.example.com/")
    asset = house.built(Publication.PUBLISHED)
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}")).json()
    assert got["playback"]["hls"] == f"https://video.example.com/media/{asset.id}/master.m3u8"


async def test_an_etag_spares_the_body_until_something_changes(house) -> None:
    asset = house.ingested()
    async with house.client() as client:
        first = await client.get(f"/v1/assets/{asset.id}")
        tag = {"If-None-Match": first.headers["etag"]}
        again = await client.get(f"/v1/assets/{asset.id}", headers=tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        house.change(asset, title="Another title")
        changed = await client.get(f"/v1/assets/{asset.id}", headers=tag)
    assert changed.json()["title"] == "Another title"
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_held_assets_etag_is_stable_although_it_has_a_token(house) -> None:
    asset = house.built(Publication.HELD)
    async with house.client() as client:
        first = await client.get(f"/v1/assets/{asset.id}")
        house.clock.advance(60)
        again = await client.get(f"/v1/assets/{asset.id}", headers={"If-None-Match": first.headers["etag"]})
    assert first.json()["playback"]["private"]["hls"]
    assert again.status_code == 304


async def test_pages_of_a_list_are_complete_and_newest_first(house) -> None:
    ids = [house.ingested().id for _ in range(5)]
    house.uploading()
    seen, cursor, pages = [], None, 0
    async with house.client() as client:
        while pages == 0 or cursor:
            query = {"limit": 2, "state": "ingested", **({"after": cursor} if cursor else {})}
            page = (await client.get("/v1/assets", params=query)).json()
            seen += [item["id"] for item in page["items"]]
            cursor, pages = page["next"], pages + 1
    assert seen == ids[::-1]
    assert pages == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "state=lost", "after=../../etc"])
async def test_wrong_questions_are_problems(house, query: str) -> None:
    async with house.client() as client:
        answer = await client.get(f"/v1/assets?{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("invalid_request", "invalid_cursor")


async def test_tenants_see_only_their_own(locked_house) -> None:
    # Given an asset of ann
    asset = locked_house.ingested("ann")
    async with locked_house.client(ANN) as ann, locked_house.client(BOB) as bob:
        assert (await ann.get(f"/v1/assets/{asset.id}")).status_code == 200
        # Then for bob it is as if it did not exist, whatever he tries
        calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/cancel")]
        calls += [("GET", "/why"), ("GET", "/events")]
        missing = (await bob.get(f"/v1/assets/{new_id(0, 1)}")).json()
        for method, path in calls:
            answer = await bob.request(method, f"/v1/assets/{asset.id}{path}", json={} if method == "PATCH" else None)
            assert answer.status_code == 404, (method, path)
            assert {**answer.json(), "request_id": ""} == {**missing, "request_id": ""}
        assert (await bob.get("/v1/assets")).json()["items"] == []
        assert (await bob.get("/v1/events")).json()["items"] == []
        assert len((await ann.get("/v1/assets")).json()["items"]) == 1
    assert locked_house.catalog.asset(asset.id).state is AssetState.INGESTED


@pytest.mark.parametrize("path", ["/v1/assets", "/v1/assets/x", "/v1/assets/x/events", "/v1/events", "/v1/fleet"])
async def test_without_a_key_there_is_a_challenge(locked_house, path: str) -> None:
    async with locked_house.client() as client, locked_house.client("0123456789abcdef-nobody") as wrong:
        for answer in (await client.get(path), await wrong.get(path)):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == 'Bearer realm="rushes"'
            assert answer.json()["code"] == "unauthorized"


async def test_title_and_metadata_can_be_changed(house) -> None:
    asset = house.ingested()
    async with house.client() as client:
        got = await client.patch(f"/v1/assets/{asset.id}", json={"title": "New", "metadata": {"a": "b"}})
        assert (got.json()["title"], got.json()["metadata"]) == ("New", {"a": "b"})
        got = await client.patch(f"/v1/assets/{asset.id}", json={"metadata": {}})
        assert (got.json()["title"], got.json()["metadata"]) == ("New", {})
        for wrong in ({"state": "ready"}, {"title": 5}, {"title": "x" * 501}, {"metadata": {"": "x"}}, []):
            answer = await client.patch(f"/v1/assets/{asset.id}", json=wrong)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_deleting_takes_it_down_before_the_answer(house) -> None:
    asset = house.built(Publication.PUBLISHED)
    address = f"/media/{asset.id}/master.m3u8"
    async with house.client() as client:
        assert (await client.get(address)).status_code == 200
        got = await client.delete(f"/v1/assets/{asset.id}")
        assert (got.status_code, got.json()["state"], got.json()["playback"]["hls"]) == (200, "deleted", None)
        assert got.json()["purge"][:1] == [address]
        assert got.json()["purge"][2:] == [f"/media/{asset.id}/*", f"/artifacts/{asset.id}/*"]
        # Then nothing of it is served, although no worker has run
        for path in (
            address,
            f"/media/{asset.id}/manifest.mpd",
            f"/media/{asset.id}/b/1/720p.m3u8",
            f"/artifacts/{asset.id}/poster/1/poster.jpg",
        ):
            assert (await client.get(path)).status_code == 404
        assert (await client.delete(f"/v1/assets/{asset.id}")).status_code == 200
        assert (await client.get("/v1/assets")).json()["items"] == []
        assert (await client.get("/v1/assets?state=deleted")).json()["items"][0]["id"] == asset.id
    assert house.store.head(tombstone_key(asset.id))
    assert "cleanup" in {step.kind for step in house.catalog.steps(asset.id)}


async def test_cancel_and_retry(house) -> None:
    asset = house.ingested()
    async with house.client() as client:
        refused = await client.post(f"/v1/assets/{asset.id}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_retry")
        got = (await client.post(f"/v1/assets/{asset.id}/cancel")).json()
        assert (got["state"], got["reason"]["code"]) == ("failed", "cancelled")
        assert (await client.post(f"/v1/assets/{asset.id}/retry")).json()["state"] == "ingested"


async def test_why(house) -> None:
    asset = house.ingested()
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}/why")).json()
    assert got["asset"] == asset.id
    assert got["why"].endswith(".")


async def test_the_feed_can_be_replayed_from_any_point(house) -> None:
    asset = house.built(Publication.PUBLISHED)
    house.change(asset, "asset.published")
    async with house.client() as client:
        whole = (await client.get("/v1/events")).json()
        assert whole["next"] is None
        assert [item["type"] for item in whole["items"]][:2] == ["asset.created", "asset.ingested"]
        assert whole["items"][-1]["type"] == "asset.published"
        # When read two at a time
        parts, cursor = [], "0"
        while cursor:
            page = (await client.get("/v1/events", params={"after": cursor, "limit": 2})).json()
            parts, cursor = parts + page["items"], page["next"]
        assert parts == whole["items"]
        later = (await client.get("/v1/events", params={"after": whole["items"][-1]["seq"]})).json()
        assert later == {"items": [], "next": None}
    stored: list[Event] = house.catalog.events()
    assert [item["id"] for item in whole["items"]] == [event.id for event in stored]


@pytest.mark.parametrize("after", [-1, 2**63, 10**30])
async def test_a_place_in_the_feed_that_cannot_be_is_refused(house, after: int) -> None:
    async with house.client() as client:
        answer = await client.get("/v1/events", params={"after": str(after)})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"


async def test_a_failed_asset_says_why(house) -> None:
    asset = house.ingested()
    house.change(asset, state=AssetState.FAILED, reason=Reason(code="not_media", message="Not a video."))
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}")).json()
    assert got["reason"] == {"code": "not_media", "message": "Not a video."}


async def test_openapi_tells_of_the_asset_and_of_problems(house) -> None:
    async with house.client() as client:
        spec = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 200
    asset = spec["paths"]["/v1/assets/{asset}"]["get"]["responses"]
    assert asset["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/AssetView")
    assert "application/problem+json" in asset["4XX"]["content"]
    assert spec["components"]["schemas"]["AssetView"]["properties"].keys() >= SURFACE
    assert pointer_key("{asset}", "x").rsplit("/", 1)[0] + "/{path}" == "media/{asset}/{path}"
    assert spec["paths"].keys() >= {"/media/{asset}/{path}", "/signed/{token}/media/{asset}/{path}"}


async def test_a_moderator_decides_over_the_policy(house) -> None:
    asset = house.built(Publication.PUBLISHED)
    async with house.client() as client:
        held = await client.post(f"/v1/assets/{asset.id}/verdict", json={"action": "hold"})
        assert (held.status_code, held.json()["publication"]) == (200, "held")
        assert held.json()["verdict"]["rules"] == ["override"]
        assert (await client.get(f"/media/{asset.id}/master.m3u8")).status_code == 404
        wrong = await client.post(f"/v1/assets/{asset.id}/verdict", json={"action": "maybe"})
        assert wrong.status_code == 422
        nothing = await client.post(f"/v1/assets/{house.ingested().id}/verdict", json={"action": "publish"})
        assert (nothing.status_code, nothing.json()["code"]) == (409, "no_build")
