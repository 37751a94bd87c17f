"""The origin on a bucket of a real S3 server: few requests for each answer, and redirects that anyone may follow."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest

from rushes.keys import pointer_key
from rushes.states import Publication
from rushes.storage.open import open_store
from rushes.storage.store import IMMUTABLE, POINTER
from tests.services.faulty import Proxy, faulty
from tests.services.swift import Swift

SEGMENT = bytes(range(256)) * 4096


@pytest.fixture
def proxy(s3: Swift) -> Iterator[Proxy]:
    """Counts the requests to the store."""
    with faulty(s3.port) as proxy:
        yield proxy


@pytest.fixture
def make_far(s3: Swift, proxy: Proxy, make_house) -> Callable[..., object]:
    def make(**settings: str) -> object:
        prefix = f"origin/{secrets.token_hex(6)}"
        url = f"s3://{s3.shared}/{prefix}?endpoint_url=http://127.0.0.1:{proxy.port}"
        return make_house(store=open_store(url), **settings)

    return make


@pytest.fixture
def far(make_far):
    return make_far()


def segment(asset: str) -> str:
    return f"/media/{asset}/t/recipe/1/720p/00001.m4s"


async def test_a_segment_that_is_not_kept_costs_one_request_and_one_look_a_second(make_far, proxy: Proxy) -> None:
    far = make_far(origin_cache=0)
    asset = far.built(Publication.PUBLISHED).id
    async with far.client() as client:
        first = await client.get(segment(asset))
        assert first.content == SEGMENT
        del proxy.requests[:]
        for value in (None, "bytes=0-9", "bytes=1048000-", "bytes=5-99999999"):
            got = await client.get(segment(asset), headers={"Range": value} if value else {})
            assert got.content == SEGMENT[slice(*bounds(value))]
        assert [line.split()[0] for line in proxy.requests] == ["GET"] * 4
        del proxy.requests[:]
        far.clock.advance(1)
        await client.get(segment(asset))
        assert [line.split()[0] for line in proxy.requests] == ["GET", "GET"]  # the pointer's first bytes, the segment


async def test_a_thousand_players_of_a_segment_cost_one_request(far, proxy: Proxy) -> None:
    asset = far.built(Publication.PUBLISHED).id
    async with far.client() as client:
        answers = await asyncio.gather(*(client.get(segment(asset)) for _ in range(50)))
        part = await client.get(segment(asset), headers={"Range": "bytes=7-9"})
    assert all(got.content == SEGMENT for got in answers)
    assert part.content == SEGMENT[7:10]
    # One look at the pointer, one request for the segment
    assert [line.split()[0] for line in proxy.requests if line.startswith("GET")] == ["GET", "GET"]


async def test_an_address_that_took_a_token_is_nobody_elses(make_far) -> None:
    far = make_far(origin="redirect")
    asset = far.built(Publication.PUBLISHED).id
    far.put(pointer_key(asset, "master.m3u8"), b"#EXTM3U\n# rushes build=1 playback=signed\n", POINTER)
    async with far.client() as client:
        assert (await client.get(segment(asset))).status_code == 403
        token = (await client.post(f"/v1/assets/{asset}/tokens", json={"expires_in": 100})).json()["token"]
        got = await client.get(f"/signed/{token}{segment(asset)}?CMCD=bs")
    assert (got.status_code, got.headers["cache-control"]) == (307, "private, max-age=100")
    assert 0 < int(httpx.URL(got.headers["location"]).params["X-Amz-Expires"]) <= 100
    assert token not in got.headers["location"]
    assert "CMCD" not in got.headers["location"]


def bounds(value: str | None) -> tuple[int, int | None]:
    first, _, last = (value or "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), int(last) + 1 if last else None


async def test_ranges_head_304_and_416(far) -> None:
    asset = far.built(Publication.PUBLISHED).id
    address = segment(asset)
    async with far.client() as client:
        whole = await client.get(address)
        part = await client.get(address, headers={"Range": "bytes=1000-1999"})
        tail = await client.get(address, headers={"Range": "bytes=-7"})
        behind = await client.get(address, headers={"Range": f"bytes={len(SEGMENT)}-"})
        head = await client.head(address)
        same = await client.get(address, headers={"If-None-Match": whole.headers["etag"]})
        outdated = await client.get(address, headers={"Range": "bytes=0-1", "If-Range": '"older"'})
        current = await client.get(address, headers={"Range": "bytes=0-1", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, SEGMENT[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(SEGMENT)}"
    assert (tail.status_code, tail.content) == (206, SEGMENT[-7:])
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(SEGMENT)}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(SEGMENT)))
    assert (same.status_code, same.content) == (304, b"")
    assert (outdated.status_code, outdated.content) == (200, SEGMENT)
    assert (current.status_code, current.content) == (206, SEGMENT[:2])
    assert whole.headers["cache-control"] == IMMUTABLE
    assert whole.headers["content-type"] == "video/iso.segment"
    assert whole.headers["last-modified"].endswith("GMT")


async def test_playlists_cost_one_request(far, proxy: Proxy) -> None:
    asset = far.built(Publication.PUBLISHED).id
    async with far.client() as client:
        await client.get(segment(asset))
        del proxy.requests[:]
        got = await client.get(f"/media/{asset}/master.m3u8", headers={"Accept-Encoding": "gzip"})
        assert got.text.startswith("#EXTM3U")
        same = await client.get(
            f"/media/{asset}/master.m3u8",
            headers={"Accept-Encoding": "gzip", "If-None-Match": got.headers["etag"]},
        )
        assert same.status_code == 304
    assert [line.split()[0] for line in proxy.requests] == ["GET", "GET"]


async def test_segments_are_redirected_to_the_store(make_far, s3: Swift) -> None:
    house = make_far(origin="redirect")
    asset = house.built(Publication.PUBLISHED).id
    async with house.client() as client:
        got = await client.get(segment(asset))
        head = await client.head(segment(asset))
        playlist = await client.get(f"/media/{asset}/b/1/720p.m3u8")
        picture = await client.get(f"/artifacts/{asset}/poster/1/poster.jpg")
    assert got.status_code == 307
    seconds = int(got.headers["cache-control"].removeprefix("public, max-age="))
    signed_for = int(httpx.URL(got.headers["location"]).params["X-Amz-Expires"])
    assert 0 < seconds < signed_for <= 600
    assert got.headers["access-control-allow-origin"] == "*"
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(SEGMENT)))
    assert playlist.status_code == picture.status_code == 200
    # Anyone may follow, without our keys
    async with httpx.AsyncClient() as anybody:
        part = await anybody.get(got.headers["location"], headers={"Range": "bytes=0-99"})
        forged = await anybody.get(got.headers["location"].replace("00001.m4s", "init.mp4"))
    assert (part.status_code, part.content) == (206, SEGMENT[:100])
    assert part.headers["content-type"] == "video/iso.segment"
    assert part.headers["cache-control"] == IMMUTABLE
    assert forged.status_code == 403


async def test_what_is_not_public_is_not_redirected(make_far) -> None:
    house = make_far(origin="redirect")
    hidden, shown = house.built(Publication.HELD).id, house.built(Publication.PUBLISHED).id
    async with house.client() as client:
        assert (await client.get(segment(hidden))).status_code == 404
        assert (await client.get(segment(shown))).status_code == 307
        house.store.delete(pointer_key(shown, "master.m3u8"))
        house.clock.advance(1)
        assert (await client.get(segment(shown))).status_code == 404
