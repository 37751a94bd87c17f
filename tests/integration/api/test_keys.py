"""Keys of protected media: to whom they are given, in which form, and for how long."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode

import httpx
import pytest

from rushes.api import preview
from rushes.api.signed import COOKIE, sign
from rushes.errors import Blame, StepFailure
from rushes.keys import new_id, pointer_key
from rushes.media_keys import DerivedKeys, MediaKey
from rushes.states import Publication
from rushes.storage.store import POINTER
from rushes.tracks import Protection
from tests.integration.api.conftest import ANN, BOB, KEYS_SECRET

PLAYBACK = "the secret of the tokens: it signs and it is believed"


@pytest.fixture
def house(make_house):
    return make_house(playback_secret=PLAYBACK)


def key(asset: str, version: int = 1) -> MediaKey:
    return DerivedKeys(KEYS_SECRET).key(asset, version)


def protected(house, publication: Publication = Publication.PUBLISHED, version: int = 1, **fields: object) -> str:
    asset = house.built(publication, tenant=str(fields.pop("tenant", "default")))
    said = Protection(scheme="cbcs", kid=key(asset.id, version).kid, iv="0" * 32)
    tracks = tuple(track.model_copy(update={"protection": said}) for track in asset.tracks)
    house.change(asset, tracks=tracks, key_version=version, **fields)
    return asset.id


def signed_only(house) -> str:
    asset = protected(house)
    house.put(pointer_key(asset, "master.m3u8"), b"#EXTM3U\n# rushes build=1 playback=signed\n", POINTER)
    return asset


async def get(house, path: str, **headers: str) -> httpx.Response:
    async with house.client() as client:
        return await client.get(path, headers=headers)


async def ask(house, path: str, *kids: str) -> httpx.Response:
    named = [urlsafe_b64encode(bytes.fromhex(kid)).rstrip(b"=").decode() for kid in kids]
    async with house.client() as client:
        return await client.post(path, json={"kids": named, "type": "temporary"})


async def test_a_key_is_sixteen_bytes_for_any_page_and_no_cache(house) -> None:
    asset = protected(house)
    got = await get(house, f"/keys/{asset}/{key(asset).kid}")
    assert (got.status_code, got.content) == (200, bytes.fromhex(key(asset).key))
    headers = got.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["access-control-allow-origin"] == "*"
    async with house.client() as client:
        before = await client.options(f"/keys/{asset}/clearkey")
    assert (before.status_code, "POST" in before.headers["access-control-allow-methods"]) == (204, True)
    assert "Content-Type" in before.headers["access-control-allow-headers"]


async def test_a_licence_has_the_keys_that_were_asked_for(house) -> None:
    asset = protected(house, version=2)
    got = await ask(house, f"/keys/{asset}/clearkey", key(asset, 2).kid, "ab" * 16)
    body = got.json()
    assert (got.status_code, got.headers["cache-control"], body["type"]) == (200, "no-store", "temporary")
    (found,) = body["keys"]
    assert found["kty"] == "oct"
    assert urlsafe_b64decode(found["kid"] + "==").hex() == key(asset, 2).kid
    assert urlsafe_b64decode(found["k"] + "==").hex() == key(asset, 2).key


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"kids": 1}', b'{"kids": [1]}', b'{"kids": ["\xc3\xa4"]}', b"\xff", b"[" * 16_000]
)
async def test_a_licence_request_that_is_none_is_refused(house, body: bytes) -> None:
    asset = protected(house)
    async with house.client() as client:
        got = await client.post(f"/keys/{asset}/clearkey", content=body)
        large = await client.post(f"/keys/{asset}/clearkey", content=bytes(20_000))
    assert (got.status_code, got.json()["code"]) == (400, "bad_licence_request")
    assert large.status_code == 413


async def test_there_are_no_keys_of_what_is_not_public_not_protected_or_not_there(house) -> None:
    hidden, plain = protected(house, Publication.HELD), house.built(Publication.PUBLISHED).id
    other = protected(house)
    for asset, kid in (
        (hidden, key(hidden).kid),
        (plain, key(plain).kid),
        (other, key(hidden).kid),
        (new_id(1), "0" * 32),
        (f"{other}%0a", key(other).kid),
    ):
        got = await get(house, f"/keys/{asset}/{kid}")
        assert (got.status_code, got.headers["content-type"]) == (404, "application/problem+json")
        assert (await ask(house, f"/keys/{asset}/clearkey", kid)).status_code == 404


async def test_of_a_signed_asset_nothing_without_a_token_for_it(house) -> None:
    asset, now = signed_only(house), int(house.clock.now())
    kid = key(asset).kid
    good, over = (sign(PLAYBACK.encode(), asset, now + seconds) for seconds in (60, -1))
    foreign = sign(PLAYBACK.encode(), protected(house), now + 60)
    assert (await get(house, f"/keys/{asset}/{kid}")).status_code == 403
    assert (await ask(house, f"/keys/{asset}/clearkey", kid)).status_code == 403
    for token in (over, foreign, good[:-1] + "A", "x"):
        got = await get(house, f"/signed/{token}/keys/{asset}/{kid}")
        assert (got.status_code, got.json()["code"]) == (403, "forbidden")
    assert (await get(house, f"/signed/{good}/keys/{asset}/{kid}")).content == bytes.fromhex(key(asset).key)
    assert (await ask(house, f"/signed/{good}/keys/{asset}/clearkey", kid)).status_code == 200
    assert (await get(house, f"/keys/{asset}/{kid}", cookie=f"{COOKIE}={good}")).status_code == 200
    assert (await get(house, f"/keys/{asset}/{kid}", cookie=f"{COOKIE}={over}")).status_code == 403


async def test_the_owner_gets_keys_and_media_under_the_preview_token(house) -> None:
    asset = protected(house, Publication.HELD)
    async with house.client() as client:
        private = (await client.get(f"/v1/assets/{asset}")).json()["playback"]["private"]
    assert f"/media/{asset}/b/1/master.m3u8" in private["hls"]
    assert (await get(house, private["hls"])).status_code == 200
    beside = str(httpx.URL(private["hls"]).join(f"../../../../keys/{asset}/{key(asset).kid}"))
    assert (await get(house, beside)).content == bytes.fromhex(key(asset).key)
    assert (await ask(house, private["clearkey"], key(asset).kid)).status_code == 200
    token = preview.sign(
        house.app.state.preview_secret, protected(house, Publication.HELD), int(house.clock.now()) + 60
    )
    assert (await get(house, f"/preview/{token}/keys/{asset}/{key(asset).kid}")).status_code == 404
    async with house.client() as client:
        assert (await client.delete(f"/v1/assets/{asset}")).status_code < 300
    assert (await get(house, beside)).status_code == 404


async def test_older_keys_are_given_out_until_they_are_retired(house) -> None:
    asset = protected(house, version=2)
    assert (await get(house, f"/keys/{asset}/{key(asset, 1).kid}")).status_code == 200
    async with house.client() as client:
        assert (await client.post(f"/v1/assets/{asset}/keys/retire")).status_code == 200
    assert (await get(house, f"/keys/{asset}/{key(asset, 1).kid}")).status_code == 404
    assert (await get(house, f"/keys/{asset}/{key(asset, 2).kid}")).status_code == 200
    assert (await get(house, f"/keys/{asset}/{key(asset, 3).kid}")).status_code == 404


async def test_what_plays_by_an_older_key_keeps_it(house) -> None:
    asset = protected(house)
    house.change(house.catalog.asset(asset), key_version=2)
    async with house.client() as client:
        got = await client.post(f"/v1/assets/{asset}/keys/retire")
    assert (got.status_code, got.json()["code"]) == (409, "key_in_use")
    assert (await get(house, f"/keys/{asset}/{key(asset, 1).kid}")).status_code == 200


async def test_only_the_owner_changes_keys(make_house) -> None:
    house = make_house(auth="keys", api_keys=f"ann:{ANN},bob:{BOB}")
    asset = protected(house, tenant="ann")
    for act in ("rotate", "retire"):
        async with house.client(BOB) as bob, house.client() as nobody:
            assert (await bob.post(f"/v1/assets/{asset}/keys/{act}")).status_code == 404
            assert (await nobody.post(f"/v1/assets/{asset}/keys/{act}")).status_code == 401


async def test_nothing_is_said_of_a_key_where_the_key_server_is_silent(house, caplog) -> None:
    class Silent:
        def key(self, asset: str, version: int) -> MediaKey:
            raise StepFailure("key_server_unavailable", Blame.TRANSIENT, detail=key(asset).key)

    asset = protected(house)
    object.__setattr__(house.services, "keys", Silent())
    with caplog.at_level(logging.DEBUG):
        got = await get(house, f"/keys/{asset}/{key(asset).kid}")
    assert (got.status_code, got.json()["code"]) == (503, "key_server_unavailable")
    assert key(asset).key not in got.text + caplog.text
    assert json.loads(got.content)["detail"] == "The key server did not answer."
