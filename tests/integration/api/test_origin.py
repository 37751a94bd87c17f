import gzip
import http.client

import pytest

from rushes.keys import new_id, pointer_key
from rushes.states import AssetState, Publication
from rushes.storage.store import IMMUTABLE, POINTER

SEGMENT = bytes(range(256)) * 4096
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def asset(house) -> str:
    return house.built(Publication.PUBLISHED).id


def segment(asset: str) -> str:
    return f"/media/{asset}/t/recipe/1/720p/00001.m4s"


async def test_what_a_cdn_wants_to_see_on_a_segment(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(segment(asset))
    assert got.content == SEGMENT
    headers = got.headers
    assert headers["content-type"] == "video/iso.segment"
    assert headers["cache-control"] == IMMUTABLE
    assert headers["content-length"] == str(len(SEGMENT))
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"].startswith('"')
    assert headers["last-modified"].endswith("GMT")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers
    assert "content-encoding" not in headers
    assert "vary" not in headers


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.mpd", "application/dash+xml"),
        ("b/1/720p.m3u8", "application/vnd.apple.mpegurl"),
        ("t/recipe/1/720p/init.mp4", "video/mp4"),
    ],
)
async def test_types(house, asset: str, path: str, type_: str) -> None:
    async with house.client() as client:
        got = await client.get(f"/media/{asset}/{path}")
    assert (got.status_code, got.headers["content-type"]) == (200, type_)


async def test_pointers_live_shortly_builds_for_ever(house, asset: str) -> None:
    async with house.client() as client:
        pointer = await client.get(f"/media/{asset}/master.m3u8")
        build = await client.get(f"/media/{asset}/b/1/master.m3u8")
    assert pointer.headers["cache-control"] == POINTER
    assert build.headers["cache-control"] == IMMUTABLE
    assert "last-modified" not in pointer.headers


@pytest.mark.parametrize("path", ["master.m3u8", "t/recipe/1/720p/00001.m4s"])
async def test_304_until_the_bytes_change(make_house, path: str) -> None:
    house = make_house(origin_cache=0)  # what is kept in memory is known not to change
    asset = house.built(Publication.PUBLISHED).id
    address = f"/media/{asset}/{path}"
    async with house.client() as client:
        first = await client.get(address)
        tag = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
        again = await client.get(address, headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "access-control-allow-origin"):
            assert again.headers[name] == first.headers[name]
        house.put(f"media/{asset}/{path}", b"#EXTM3U of another build", POINTER)
        changed = await client.get(address, headers=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_head_is_get_without_the_body(house, asset: str) -> None:
    async with house.client() as client:
        for path in (segment(asset), f"/media/{asset}/master.m3u8"):
            got, head = await client.get(path, headers=PLAIN), await client.head(path, headers=PLAIN)
            assert head.content == b""
            same = set(got.headers) - {"x-request-id", "server-timing"}
            assert {name: head.headers[name] for name in same} == {name: got.headers[name] for name in same}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1000-1999", slice(1000, 2000)),
        ("bytes=1048000-", slice(1048000, None)),
        ("bytes=-7", slice(-7, None)),
    ],
)
async def test_ranges(house, asset: str, value: str, part: slice) -> None:
    async with house.client() as client:
        got = await client.get(segment(asset), headers={"Range": value})
    start, stop, _ = part.indices(len(SEGMENT))
    assert got.status_code == 206
    assert got.content == SEGMENT[part]
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(SEGMENT)}"
    assert got.headers["content-length"] == str(stop - start)


async def test_a_range_of_a_playlist_is_of_its_plain_bytes(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(f"/media/{asset}/master.m3u8", headers={"Range": "bytes=0-6"})
    assert (got.status_code, got.content) == (206, b"#EXTM3U")
    assert "content-encoding" not in got.headers


async def test_a_range_that_cannot_be_met(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(segment(asset), headers={"Range": f"bytes={len(SEGMENT)}-"})
    assert (got.status_code, got.content) == (416, b"")
    assert got.headers["content-range"] == f"bytes */{len(SEGMENT)}"
    assert got.headers["access-control-allow-origin"] == "*"


async def test_an_outdated_range_gives_the_whole(house, asset: str) -> None:
    async with house.client() as client:
        outdated = await client.get(segment(asset), headers={"Range": "bytes=0-1", "If-Range": '"older"'})
        current = await client.get(segment(asset), headers={"Range": "bytes=0-1", "If-Range": outdated.headers["etag"]})
    assert (outdated.status_code, outdated.content) == (200, SEGMENT)
    assert current.content == SEGMENT[:2]


@pytest.mark.parametrize("path", ["master.m3u8", "manifest.mpd", "b/1/720p.m3u8"])
async def test_text_is_compressed_for_those_who_want_it(house, asset: str, path: str) -> None:
    address = f"/media/{asset}/{path}"
    async with house.client() as client:
        plain = await client.get(address, headers=PLAIN)
        packed = await client.get(address, headers={"Accept-Encoding": "gzip"})
        again = await client.get(address, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
        async with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as raw:
            body = b"".join([piece async for piece in raw.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert len(body) == int(packed.headers["content-length"]) < len(plain.content)
    # Two representations, two tags; caches have to keep them apart
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == again.headers["vary"] == "Accept-Encoding"
    assert again.status_code == 304


async def test_media_is_never_compressed(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(segment(asset), headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize(
    "path", ["/media/{}/master.m3u8", "/artifacts/{}/x.jpg", "/preview/token/b/1/master.m3u8", "/media/none/none"]
)
async def test_preflight(house, asset: str, path: str) -> None:
    asked = {
        "Origin": "https://player.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range",
    }
    async with house.client() as client:
        got = await client.options(path.format(asset), headers=asked)
    assert got.status_code == 204
    assert got.headers["access-control-allow-origin"] == "*"
    assert "GET" in got.headers["access-control-allow-methods"]
    assert "Range" in got.headers["access-control-allow-headers"]
    assert int(got.headers["access-control-max-age"]) > 0


async def test_players_may_read_the_headers_they_need(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(segment(asset))
    exposed = {name.strip() for name in got.headers["access-control-expose-headers"].split(",")}
    assert {"Content-Length", "Content-Range", "ETag"} <= exposed


@pytest.mark.parametrize("publication", [Publication.PRIVATE, Publication.HELD, Publication.BLOCKED])
async def test_nothing_of_an_asset_that_is_not_public_is_served(house, publication: Publication) -> None:
    asset = house.built(publication)
    async with house.client() as client:
        for path in ("master.m3u8", "b/1/master.m3u8", "b/1/720p.m3u8", "t/recipe/1/720p/00001.m4s"):
            got = await client.get(f"/media/{asset.id}/{path}")
            assert (got.status_code, got.json()["code"]) == (404, "not_found")
        assert (await client.get(f"/artifacts/{asset.id}/poster/1/poster.jpg")).status_code == 404


async def test_a_takedown_ends_it(house, asset: str) -> None:
    async with house.client() as client:
        assert (await client.get(segment(asset))).status_code == 200
        house.store.delete(pointer_key(asset, "master.m3u8"))
        assert (await client.get(f"/media/{asset}/master.m3u8")).status_code == 404
        # What was seen to be public is believed for a second, less than a cache may show the pointer for
        house.clock.advance(1)
        assert (await client.get(segment(asset))).status_code == 404


async def test_what_is_not_public_is_not_remembered(house) -> None:
    asset = house.built(Publication.PRIVATE).id
    async with house.client() as client:
        assert (await client.get(segment(asset))).status_code == 404
        house.put(pointer_key(asset, "master.m3u8"), b"#EXTM3U\n", POINTER)
        assert (await client.get(segment(asset))).status_code == 200


async def test_a_store_without_addresses_of_its_own_is_served_from(make_house) -> None:
    house = make_house(origin="redirect")
    asset = house.built(Publication.PUBLISHED).id
    async with house.client() as client:
        assert (await client.get(segment(asset))).content == SEGMENT


async def test_artifacts(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(f"/artifacts/{asset}/poster/1/poster.jpg")
    assert (got.content, got.headers["content-type"], got.headers["cache-control"]) == (
        b"\xff\xd8 picture",
        "image/jpeg",
        IMMUTABLE,
    )


async def test_a_404_is_forgotten_soon_and_readable_for_players(house, asset: str) -> None:
    async with house.client() as client:
        got = await client.get(f"/media/{asset}/t/recipe/1/720p/00002.m4s")
    assert got.status_code == 404
    assert got.headers["content-type"] == "application/problem+json"
    assert got.headers["cache-control"] == "public, max-age=1"
    assert got.headers["access-control-allow-origin"] == "*"


BAD_PATHS = [
    "/media/{a}/", "/media/{a}", "/media//master.m3u8", "/media/{a}/../../../rushes.db", "/media/{a}/..%2f..%2frushes.db",
    "/media/{a}/b%2F1%2F720p.m3u8", "/media/{a}/%2e%2e/{a}/master.m3u8", "/media/{a}/b/1/./720p.m3u8", "/media/{a}/b//1/720p.m3u8",
    "/media/{a}/b/99/720p.m3u8", "/media/{a}/b/1", "/media/{a}/b/1/", "/media/{a}/master.m3u8/x",
    "/media/{a}/x%00y", "/media/{a}/x%0ay",
    "/media/{a}/%ff%fe", "/media/{a}/x%5c..%5cy", "/media/..%2fmedia%2f{a}/master.m3u8", "/media/%2e%2e/rushes.db",
    "/media/{a}/" + "x" * 300, "/media/{a}/" + "x/" * 600 + "y", "/media/nonsense/master.m3u8", "/media/{n}/master.m3u8",
    "/artifacts/{a}/../../sources/default", "/artifacts/{a}/..%2f..%2fmedia", "/artifacts/{n}/x", "/media/{a}/.rushes/tmp",
    "/preview/x/master.m3u8", "/preview//master.m3u8", "/preview/%00/x", "/preview/{a}.1.x/master.m3u8",
]  # fmt: skip


def test_paths_that_lead_nowhere(house, asset: str, serve) -> None:
    """Over a socket, because HTTP clients tidy paths up before they send them."""
    host, _, port = serve(house.app).removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    answers = {}
    for path in BAD_PATHS:
        for method in ("GET", "HEAD"):
            connection.request(method, path.format(a=asset, n=new_id(0.0, 1)))
            got = connection.getresponse()
            got.read()
            answers[method, path] = got.status
    connection.close()
    assert {key: status for key, status in answers.items() if status != 404} == {}


async def test_only_reading_is_possible(house, asset: str) -> None:
    async with house.client() as client:
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            got = await client.request(method, f"/media/{asset}/master.m3u8")
            assert (got.status_code, got.json()["code"]) == (405, "method_not_allowed")


async def test_a_store_that_fails_is_a_503_and_not_cached(house, asset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rushes.storage.store import StoreError

    def fail(key: str, start: int = 0, stop: int | None = None) -> None:
        raise StoreError("disk is on fire")

    monkeypatch.setattr(house.store, "fetch", fail)
    async with house.client() as client:
        got = await client.get(segment(asset))
    assert (got.status_code, got.json()["code"]) == (503, "storage_unavailable")
    assert got.headers["cache-control"] == "no-store"
    assert "fire" not in got.text


# -- the private preview ----------------------------------------------------------------------------------------------


async def preview_of(house, publication: Publication = Publication.HELD) -> tuple[str, dict[str, str]]:
    asset = house.built(publication)
    async with house.client() as client:
        got = (await client.get(f"/v1/assets/{asset.id}")).json()
    return asset.id, got["playback"]["private"]


async def test_the_owner_can_watch_what_is_held(house) -> None:
    _, private = await preview_of(house)
    async with house.client(follow_redirects=True) as client:
        master = await client.get(private["hls"])
        playlist = await client.get(str(master.url.join("720p.m3u8")))
        media = await client.get(
            str(playlist.url.join("../../t/recipe/1/720p/00001.m4s")), headers={"Range": "bytes=0-3"}
        )
        short = await client.get(str(master.url.join("../../master.m3u8")))
    assert (media.status_code, media.content) == (206, SEGMENT[:4])
    assert short.content == master.content
    for got in (master, playlist, media):
        assert got.headers["cache-control"] == "private, no-store"


async def test_a_token_opens_one_asset_only_and_ends(house) -> None:
    asset, private = await preview_of(house)
    other = house.built(Publication.HELD)
    async with house.client() as client:
        assert (await client.get(private["hls"])).status_code == 200
        assert (await client.get(private["hls"].replace(asset, other.id))).status_code == 404
        assert (await client.get(private["hls"].replace("/b/1/", "/b/2/"))).status_code == 404
        house.clock.advance(7200)
        assert (await client.get(private["hls"])).status_code == 404


async def test_artifacts_are_part_of_the_preview(house) -> None:
    _, private = await preview_of(house)
    address = private["hls"].replace("b/1/master.m3u8", "artifacts/poster/1/poster.jpg")
    async with house.client() as client:
        assert (await client.get(address)).content == b"\xff\xd8 picture"


async def test_a_deleted_asset_has_no_preview_any_more(house) -> None:
    asset, private = await preview_of(house)
    house.change(house.catalog.asset(asset), state=AssetState.DELETED)
    async with house.client() as client:
        assert (await client.get(private["hls"])).status_code == 404


async def test_the_secret_survives_a_restart(house) -> None:
    from rushes.api.app import create_app

    _, private = await preview_of(house)
    house.app = create_app(house.services)
    async with house.client() as client:
        assert (await client.get(private["hls"])).status_code == 200
    secret = house.settings.data / "preview-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_bytes()) >= 32
