"""What a player may know: the public description of a video, oEmbed, and the heads of its pages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from rushes.api import signed
from rushes.cards import card_of
from rushes.keys import new_id
from rushes.model import Asset, ImageArtifact, StoryboardResult, TranscriptResult
from rushes.options import Options
from rushes.states import AssetState, Publication
from rushes.web import pages

BASE = "http://127.0.0.1:8000"
HOSTILE = '"><script>alert(1)</script>&\x01'


def enriched(house: Any, **changes: Any) -> Asset:
    asset = house.built(Publication.PUBLISHED)
    prefix = f"artifacts/{asset.id}/r/1/"
    sprite = ImageArtifact(key=prefix + "storyboard.jpg", width=800, height=270)
    board = StoryboardResult(
        sprite=sprite, vtt_key=prefix + "storyboard.vtt", tile_width=160, tile_height=90, columns=5, count=15, interval=1
    )  # fmt: skip
    poster = ImageArtifact(key=prefix + "poster.jpg", width=1280, height=720, thumbhash="3/cJNJqAh4eAh4d4iIeAcAj4dw==")
    said = TranscriptResult(
        language="en", engine="x", trusted=True, cues=(), vtt_key=prefix + "t.vtt", json_key=prefix + "t.json"
    )
    track = asset.tracks[0]
    text = track.model_copy(update={"name": "captions-en", "kind": "text", "language": "en", "width": None})
    fields = {"poster": poster, "storyboard": board, "transcript": said, "tracks": (track, text)}
    return house.change(asset, **(fields | changes))


async def test_the_description_needs_no_key_and_is_for_every_web_site(make_house) -> None:
    house = make_house(auth="keys", api_keys="ann:" + "k" * 24)
    asset = enriched(house)
    async with house.client() as client:
        got = await client.get(f"/v1/playback/{asset.id}", headers={"Origin": "https://blog.example"})
        again = await client.get(f"/v1/playback/{asset.id}", headers={"If-None-Match": got.headers["etag"]})
        asked = await client.options(f"/v1/playback/{asset.id}")
    assert got.json() == {
        "asset": asset.id, "title": "A clip", "duration": 4.0, "width": 1280, "height": 720,
        "hls": f"{BASE}/media/{asset.id}/master.m3u8", "dash": f"{BASE}/media/{asset.id}/manifest.mpd", "mp4": None,
        "poster": f"{BASE}/artifacts/{asset.id}/r/1/poster.jpg", "thumbhash": "3/cJNJqAh4eAh4d4iIeAcAj4dw==",
        "storyboard": f"{BASE}/artifacts/{asset.id}/r/1/storyboard.vtt",
        "captions": [{"language": "en", "url": f"{BASE}/artifacts/{asset.id}/r/1/t.vtt"}],
        "protected": False, "clearkey": None, "build": 1,
    }  # fmt: skip
    assert got.headers["access-control-allow-origin"] == asked.headers["access-control-allow-origin"] == "*"
    assert got.headers["cache-control"] == "public, max-age=2"
    assert "set-cookie" not in got.headers
    assert (again.status_code, again.content, asked.status_code) == (304, b"", 204)


async def test_a_draft_that_no_build_shows_is_not_told(house) -> None:
    asset = enriched(house, tracks=house.built(Publication.PUBLISHED).tracks)
    async with house.client() as client:
        assert (await client.get(f"/v1/playback/{asset.id}")).json()["captions"] == []


@pytest.mark.parametrize("path", ["nonsense", new_id(1.0, 1), "%2e%2e", "a" * 100])
async def test_no_such_video(house, path: str) -> None:
    async with house.client() as client:
        got = await client.get(f"/v1/playback/{path}")
    assert got.status_code in (404, 422)
    assert got.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("publication", [Publication.PRIVATE, Publication.HELD, Publication.BLOCKED])
async def test_what_is_not_public_is_as_if_it_were_not_there(house, publication: Publication) -> None:
    asset = house.built(publication)
    async with house.client() as client:
        got = await client.get(f"/v1/playback/{asset.id}")
        unknown = await client.get(f"/v1/playback/{new_id(1.0, 1)}")
        embedded = await client.get(f"/oembed?{urlencode({'url': f'{BASE}/watch/{asset.id}'})}")
    assert [got.status_code, unknown.status_code, embedded.status_code] == [404, 404, 404]
    assert got.json()["detail"] == unknown.json()["detail"]


async def test_a_deleted_video_is_gone_at_once(house) -> None:
    asset = enriched(house)
    async with house.client() as client:
        assert (await client.get(f"/v1/playback/{asset.id}")).status_code == 200
        house.change(asset, state=AssetState.DELETED)
        assert (await client.get(f"/v1/playback/{asset.id}")).status_code == 404


async def test_a_signed_video_is_described_to_whoever_has_its_token(house) -> None:
    asset, other = enriched(house, options=Options(playback="signed")), enriched(house)
    (secret, *_) = house.app.state.origin_secrets.playback
    now = int(house.clock.now())
    token = signed.sign(secret, asset.id, now + 60)
    wrong = [
        "x",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        signed.sign(secret, asset.id, now - 1),
        signed.sign(secret, other.id, now + 60),
    ]
    async with house.client() as client:
        got = await client.get(f"/v1/playback/{asset.id}", params={"token": token})
        refused = [await client.get(f"/v1/playback/{asset.id}", params={"token": one}) for one in wrong]
        bare = await client.get(f"/v1/playback/{asset.id}")
        oembed = await client.get("/oembed", params={"url": f"{BASE}/watch/{asset.id}"})
    assert got.json()["hls"] == f"{BASE}/signed/{token}/media/{asset.id}/master.m3u8"
    assert got.json()["poster"].startswith(f"{BASE}/signed/{token}/artifacts/{asset.id}/")
    assert got.headers["cache-control"] == "no-store"
    assert {(one.status_code, one.json()["detail"]) for one in [*refused, bare]} == {(403, signed.REFUSED)}
    assert {one.headers["cache-control"] for one in [*refused, bare]} == {"no-store"}
    assert (oembed.status_code, oembed.json()["code"]) == (401, "private_video")


async def test_oembed_in_json(house) -> None:
    asset = enriched(house, title=HOSTILE)
    async with house.client() as client:
        got = await client.get("/oembed", params={"url": f"{BASE}/watch/{asset.id}?quality=720p", "maxwidth": 320})
    said = got.json()
    assert got.headers["content-type"] == "application/json"
    assert (said["version"], said["type"], said["title"], said["provider_name"]) == ("1.0", "video", HOSTILE, "rushes")
    assert (said["width"], said["height"]) == (320, 180)
    assert f'src="{BASE}/embed/{asset.id}"' in said["html"]
    assert "<script>" not in said["html"]
    assert "thumbnail_url" not in said, "section 2.3.4.2: no larger than what was asked for"


async def test_oembed_in_xml(house) -> None:
    asset = enriched(house, title=HOSTILE)
    async with house.client() as client:
        got = await client.get("/oembed", params={"url": f"{BASE}/embed/{asset.id}", "format": "xml"})
    root = ElementTree.fromstring(got.content)
    assert got.headers["content-type"].startswith("text/xml")
    assert root.findtext("title") == HOSTILE.replace("\x01", "")
    assert root.findtext("thumbnail_url") == f"{BASE}/artifacts/{asset.id}/r/1/poster.jpg"
    assert (root.findtext("thumbnail_width"), root.findtext("width")) == ("1280", "640")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"url": ""}, 404),
        ({"url": "https://elsewhere.example/watch/{id}"}, 404),
        ({"url": "http://127.0.0.1:8000@elsewhere.example/watch/{id}"}, 404),
        ({"url": "http://127.0.0.1:8000/watch%2F{id}"}, 404),
        ({"url": "http://127.0.0.1:8000/media/{id}"}, 404),
        ({"url": "http://127.0.0.1:8000/watch/{id}", "format": "yaml"}, 501),
        ({"url": "https://elsewhere.example/", "format": "JSON"}, 501),
        ({"url": "http://127.0.0.1:8000/watch/{id}", "maxwidth": "0"}, 422),
        ({"url": "http://127.0.0.1:8000/watch/{id}", "maxheight": "many"}, 422),
    ],
)
async def test_oembed_refuses(house, query: dict[str, str], status: int) -> None:
    asset = enriched(house)
    async with house.client() as client:
        got = await client.get("/oembed", params={name: value.format(id=asset.id) for name, value in query.items()})
    assert (got.status_code, got.headers["content-type"]) == (status, "application/problem+json")


async def test_another_host_name_in_the_request_makes_no_other_videos(make_house) -> None:
    house = make_house(public_url="https://video.example")
    asset = enriched(house)
    async with house.client() as client:
        ours = await client.get("/oembed", params={"url": f"https://video.example/watch/{asset.id}"})
    assert f"https://video.example/embed/{asset.id}" in ours.json()["html"]
    assert json.dumps(ours.json()).count("127.0.0.1") == 0


@pytest.fixture
def with_pages(house, tmp_path, monkeypatch):
    for name in ("watch", "embed", "missing"):
        (tmp_path / f"{name}.html").write_text(f"<html><head></head><body>{name}</body></html>")
    monkeypatch.setattr(pages, "dist", lambda: tmp_path)
    house.app.include_router(pages.router((), card_of))
    return house


@pytest.mark.parametrize("page", ["watch", "embed"])
async def test_the_pages_of_a_public_video_say_what_it_is(with_pages, page: str) -> None:
    asset = enriched(with_pages, title=HOSTILE)
    async with with_pages.client() as client:
        got = await client.get(f"/{page}/{asset.id}")
    assert 'property="og:video"' in got.text
    assert f"oembed?url=http%3A%2F%2F127.0.0.1%3A8000%2Fwatch%2F{asset.id}&amp;format=json" in got.text
    assert "<script>" not in got.text


@pytest.mark.parametrize("changes", [{"publication": Publication.HELD}, {"options": Options(playback="signed")}])
async def test_the_pages_of_others_say_nothing(with_pages, changes: dict[str, Any]) -> None:
    asset = enriched(with_pages, **changes)
    async with with_pages.client() as client:
        got = await client.get(f"/watch/{asset.id}")
    assert got.status_code == 200
    assert "og:" not in got.text
    assert "A clip" not in got.text


async def test_only_the_embedded_player_may_stand_in_a_frame(with_pages) -> None:
    asset = enriched(with_pages)
    async with with_pages.client() as client:
        embed, watch, missing = [
            await client.get(f"/{path}") for path in (f"embed/{asset.id}", f"watch/{asset.id}", "embed/x")
        ]
    assert "x-frame-options" not in embed.headers
    assert "frame-ancestors *" in embed.headers["content-security-policy"]
    assert watch.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in watch.headers["content-security-policy"]
    assert (missing.status_code, "x-frame-options" in missing.headers) == (404, False)
    assert "set-cookie" not in embed.headers
