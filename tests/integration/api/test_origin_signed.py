"""Signed playback: nothing of such an asset without a token that is for it and still good."""

import base64
import hashlib
import hmac
import json
import logging

import httpx
import pytest

from rushes.api.signed import COOKIE, sign
from rushes.keys import new_id, pointer_key
from rushes.states import Publication
from rushes.storage.store import POINTER
from tests.integration.api.test_origin import SEGMENT, segment

SECRETS = ("the first secret of all: it signs and is believed", "the second secret: it was the first one once")
ANN, BOB = "0123456789abcdef-ann", "0123456789abcdef-bob"


@pytest.fixture
def house(make_house):
    return make_house(playback_secret=",".join(SECRETS))


def signed_asset(house) -> str:
    asset = house.built(Publication.PUBLISHED).id
    text = b"#EXTM3U\n# rushes build=1 playback=signed\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb/1/720p.m3u8\n"
    house.put(pointer_key(asset, "master.m3u8"), text, POINTER)
    return asset


@pytest.fixture
def asset(house) -> str:
    return signed_asset(house)


async def token_of(house, asset: str, key: str | None = None, **body: int) -> httpx.Response:
    async with house.client(key) as client:
        return await client.post(f"/v1/assets/{asset}/tokens", json=body)


async def test_a_player_gets_all_the_way_by_the_token_in_the_path(house, asset: str) -> None:
    answer = await token_of(house, asset, expires_in=600)
    given = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    async with house.client() as client:
        master = await client.get(given["playback"]["hls"])
        playlist = await client.get(str(master.url.join("b/1/720p.m3u8")))
        media = await client.get(
            str(playlist.url.join("../../t/recipe/1/720p/00001.m4s")), headers={"Range": "bytes=0-3"}
        )
        head = await client.head(str(media.url))
        preflight = await client.options(str(media.url))
        poster = await client.get(f"{given['prefix']}/artifacts/{asset}/poster/1/poster.jpg")
        again = await client.get(str(playlist.url), headers={"If-None-Match": playlist.headers["etag"]})
        behind = await client.get(str(media.url), headers={"Range": "bytes=9999999-"})
        missing = await client.get(f"{given['prefix']}/media/{asset}/t/recipe/1/720p/00009.m4s")
    assert (master.status_code, playlist.status_code, media.status_code) == (200, 200, 206)
    assert media.content == SEGMENT[:4]
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(SEGMENT)))
    assert (preflight.status_code, poster.status_code, again.status_code) == (204, 200, 304)
    assert (behind.status_code, missing.status_code) == (416, 404)
    # No cache may keep it for others, or longer than the token lives
    assert media.headers["cache-control"] == playlist.headers["cache-control"] == "private, max-age=600"
    assert again.headers["cache-control"] == "private, max-age=600"
    assert master.headers["cache-control"] == "private, max-age=2"
    for got in (master, playlist, media, poster, missing):
        assert got.headers["access-control-allow-origin"] == "*"
        assert "set-cookie" not in got.headers


async def test_or_by_a_cookie_on_the_plain_path(house, asset: str) -> None:
    cookie = (await token_of(house, asset)).json()["cookie"]
    assert cookie["paths"] == [f"/media/{asset}/", f"/artifacts/{asset}/", f"/keys/{asset}/"]
    async with house.client() as client:
        got = await client.get(segment(asset), headers={"Cookie": f"{cookie['name']}={cookie['value']}"})
        without = await client.get(segment(asset))
    assert (got.status_code, got.content, got.headers["cache-control"]) == (200, SEGMENT, "private, max-age=3600")
    assert without.status_code == 403


async def test_anybody_with_the_secret_can_make_one(house, asset: str) -> None:
    """The form is a promise: docs/delivery.md."""
    expires = int(house.clock.now()) + 10
    for secret in SECRETS:
        mac = hmac.new(secret.encode(), f"rushes.playback.{asset}.{expires}".encode(), hashlib.sha256).digest()
        token = f"{asset}.{expires}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        async with house.client() as client:
            assert (await client.get(f"/signed/{token}{segment(asset)}")).status_code == 200


async def test_whatever_is_wrong_the_answer_is_the_same(house, asset: str) -> None:
    now = int(house.clock.now())
    other = signed_asset(house)
    good = sign(SECRETS[0].encode(), asset, now + 60)
    tokens = {
        "garbled": "nonsense", "forged": good[:-2] + "xx", "expired": sign(SECRETS[0].encode(), asset, now),
        "another's": sign(SECRETS[0].encode(), other, now + 60), "unknown secret": sign(b"x" * 40, asset, now + 60),
        "a preview's": house.app.state.preview_secret.decode(), "empty": "",
    }  # fmt: skip
    async with house.client() as client:
        answers = {name: await client.get(f"/signed/{token}{segment(asset)}") for name, token in tokens.items()}
        answers["none"] = await client.get(segment(asset))
        answers["none, playlist"] = await client.get(f"/media/{asset}/master.m3u8")
        answers["wrong cookie"] = await client.get(
            segment(asset), headers={"Cookie": f"{COOKIE}={tokens['another' + chr(39) + 's']}"}
        )
        answers["no such asset"] = await client.get(f"/signed/{good}{segment(new_id(0.0, 5))}")
        answers["no such object"] = await client.get(f"/signed/{tokens['forged']}/media/{asset}/..%2fx")
        assert (await client.get(f"/signed/{good}{segment(asset)}")).status_code == 200
        head = await client.head(f"/signed/nonsense{segment(asset)}")
    assert {name: got.status_code for name, got in answers.items()} == dict.fromkeys(answers, 403)
    assert {got.content for got in answers.values()} == {answers["none"].content}
    headers = {json.dumps(sorted((set(got.headers)) - {"x-request-id"})) for got in answers.values()}
    assert len(headers) == 1
    assert answers["none"].json()["code"] == "forbidden"
    assert {got.headers["cache-control"] for got in answers.values()} == {"no-store"}
    assert (head.status_code, head.content) == (403, b"")


async def test_a_token_lets_nobody_see_what_is_not_public(house) -> None:
    hidden = house.built(Publication.HELD).id
    given = (await token_of(house, hidden)).json()
    async with house.client() as client:
        assert (await client.get(given["playback"]["hls"])).status_code == 404


async def test_public_assets_play_with_and_without(house) -> None:
    public = house.built(Publication.PUBLISHED).id
    given = (await token_of(house, public)).json()
    async with house.client() as client:
        assert (await client.get(segment(public))).headers["cache-control"].startswith("public, max-age=31536000")
        assert (await client.get(f"{given['prefix']}{segment(public)}")).content == SEGMENT


async def test_a_takedown_is_stronger_than_a_token(house, asset: str) -> None:
    given = (await token_of(house, asset)).json()
    async with house.client() as client:
        assert (await client.get(f"{given['prefix']}{segment(asset)}")).status_code == 200
        house.store.delete(pointer_key(asset, "master.m3u8"))
        house.clock.advance(1)
        assert (await client.get(f"{given['prefix']}{segment(asset)}")).status_code == 404


async def test_tokens_are_for_the_owner_to_give(make_house) -> None:
    house = make_house(auth="keys", api_keys=f"ann:{ANN},bob:{BOB}")
    asset = house.built(Publication.PUBLISHED, tenant="ann").id
    assert (await token_of(house, asset, ANN)).status_code == 201
    assert (await token_of(house, asset, BOB)).status_code == 404
    assert (await token_of(house, asset)).status_code == 401
    for body in ({"expires_in": 0}, {"expires_in": 10**9}, {"nonsense": 1}):
        assert (await token_of(house, asset, ANN, **body)).status_code == 422


async def test_what_a_cache_in_front_of_us_asks(house, asset: str) -> None:
    given = (await token_of(house, asset)).json()
    good = f"/signed/{given['token']}/media/{asset}/master.m3u8"
    public, hidden = house.built(Publication.PUBLISHED).id, house.built(Publication.HELD).id
    cookie = {"Cookie": f"{COOKIE}={given['token']}"}

    async def asked(original: str, **headers: str) -> int:
        async with house.client() as client:
            got = await client.get("/v1/playback/verify", headers={"X-Original-URI": original, **headers})
        assert got.headers["cache-control"] == "no-store"
        return got.status_code

    assert await asked(good) == await asked(f"{good}?CMCD=bs") == 204
    assert await asked(f"/signed/{given['token']}/keys/{asset}/00") == 204
    assert await asked(f"/media/{public}/master.m3u8") == 204
    assert await asked(f"/media/{asset}/master.m3u8", **cookie) == 204
    prefix = f"/signed/{given['token']}"
    wrong = [
        f"/media/{asset}/master.m3u8", good.replace(asset, public), f"/media/{hidden}/master.m3u8", "", "/", "/v1/assets",
        "x" * 9000, f"/signed/x/media/{asset}/master.m3u8", f"{prefix}/media/{public}/master.m3u8", f"{prefix}//media/{asset}/x",
        f"{prefix}/media/{asset}/../{hidden}/x", f"{prefix}/sources/{asset}/x", f"{prefix}/media/{asset}/%2e%2e/x",
    ]  # fmt: skip
    assert {path: await asked(path) for path in wrong} == dict.fromkeys(wrong, 403)
    house.clock.advance(3600)
    assert await asked(good) == 403


async def test_a_token_is_nowhere_in_logs_and_metrics(house, asset: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rushes")
    token = (await token_of(house, asset)).json()["token"]
    async with house.client() as client:
        await client.get(f"/signed/{token}{segment(asset)}")
        await client.get(f"/signed/{token}x{segment(asset)}")
        await client.get(f"/signed/{token}/keys/{asset}/none")
        metrics = (await client.get("/metrics")).text
    seen = "\n".join(
        f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name.startswith("rushes")
    )
    assert f"/signed/***/media/{asset}/t/recipe" in seen
    assert 'route="/signed/{token}/{path}"' in metrics
    assert token.rpartition(".")[2] not in seen + metrics
