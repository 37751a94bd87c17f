"""What is made on demand, by what a player and its owner are told: beacon, playlists, segments that are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rushes.api import on_request
from rushes.api.signed import sign
from rushes.catalog.pipeline import Pipeline
from rushes.keys import new_id, pointer_key
from rushes.model import Asset
from rushes.storage.store import POINTER
from rushes.tracks import Protection
from tests.contract import test_demands as steps
from tests.integration.api.conftest import ANN, BOB, House

SECRET = "a secret of more than thirty-two characters"
FIRST, SECOND = steps.BOTH


class Works:
    """A house with its workers."""

    def __init__(self, house: House) -> None:
        self.house, self.catalog, self.clock, self.database = house, house.catalog, house.clock, house.database
        self.pipeline = Pipeline(house.rows, lease=30.0, max_attempts=3, tool="ffmpeg-test")
        self.hastened = threading.Event()
        self.looks: list[str] = []
        """Steps that somebody was made to wait for."""
        hasten = self.catalog.hasten

        def told(asset: str, key: str) -> None:
            hasten(asset, key)
            self.looks.append(key)
            self.hastened.set()

        self.catalog.hasten = told  # type: ignore[method-assign]

    def published(self, text: bytes = b"#EXTM3U\n# rushes build=1\n") -> Asset:
        asset = steps.ready(self)  # type: ignore[arg-type]
        for name in ("master.m3u8", "manifest.mpd"):
            self.house.put(pointer_key(asset.id, name), text, POINTER)
        return asset

    def make(self, key: str) -> None:
        while (claim := self.pipeline.claim(tuple(steps.Pool), "w1")) is not None:
            if claim.job.key == key:
                assert self.pipeline.complete(claim.job, steps.said(claim.job), 1.0)
                return
        raise AssertionError(f"there is no step {key}")

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.catalog.events(limit=1000) if event.type == "asset.demanded"]


@pytest.fixture
def works(house: House) -> Works:
    return Works(house)


async def get(works: Works, path: str, **options: Any) -> httpx.Response:
    async with works.house.client() as client:
        return await client.get(path, **options)


async def settled(works: Works) -> None:
    await works.house.app.state.plays.settled()


# -- The beacon and the pointer ---------------------------------------------------------------------------------------


async def test_a_beacon_makes_it_and_a_flood_of_them_costs_nothing(works: Works) -> None:
    asset = works.published()
    async with works.house.client() as client:
        first = await client.post(f"/plays/{asset.id}", headers={"Origin": "https://blog.example"})
        await settled(works)
        demanded = works.catalog.asset(asset.id)
        rest = [await client.post(f"/plays/{asset.id}") for _ in range(50)]
        preflight = await client.options(f"/plays/{asset.id}")
    await settled(works)
    assert (first.status_code, first.content, first.headers["access-control-allow-origin"]) == (204, b"", "*")
    assert {answer.status_code for answer in rest} == {204}
    assert demanded.demand.by == "play"
    assert works.catalog.asset(asset.id) == demanded and works.told == ["asset.demanded"]
    assert (preflight.status_code, "POST" in preflight.headers["access-control-allow-methods"]) == (204, True)


async def test_once_enough_is_known_the_catalog_is_not_asked_again(works: Works) -> None:
    asset = works.published()
    plays = works.house.app.state.plays
    asked: list[str] = []
    read = works.catalog.asset

    def counted(identity: str) -> Asset:
        asked.append(identity)
        return read(identity)

    works.catalog.asset = counted  # type: ignore[method-assign]
    for _ in range(30):
        plays.notice(asset.id, "play")
        await plays.settled()
    assert len(asked) == 1
    works.clock.advance(61)
    plays.notice(asset.id, "play")
    await plays.settled()
    assert len(asked) == 2


@pytest.mark.parametrize("profile", ["fast", "lazy"])
async def test_plays_of_a_first_look_do_not_each_write(works: Works, profile: str) -> None:
    asset = steps.upload(works, profile)  # type: ignore[arg-type]
    plays, asked, demand = works.house.app.state.plays, [], works.catalog.demand

    def counted(*given: Any) -> Asset:
        asked.append(given)
        return demand(*given)

    works.catalog.demand = counted  # type: ignore[method-assign]
    for _ in range(30):
        plays.notice(asset.id, "play")
        await plays.settled()
    assert len(asked) == (1 if profile == "fast" else 2)
    assert (works.catalog.asset(asset.id).demand.requested_at is not None) == (profile == "lazy")


async def test_too_many_at_a_time_are_passed_over(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    plays, go = works.house.app.state.plays, threading.Event()
    monkeypatch.setattr(plays, "_tell", lambda asset, by: go.wait(10))
    for _ in range(40):
        plays.notice(new_id(1.0), "play")
    assert len(plays._telling) == 4
    go.set()
    await plays.settled()


@pytest.mark.parametrize("path", ["nonsense", "01jxt21q00sa1t30k0b848prtp", "../x"])
async def test_a_beacon_of_what_is_not_public(works: Works, path: str) -> None:
    async with works.house.client() as client:
        answer = await client.post(f"/plays/{path}")
    assert answer.status_code in (404, 405)


async def test_a_beacon_of_what_is_held_back_says_nothing(works: Works) -> None:
    asset = steps.ready(works)  # type: ignore[arg-type]
    async with works.house.client() as client:
        assert (await client.post(f"/plays/{asset.id}")).status_code == 404
    await settled(works)
    assert works.catalog.asset(asset.id) == asset


async def test_what_is_signed_takes_its_token(make_house: Callable[..., House]) -> None:
    works = Works(make_house(playback_secret=SECRET))
    asset = works.published(b"#EXTM3U\n# rushes build=1 playback=signed\n")
    good = sign(SECRET.encode(), asset.id, int(works.clock.now()) + 60)
    async with works.house.client() as client:
        bad = [await client.post(path) for path in (f"/plays/{asset.id}", f"/signed/{good[:-1]}x/plays/{asset.id}")]
        jit = await client.get(f"/media/{asset.id}/jit/master.m3u8")
        await settled(works)
        assert works.told == []
        right = await client.post(f"/signed/{good}/plays/{asset.id}")
        master = await client.get(f"/signed/{good}/media/{asset.id}/jit/master.m3u8")
    assert [answer.status_code for answer in (*bad, jit)] == [403, 403, 403]
    assert (right.status_code, master.status_code) == (204, 200)
    assert master.headers["cache-control"].startswith("private")
    await settled(works)
    assert works.told == ["asset.demanded"]


async def test_a_pointer_that_is_fetched_from_us_is_a_playback(works: Works) -> None:
    asset = works.published()
    async with works.house.client() as client:
        await client.head(f"/media/{asset.id}/master.m3u8")
        await client.get(f"/media/{asset.id}/b/1/master.m3u8")
        await client.get(f"/media/{asset.id}/t/x/1/00001.m4s")
        await settled(works)
        assert works.told == []
        assert (await client.get(f"/media/{asset.id}/manifest.mpd")).status_code == 200
    await settled(works)
    assert works.catalog.asset(asset.id).demand.by == "origin"


async def test_several_plays_where_the_operator_wants_them(make_house: Callable[..., House]) -> None:
    works = Works(make_house(demand_plays=3))
    asset = works.published()
    async with works.house.client() as client:
        for _ in range(2):
            await client.post(f"/plays/{asset.id}")
            await settled(works)
        assert works.told == []
        await client.post(f"/plays/{asset.id}")
        await settled(works)
    assert works.told == ["asset.demanded"]


async def test_its_owner_asks(make_house: Callable[..., House]) -> None:
    works = Works(make_house(auth="keys", api_keys=f"default:{ANN},bob:{BOB}"))
    asset = steps.ready(works)  # type: ignore[arg-type]
    async with works.house.client(ANN) as client, works.house.client(BOB) as other:
        before = (await client.get(f"/v1/assets/{asset.id}")).json()["lazy"]
        assert (await other.post(f"/v1/assets/{asset.id}/demand")).status_code == 404
        answer = await client.post(f"/v1/assets/{asset.id}/demand")
        again = await client.post(f"/v1/assets/{asset.id}/demand")
        steps.finish(works)  # type: ignore[arg-type]
        after = (await client.get(f"/v1/assets/{asset.id}")).json()
        await client.delete(f"/v1/assets/{asset.id}")
        gone = await client.post(f"/v1/assets/{asset.id}/demand")
    missing = [{"name": "720p", "codec": "h264", "short_side": 720}]
    assert before == {"state": "available", "missing": missing, "plays": 0, "requested_at": None, "by": None}
    assert (answer.status_code, answer.json()["lazy"]["state"], answer.json()["lazy"]["by"]) == (202, "making", "api")
    assert again.json()["revision"] == answer.json()["revision"]
    assert (after["lazy"]["state"], after["lazy"]["missing"]) == ("made", [])
    assert {rendition["name"] for rendition in after["renditions"]} == {"720p", "360p"}
    assert (gone.status_code, gone.json()["code"]) == (409, "not_ready")


# -- On request -------------------------------------------------------------------------------------------------------


async def test_its_playlists_name_what_there_will_be(works: Works) -> None:
    asset = works.published()
    master = await get(works, f"/media/{asset.id}/jit/master.m3u8")
    assert (master.status_code, master.headers["cache-control"]) == (200, POINTER)
    assert master.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert f"../b/{asset.build}/360p.m3u8" in master.text.splitlines()
    assert "720p.m3u8" in master.text.splitlines()
    assert 'CODECS="avc1.64001f"' in master.text
    lazy = await get(works, f"/media/{asset.id}/jit/720p.m3u8")
    lines = lazy.text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["720p/1.m4s", "720p/2.m4s"]
    assert '#EXT-X-MAP:URI="720p/init.mp4"' in lines and lines[-1] == "#EXT-X-ENDLIST"
    # And what a CDN pulls knows nothing of this
    assert "jit" not in (await get(works, f"/media/{asset.id}/master.m3u8")).text


async def test_many_wait_for_one_chunk_and_one_looks(works: Works) -> None:
    asset = works.published()

    async def make() -> None:
        await asyncio.to_thread(works.hastened.wait, 10)
        await asyncio.to_thread(works.make, SECOND)

    requests = [get(works, f"/media/{asset.id}/jit/720p/2.m4s") for _ in range(20)]
    *answers, _ = await asyncio.gather(*requests, make())
    assert {answer.status_code for answer in answers} == {307}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert works.looks == [SECOND]
    assert works.catalog.asset(asset.id).demand.by == "segment"
    # Then the init segment is that of the chunk that is there, and what is there costs no waiting
    init = await get(works, f"/media/{asset.id}/jit/720p/init.mp4")
    assert (init.status_code, init.headers["location"].rpartition("/")[2]) == (307, "init.mp4")
    again = await get(works, f"/media/{asset.id}/jit/720p/2.m4s")
    assert (again.status_code, works.looks) == (307, [SECOND])
    assert again.headers["cache-control"] == POINTER


async def test_nobody_waits_for_ever(make_house: Callable[..., House]) -> None:
    works = Works(make_house(segment_wait=0.05))
    asset = works.published()
    answer = await get(works, f"/media/{asset.id}/jit/720p/1.m4s")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_made_yet", "2")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    # And what was begun is there at the next look
    works.make(FIRST)
    assert (await get(works, f"/media/{asset.id}/jit/720p/1.m4s")).status_code == 307


async def test_only_so_many_chunks_are_waited_for_at_a_time(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_request, "MOST_WAITS", 1)
    works = Works(make_house(segment_wait=30))
    asset = works.published()
    first = asyncio.create_task(get(works, f"/media/{asset.id}/jit/720p/1.m4s"))
    assert await asyncio.to_thread(works.hastened.wait, 10)
    other = await get(works, f"/media/{asset.id}/jit/720p/2.m4s")
    assert (other.status_code, other.json()["code"], works.looks) == (503, "not_made_yet", [FIRST])
    works.make(FIRST)
    assert (await first).status_code == 307


async def test_a_worker_that_dies_meanwhile_delays_it(make_house: Callable[..., House]) -> None:
    works = Works(make_house(segment_wait=10))
    asset = works.published()

    def die_and_make() -> None:
        works.hastened.wait(10)
        while works.pipeline.claim((steps.Pool.VIDEO,), "w1") is not None:
            pass
        works.clock.advance(31)
        assert works.pipeline.reconcile() >= 2
        works.clock.advance(60)  # what is repeated waits a little
        works.make(FIRST)

    answer, _ = await asyncio.gather(get(works, f"/media/{asset.id}/jit/720p/1.m4s"), asyncio.to_thread(die_and_make))
    assert answer.status_code == 307


async def test_deleted_while_somebody_waits(works: Works) -> None:
    asset = works.published()

    def delete() -> None:
        works.hastened.wait(10)
        works.catalog.delete(asset.id)

    answer, _ = await asyncio.gather(get(works, f"/media/{asset.id}/jit/720p/1.m4s"), asyncio.to_thread(delete))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    ["720p/3.m4s", "720p/0.m4s", "720p/01.m4s", "1080p/1.m4s", "1080p.m3u8", "720p/1.mp4", "720p/", "x", "720p/-1.m4s"],
)
async def test_nothing_else_is_made(works: Works, path: str) -> None:
    asset = works.published()
    assert (await get(works, f"/media/{asset.id}/jit/{path}")).status_code == 404
    assert works.looks == []


async def test_when_it_is_made_it_is_the_pointer(works: Works) -> None:
    asset = works.published()
    works.catalog.demand(asset.id, "api")
    steps.finish(works)  # type: ignore[arg-type]
    build = works.catalog.asset(asset.id).build
    master = await get(works, f"/media/{asset.id}/jit/master.m3u8")
    assert (master.status_code, master.headers["location"]) == (307, "../master.m3u8")
    playlist = await get(works, f"/media/{asset.id}/jit/720p.m3u8")
    assert (playlist.status_code, playlist.headers["location"]) == (307, f"../b/{build}/720p.m3u8")
    # But a player that began before goes on with what it was told
    assert (await get(works, f"/media/{asset.id}/jit/720p/2.m4s")).status_code == 307
    assert (await get(works, f"/media/{asset.id}/jit/360p/1.m4s")).status_code == 307
    assert works.looks == []


async def test_what_is_encrypted_is_not_made_on_request(works: Works) -> None:
    asset = works.published()
    secret = Protection(scheme="cbcs", kid="0" * 32, iv="1" * 32)
    tracks = tuple(track.model_copy(update={"protection": secret}) for track in asset.tracks)
    works.house.change(asset, tracks=tracks)
    assert (await get(works, f"/media/{asset.id}/jit/master.m3u8")).headers["location"] == "../master.m3u8"
    assert (await get(works, f"/media/{asset.id}/jit/720p/1.m4s")).status_code == 404


async def test_what_is_not_public_has_none_of_it(works: Works) -> None:
    asset = steps.ready(works)  # type: ignore[arg-type]
    for path in ("master.m3u8", "720p.m3u8", "720p/1.m4s"):
        assert (await get(works, f"/media/{asset.id}/jit/{path}")).status_code == 404
    assert works.told == []
