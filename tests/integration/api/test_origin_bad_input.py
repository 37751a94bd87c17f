"""The origin under strange requests and while things change beneath it: the right status, never a 500, never a half file."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.types import Message, Scope

from rushes.api.objects import ObjectResponse, blocks
from rushes.api.origin import Origin, Secrets
from rushes.api.player_metrics import PlayerMetrics
from rushes.api.published import Published
from rushes.api.services import Services
from rushes.api.signed import sign
from rushes.clock import ManualClock
from rushes.errors import NotFound
from rushes.keys import new_id
from rushes.packaging.pointer import point, remove
from rushes.settings import Settings
from rushes.states import Publication
from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE, POINTER, Fetched, Headers
from rushes.storage.types import content_type
from tests.integration.api.test_origin import SEGMENT, segment

SECRET = b"a secret that signs in these tests"
NOW = 1_750_000_000.0
ASSET = new_id(NOW, 1)
TOKEN = sign(SECRET, ASSET, int(NOW) + 60)
ANSWERS = {200, 204, 206, 304, 307, 403, 404, 405, 416}


class Nobody:
    """No catalog, and nobody who counts plays."""

    def asset(self, asset: str) -> None:
        raise NotFound("not_found", "There is no such asset.")

    def notice(self, asset: str, by: str) -> None: ...


async def beyond(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"beyond"})


def small_origin() -> tuple[Origin, MemoryStore]:
    """The origin alone, with one asset; what it does not answer is a 404."""
    clock = ManualClock(NOW)
    store = MemoryStore(clock)
    for below, cache in (("master.m3u8", POINTER), ("b/1/720p.m3u8", IMMUTABLE), ("t/r/1/v/00001.m4s", IMMUTABLE)):
        store.put_bytes(f"media/{ASSET}/{below}", b"#EXTM3U\n" * 40, Headers(content_type(below), cache))
    for private in (f"sources/t/{ASSET}/1", f"tombstones/{ASSET}", f"private/{ASSET}/t/r/1/v/00001.m4s"):
        store.put_bytes(private, b"secret", Headers())
    nobody: Any = Nobody()
    services = Services(Settings(), nobody, store, clock)
    published = Published(store, clock)
    origin = Origin(beyond, services, published, Secrets(b"p", (SECRET,)), PlayerMetrics(CollectorRegistry()), nobody)
    return origin, store


async def answer_to(origin: Origin, scope: dict[str, Any]) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await origin({"type": "http", "http_version": "1.1", "scheme": "http", "server": ("x", 80), **scope}, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


THERE = ["master.m3u8", "b/1/720p.m3u8", "t/r/1/v/00001.m4s"]
ODD = ["..", ".", "", "b", "1", "t", "%2e%2e", "\x00", "private", "sources", "tombstones", ASSET, "a" * 300]
below = st.one_of(
    st.sampled_from([*THERE, "b/2/720p.m3u8", f"../../private/{ASSET}/t/r/1/v/00001.m4s"]),
    st.lists(st.sampled_from(ODD), max_size=8).map("/".join),
    st.text(max_size=60),
)
front = st.sampled_from(
    ["/media/", "/artifacts/", f"/signed/{TOKEN}/media/", "/signed/x/media/", "/signed//media/", "//media/"]
)
named = st.sampled_from([ASSET, new_id(NOW, 2), "", "..", "private", ASSET.upper(), f"{ASSET}/..", "é"])
ranges = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"bytes=[0-9, -]{0,30}", fullmatch=True),
    st.lists(st.tuples(st.integers(-2, 400), st.integers(-2, 400)), max_size=20)
    .map(lambda pairs: "bytes=" + ",".join(f"{a}-{b}" for a, b in pairs)),
)  # fmt: skip
header = st.one_of(
    st.tuples(st.sampled_from([b"range", b"if-range", b"if-none-match", b"accept-encoding", b"cookie"]), ranges),
    st.tuples(
        st.sampled_from([b"if-none-match", b"if-range"]), st.sampled_from(["*", '"x"', 'W/"x"', '"a", "b', "W/"])
    ),
    st.tuples(st.sampled_from([b"cmcd-object", b"cmcd-status", b"accept-encoding"]), st.text(max_size=60)),
)
method = st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND"])


@settings(max_examples=200, deadline=None)
@given(method, st.tuples(front, named, below), st.lists(header, max_size=5), st.binary(max_size=60))
def test_whatever_is_asked_the_answer_is_sane(
    verb: str, path: tuple[str, str, str], headers: list[tuple[bytes, str]], query: bytes
) -> None:
    origin, _ = small_origin()
    text = f"{path[0]}{path[1]}/{path[2]}"
    raw = [(name, value.encode("utf-8", "replace")) for name, value in headers]
    scope = {
        "method": verb,
        "path": text,
        "raw_path": text.encode("utf-8", "surrogateescape"),
        "query_string": query,
        "headers": raw,
    }
    status, got, body = asyncio.run(answer_to(origin, scope))
    assert status in ANSWERS
    assert b"secret" not in body
    if b"content-length" in got and verb != "HEAD" and body != b"beyond":
        assert int(got[b"content-length"]) == len(body)
    if status == 206 and got[b"content-type"].startswith(b"video/") and b"content-range" in got:
        first, last = got[b"content-range"].removeprefix(b"bytes ").split(b"/")[0].split(b"-")
        assert body == (b"#EXTM3U\n" * 40)[int(first) : int(last) + 1] or verb == "HEAD"
    assert b"set-cookie" not in got


async def test_several_ranges_are_one_answer_of_several_parts(make_house) -> None:
    for kept in (64_000_000, 0):  # from memory, and from the store
        house = make_house(origin_cache=kept)
        address = segment(house.built(Publication.PUBLISHED).id)
        async with house.client() as client:
            got = await client.get(address, headers={"Range": "bytes=0-9,1000-1004,-3"})
        boundary = got.headers["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
        assert got.status_code == 206
        assert len(got.content) == int(got.headers["content-length"])
        assert "content-range" not in got.headers
        empty, *parts, end = got.content.split(b"--" + boundary)
        assert (empty, end) == (b"", b"--\r\n")
        found = [tuple(part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)) for part in parts]
        total = len(SEGMENT)
        wanted = ((0, 10), (1000, 1005), (total - 3, total))
        assert [body.removesuffix(b"\r\n") for _, body in found] == [SEGMENT[start:stop] for start, stop in wanted]
        for (head, _), (start, stop) in zip(found, wanted, strict=True):
            assert (
                head == f"Content-Type: video/iso.segment\r\nContent-Range: bytes {start}-{stop - 1}/{total}".encode()
            )


async def test_methods_that_write_are_refused_with_what_is_allowed(house) -> None:
    asset = house.built(Publication.PUBLISHED).id
    async with house.client() as client:
        got = await client.post(segment(asset))
    assert (got.status_code, got.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_what_players_report_is_in_the_log_and_nowhere_else(house, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rushes.access")
    asset = house.built(Publication.PUBLISHED).id
    async with house.client() as client:
        await client.get(segment(asset) + "?CMCD=bl%3D2100%2Cbs%2Csid%3D%22abc%22%2Cevil%3D1")
        await client.get(segment(asset), headers={"CMCD-Status": "bs", "CMCD-Request": "mtp=5000"})
        plain = await client.get(segment(asset))
        metrics = (await client.get("/metrics")).text
    reports = [vars(record)["cmcd"] for record in caplog.records if "/media/" in record.getMessage()]
    assert reports == [{"bl": 2100, "bs": True, "sid": "abc"}, {"mtp": 5000, "bs": True}, None]
    assert "rushes_player_rebuffered_total 2.0" in metrics
    assert plain.headers["cmsd-static"] == 'ot=v,st=v,n="rushes"'
    assert plain.headers["cmsd-dynamic"].startswith('"rushes";rd=')
    assert "total;dur=" in plain.headers["server-timing"]


async def test_nginx_sends_what_never_changes(make_house) -> None:
    house = make_house(origin="accel")
    asset, hidden = house.built(Publication.PUBLISHED).id, house.built(Publication.HELD).id
    async with house.client() as client:
        got = await client.get(segment(asset), headers={"Range": "bytes=0-1"})
        playlist = await client.get(f"/media/{asset}/b/1/720p.m3u8")
        for path in (segment(hidden), segment(asset).replace("00001", "00009")):
            nothing = await client.get(path)
            assert (nothing.status_code, "x-accel-redirect" in nothing.headers) == (404, False)
    assert (got.status_code, got.content) == (200, b"")
    assert got.headers["x-accel-redirect"] == f"/_objects{segment(asset)}"
    assert (got.headers["content-type"], got.headers["cache-control"]) == ("video/iso.segment", IMMUTABLE)
    assert playlist.text.startswith("#EXTM3U")


async def test_an_object_that_ends_early_breaks_the_connection(
    make_house, serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(origin_cache=0)
    asset = house.built(Publication.PUBLISHED).id
    fetch = house.store.fetch

    def shortened(key: str, start: int = 0, stop: int | None = None) -> Fetched:
        found = fetch(key, start, stop)
        if key.endswith(".m4s"):
            Path(house.store.root / key).open("r+b").truncate(400_000)  # noqa: SIM115 - closed with the object
        return found

    monkeypatch.setattr(house.store, "fetch", shortened)
    with httpx.Client(base_url=serve(house.app)) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(segment(asset))


async def test_a_stream_that_ends_early_is_an_error() -> None:
    stream = io.BytesIO(bytes(1000))
    with pytest.raises(EOFError, match="24 bytes early"):
        [block async for block in blocks(stream, 1024)]


async def test_an_object_deleted_in_mid_answer_is_still_whole(
    make_house, serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(origin_cache=0)
    asset = house.built(Publication.PUBLISHED).id
    call = ObjectResponse.__call__

    async def deleted_first(self: ObjectResponse, *rest: Any) -> None:
        house.store.delete(segment(asset)[1:])
        await call(self, *rest)

    monkeypatch.setattr(ObjectResponse, "__call__", deleted_first)
    with httpx.Client(base_url=serve(house.app)) as client:
        assert client.get(segment(asset)).content == SEGMENT
        assert client.get(segment(asset)).status_code == 404


def write_build(house, asset: str, build: int) -> None:
    name = f"{build}.m3u8"
    lines = "#EXTINF:4,\n../../t/recipe/1/720p/00001.m4s\n" * (20 + 30 * (build % 2))
    house.put(f"media/{asset}/b/{build}/{name}", f"#EXTM3U\n{lines}#EXT-X-ENDLIST\n".encode())
    master = f"#EXTM3U\n# rushes build={build}\n#EXT-X-STREAM-INF:BANDWIDTH={build}\n{name}\n#EXT-X-END-{build}\n"
    house.put(f"media/{asset}/b/{build}/master.m3u8", master.encode())
    house.put(f"media/{asset}/b/{build}/manifest.mpd", f"<MPD><!-- rushes build={build} --></MPD>".encode())


async def test_players_while_pointers_are_swapped_and_taken_away(house) -> None:
    """Thousands of requests while builds are published one after the other, unpublished and published again."""
    asset = house.built(Publication.PRIVATE).id
    builds, over = 30, threading.Event()
    for build in range(1, builds + 1):
        write_build(house, asset, build)
    point(house.store, asset, 1)

    def publisher() -> None:
        try:
            for build in range(2, builds + 1):
                point(house.store, asset, build)
                if build % 10 == 0:
                    remove(house.store, asset)
                    house.app.state.published.forget(asset)
                    point(house.store, asset, build)
        finally:
            over.set()

    async def player(client: httpx.AsyncClient) -> list[int]:
        seen: list[int] = []
        tag = ""
        while not over.is_set() or len(seen) < 140:
            got = await client.get(f"/media/{asset}/master.m3u8", headers={"If-None-Match": tag} if tag else {})
            seen.append(got.status_code)
            if got.status_code == 200:
                tag = got.headers["etag"]
                build = int(got.text.partition("build=")[2].partition("\n")[0])
                assert got.text.endswith(f"BANDWIDTH={build}\nb/{build}/{build}.m3u8\n#EXT-X-END-{build}\n")
                playlist = await client.get(f"/media/{asset}/b/{build}/{build}.m3u8")
                seen.append(playlist.status_code)
                if playlist.status_code == 200:
                    assert playlist.text.endswith("#EXT-X-ENDLIST\n")
                    assert playlist.text.count("#EXTINF") == 20 + 30 * (build % 2)
        return seen

    thread = threading.Thread(target=publisher)
    async with house.client() as client:
        thread.start()
        seen = [status for each in await asyncio.gather(*(player(client) for _ in range(8))) for status in each]
        last = await client.get(f"/media/{asset}/master.m3u8")
    thread.join(30)
    assert len(seen) > 1000
    assert set(seen) <= {200, 304, 404}
    assert seen.count(200) > 20
    assert f"build={builds}\n" in last.text
