"""nginx and Varnish with the configurations that ship, before our own origin: what they keep, and that they forget."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from bench.audience import Audience
from rushes.clock import SystemClock, pause
from rushes.packaging.purge import requests
from rushes.packaging.purge_setup import purge_settings
from rushes.packaging.purging import send
from rushes.settings import Settings
from rushes.workers import edgecheck
from tests.conftest import unavailable
from tests.services import nginx, varnish
from tests.services.edge import SECRET, Edge
from tests.services.nginx import Nginx
from tests.services.origin import RUNGS, SEGMENTS, SIZE, Origin
from tests.services.varnish import Varnish

PATIENCE = 60.0
"""Seconds for what comes by itself, such as the end of a pointer's two."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    running = Origin(tmp_path_factory.mktemp("origin"))
    yield running
    running.stop()


@pytest.fixture(scope="module", params=[Nginx, Varnish], ids=["nginx", "varnish"])
def edge(request: pytest.FixtureRequest, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    program = nginx.PROGRAM if request.param is Nginx else varnish.PROGRAM
    if program is None:
        unavailable(request.param.name)
    running: Edge = request.param(tmp_path_factory.mktemp(request.param.name), origin.url)
    yield running
    running.stop()


@pytest.fixture
def asset(origin: Origin) -> str:
    return origin.publish()


@pytest.fixture
def get(edge: Edge) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=edge.url, timeout=30) as client:

        def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.request(method, path, headers={"Accept-Encoding": "identity", **named})

        yield ask


def until(true: Callable[[], bool]) -> None:
    clock = SystemClock()
    end = clock.monotonic() + PATIENCE
    while not true():
        assert clock.monotonic() < end, "waited in vain"
        pause(0.05)


def purge(edge: Edge, asset: str, paths: list[str], **other: str) -> list[str]:
    """As the step does. Gives the complaints."""
    settings = purge_settings(Settings(**{**edge.purge, **other}))
    assert settings
    return asyncio.run(send(settings, requests(settings, asset, paths)))


def test_segments_are_kept_and_ranges_are_cut_from_the_whole(get, origin: Origin, asset: str) -> None:
    path = origin.segment(asset)
    # When the first request is for a range, then the origin is asked for the whole
    part = get(path, Range="bytes=10-19")
    assert (part.status_code, len(part.content)) == (206, 10)
    assert part.headers["content-range"] == f"bytes 10-19/{SIZE}"
    whole = get(path)
    assert (whole.status_code, len(whole.content), whole.headers["x-cache"]) == (200, SIZE, "HIT")
    assert get(path, Range=f"bytes={SIZE}-").status_code == 416
    assert get(path, Range="bytes=-5").headers["content-range"] == f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}"
    assert get(path, "HEAD").headers["content-length"] == str(SIZE)
    assert origin.asked[f"GET {path}"] == 1
    # And what the origin said of it is still there, once
    assert "immutable" in whole.headers["cache-control"]
    assert whole.headers.get_list("access-control-allow-origin") == ["*"]
    assert "set-cookie" not in whole.headers


def test_answers_without_a_body_by_the_entity_tag(get, origin: Origin, asset: str) -> None:
    for path in (origin.pointer(asset), origin.segment(asset)):
        for coding in ("identity", "gzip"):
            etag = get(path, Accept_Encoding=coding).headers["etag"]
            assert not etag.startswith("W/")
            same = get(path, Accept_Encoding=coding, If_None_Match=etag)
            assert (same.status_code, same.content) == (304, b"")
        assert get(path, If_None_Match='"another"').status_code == 200


def test_texts_are_kept_in_two_forms_whatever_the_spelling(get, origin: Origin, asset: str) -> None:
    path = f"/media/{asset}/b/1/{RUNGS[0]}.m3u8"
    packed = [get(path, Accept_Encoding=said) for said in ("gzip", "br, GZIP;q=0.5", "gzip, deflate")]
    plain = [get(path, Accept_Encoding=said) for said in ("identity", "gzip;q=0", "br", "deflate, gzip; q=0.0, br")]
    assert [answer.headers.get("content-encoding") for answer in packed] == ["gzip"] * 3
    assert [answer.headers.get("content-encoding") for answer in plain] == [None] * 4
    assert {answer.text for answer in packed + plain} == {packed[0].text}
    assert "Accept-Encoding" in packed[0].headers["vary"]
    assert origin.asked[f"GET {path}"] == 2


def test_cmcd_is_no_part_of_what_is_kept_and_goes_to_the_log(get, edge: Edge, origin: Origin, asset: str) -> None:
    path = origin.segment(asset, number=2)
    answers = [get(f"{path}?CMCD=bl%3D{n}%2Cot%3Dv") for n in range(3)] + [get(path, CMCD_Request="bl=1")]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "HIT", "HIT", "HIT"]
    assert origin.asked[f"GET {path}"] == 1
    if edge.name == "nginx":
        # It is written when the answer has been sent
        until(lambda: len(cmcd(edge, path)) == len(answers))
        assert cmcd(edge, path) == ["bl%3D0%2Cot%3Dv", "bl%3D1%2Cot%3Dv", "bl%3D2%2Cot%3Dv", "bl=1"]


def cmcd(edge: Edge, path: str) -> list[str]:
    """What nginx wrote down of the requests for a path; of whole lines."""
    whole, _, _ = (edge.folder / "requests.jsonl").read_text().rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines()]
    return [line["cmcd"] for line in lines if line["path"] == path]


def test_a_crowd_is_one_request_to_the_origin(get, origin: Origin, asset: str) -> None:
    path = origin.segment(asset, number=3)
    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(lambda _: get(path), range(48)))
    assert {(answer.status_code, len(answer.content)) for answer in answers} == {(200, SIZE)}
    assert origin.asked[f"GET {path}"] == 1


def test_the_origin_is_told_who_asks(get, edge: Edge, origin: Origin, asset: str) -> None:
    path = origin.segment(asset, number=5)
    get(path, Host="video.test", X_Purge_Key="mine")
    heard = origin.headers[path]
    assert (heard["host"], heard["x-forwarded-host"], heard["x-forwarded-proto"]) == (
        "video.test",
        "video.test",
        "http",
    )
    assert heard["x-forwarded-for"] == "127.0.0.1"
    assert heard.get("connection", "keep-alive") == "keep-alive"
    assert "x-purge-key" not in heard


@pytest.mark.parametrize(
    ("there", "written"),
    [("/t/", "/./t/"), (".m4s", "%2Em4s"), ("/t/", "%2Ft/"), ("/t/", "//t/"), (".m4s", ".m4s%0d%0aX:%20y"),
     ("/t/r/", "/t/r/../r/"), ("/t/", "%2f..%2ft/")],
)  # fmt: skip
def test_another_spelling_of_a_path_spoils_nothing(
    get, edge: Edge, origin: Origin, asset: str, there: str, written: str
) -> None:
    path = origin.segment(asset)
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=30)
    connection.putrequest("GET", path.replace(there, written, 1), skip_accept_encoding=True)
    connection.endheaders()
    assert connection.getresponse().status in (200, 400, 404)
    connection.close()
    assert get(path).status_code == 200


def test_what_is_missing_is_missing_for_a_moment_only(get, origin: Origin, asset: str) -> None:
    path = origin.segment(asset, number=SEGMENTS + 1)
    assert get(path).status_code == 404
    origin.put(path[1:], b"late")
    until(lambda: get(path).status_code == 200)


def test_a_pointer_follows_within_its_two_seconds_and_is_never_stale(get, origin: Origin, asset: str) -> None:
    assert "build=1" in get(origin.pointer(asset)).text
    assert get(origin.pointer(asset)).headers["cache-control"] == "public, max-age=2"
    origin.publish(asset, build=2)
    until(lambda: "build=2" in get(origin.pointer(asset)).text)
    assert get(origin.segment(asset, build=1)).status_code == 200  # players on the old build go on
    origin.take_down(asset)
    until(lambda: get(origin.pointer(asset)).status_code == 404)


def test_private_things_and_keys_are_never_kept(get, origin: Origin, asset: str) -> None:
    for path in (f"/preview/token/b/1/{asset}.m3u8", f"/keys/{asset}/0123", "/v1/assets", "/healthz"):
        before = origin.asked[f"GET {path}"]
        answers = [get(path), get(path)]
        assert "HIT" not in [answer.headers.get("x-cache") for answer in answers]
        assert origin.asked[f"GET {path}"] == before + 2
    for path in ("/metrics", "/readyz"):
        assert get(path).status_code == 404
        assert origin.asked[f"GET {path}"] == 0


def test_what_takes_a_token_is_kept_apart_and_shared_by_tokens(get, origin: Origin) -> None:
    # Given an asset that plays with a token only, and one token that has played it
    asset = origin.publish(signed=True)
    first, second, other = origin.token(asset), origin.token(asset, 700), origin.token(origin.publish())
    for path in (origin.segment(asset), origin.pointer(asset)):
        assert get(f"/signed/{first}{path}").status_code == 200
        # Then the next gets it from the edge, by its path or as a cookie
        shared = get(f"/signed/{second}{path}?CMCD=bl%3D1")
        assert (shared.status_code, shared.headers["x-cache"]) == (200, "HIT")
        assert shared.headers["cache-control"].startswith("private, max-age=")
        assert get(path, Cookie=f"other=1; rushes-playback={second}").headers["x-cache"] == "HIT"
        # And nobody without, or with one that is wrong, over, or another's
        over = origin.token(asset, -1)
        for refused in (path, *(f"/signed/{token}{path}" for token in (other, over, first + "x", "purge"))):
            answer = get(refused)
            assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    playlist = f"/media/{asset}/b/1/{RUNGS[0]}.m3u8"
    packed = get(f"/signed/{first}{playlist}", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert get(f"/signed/{second}{playlist}").text == packed.text


def test_varnish_forgets_a_single_path_too(get, edge: Edge, origin: Origin, asset: str) -> None:
    if edge.name != "varnish":
        pytest.skip("nginx is told of single paths only")
    paths = (origin.segment(asset), origin.pointer(asset), origin.segment(asset, number=2))
    ask = [(path, coding) for path in paths for coding in ("identity", "gzip")]
    assert {get(path, Accept_Encoding=coding).status_code for path, coding in ask} == {200}
    assert [get(path, "PURGE", X_Purge_Key="wrong").status_code for path in paths[:2]] == [403, 403]
    assert [get(path, "PURGE", X_Purge_Key=SECRET).status_code for path in paths[:2]] == [200, 200]
    assert get(paths[2]).headers["x-cache"] == "HIT"
    assert [get(path, Accept_Encoding=coding).headers["x-cache"] for path, coding in ask[1:4]] == ["MISS"] * 3
    headers = get(paths[2]).headers
    assert not {"x-path", "x-asset", "x-vary", "via", "x-varnish"} & headers.keys()


def test_a_takedown_is_true_for_holders_of_tokens_too(get, edge: Edge, origin: Origin) -> None:
    asset = origin.publish(signed=True)
    signed = [f"/signed/{origin.token(asset)}{path}" for path in (origin.segment(asset), origin.pointer(asset))]
    assert [get(path).status_code for path in signed] == [200, 200]
    paths = origin.take_down(asset)
    assert get(signed[0]).status_code == 200
    assert purge(edge, asset, paths) == []
    assert {get(path).status_code for path in signed} <= {403, 404}


def test_without_a_purge_a_cached_segment_stays(get, origin: Origin, asset: str) -> None:
    path = origin.segment(asset)
    assert get(path).status_code == 200
    origin.take_down(asset)
    assert (get(path).status_code, get(path).headers["x-cache"]) == (200, "HIT")


def test_a_takedown_with_its_purge_is_true_at_once(get, edge: Edge, origin: Origin, asset: str) -> None:
    # Given all of an asset in the edge, in both forms
    other = origin.publish()
    kept = [f"/{info.key}" for info in origin.store.list(f"media/{asset}/")]
    for path in (*kept, origin.segment(other)):
        for coding in ("identity", "gzip"):
            assert get(path, Accept_Encoding=coding).status_code == 200
    paths = origin.take_down(asset)
    assert set(kept) <= set(paths)
    # When a purge comes with a wrong secret, then the edge says so and goes on
    assert purge(edge, asset, paths, purge_secret="wrong" * 4)
    assert get(kept[-1]).status_code == 200
    # When it is ours, then everything is gone before anything else is asked, and nothing of others
    assert purge(edge, asset, paths) == []
    gone = [get(path, Accept_Encoding=coding).status_code for path in kept for coding in ("identity", "gzip")]
    assert set(gone) == {404}
    assert get(origin.segment(other)).headers["x-cache"] == "HIT"


def test_the_doctor_tries_the_purge(edge: Edge, origin: Origin) -> None:
    assert edgecheck.purge(Settings(**edge.purge)).ok
    assert not edgecheck.purge(Settings(**{**edge.purge, "purge_secret": "wrong" * 4})).ok
    assert not edgecheck.purge(Settings(**{**edge.purge, "purge_url": origin.url})).ok


def test_nginx_sends_the_files_of_a_local_store(tmp_path: Path) -> None:
    if nginx.PROGRAM is None:
        unavailable("nginx")
    origin = Origin(tmp_path, origin="accel")
    (tmp_path / "edge").mkdir()
    edge = type("Accelerated", (Nginx,), {"objects": tmp_path / "objects"})(tmp_path / "edge", origin.url)
    try:
        asset = origin.publish()
        signed = f"/signed/{origin.token(asset)}"
        with httpx.Client(base_url=edge.url) as client:
            for door in ("", signed):
                whole = client.get(door + origin.segment(asset))
                assert (whole.status_code, len(whole.content), whole.headers["x-cache"]) == (200, SIZE, "FILE")
                assert whole.headers["content-type"] == "video/iso.segment"
                assert whole.headers.get_list("access-control-allow-origin") == ["*"]
                part = client.get(door + origin.segment(asset), headers={"Range": "bytes=10-19"})
                assert (part.status_code, len(part.content)) == (206, 10)
            assert "immutable" in client.get(origin.segment(asset)).headers["cache-control"]
            # And nobody gets at files by their place, or after a takedown
            assert client.get(f"/_objects{origin.segment(asset)}").status_code == 404
            origin.take_down(asset)
            assert client.get(origin.segment(asset)).status_code == 404
    finally:
        edge.stop()
        origin.stop()


async def test_an_audience_sees_a_publish_and_no_error(edge: Edge, origin: Origin) -> None:
    """The short form of `./dev bench edges`: thirty players; the goal of 99 % is for five hundred."""
    asset = await asyncio.to_thread(origin.publish)
    async with asyncio.timeout(2 * PATIENCE), Audience(edge.url, origin.pointer(asset), 30, speed=40.0) as audience:
        while audience.tally.views < 30 and not audience.tally.errors:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(origin.publish, asset, 2)
        seen = audience.tally.views
        while audience.tally.views < seen + 30 or "/b/2/" not in "".join(list(origin.asked)):
            assert audience.tally.errors == []
            await asyncio.sleep(0.05)
        assert audience.tally.errors == []
        assert audience.tally.ratio > 0.9
        # When it is taken down and purged, then players that go on see the end of it, from the edge
        paths = await asyncio.to_thread(origin.take_down, asset)
        assert await asyncio.to_thread(purge, edge, asset, paths) == []
        while len(audience.tally.errors) < 30:
            await asyncio.sleep(0.05)
    assert all("404" in error for error in audience.tally.errors)
