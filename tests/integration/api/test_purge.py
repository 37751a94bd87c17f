"""What the API tells caches before it answers, and what the origin tells them by which to forget."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rushes.api import takedown
from rushes.states import Publication


class Cdn:
    """Takes purges, and answers them when it is told that it may."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.may = threading.Event()
        self.may.set()
        cdn = self

        class Handler(BaseHTTPRequestHandler):
            def do_PURGE(self) -> None:
                cdn.heard.append(self.path)
                cdn.may.wait(30)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    made = Cdn()
    yield made
    made.may.set()
    made.server.shutdown()


@pytest.fixture
def told(make_house: Any, cdn: Cdn) -> Any:
    url = f"http://127.0.0.1:{cdn.server.server_port}"
    return make_house(purge="http", purge_url=url + "{path}", purge_method="PURGE")


async def test_caches_have_forgotten_the_pointers_when_the_call_answers(
    told: Any, cdn: Cdn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takedown, "PROMPT", 60.0)  # the machine may be busy
    deleted, held = told.built(Publication.PUBLISHED), told.built(Publication.PUBLISHED)
    async with told.client() as client:
        await client.delete(f"/v1/assets/{deleted.id}")
        assert sorted(cdn.heard) == [f"/media/{deleted.id}/manifest.mpd", f"/media/{deleted.id}/master.m3u8"]
        got = await client.post(f"/v1/assets/{held.id}/verdict", json={"action": "hold"})
        assert got.json()["purge"][0] == cdn.heard[2] or got.json()["purge"][1] == cdn.heard[2]
        # Publishing tells them nothing
        got = await client.post(f"/v1/assets/{held.id}/verdict", json={"action": "publish"})
        assert "purge" not in got.json()
        assert len(cdn.heard) == 4


async def test_a_cache_that_hangs_holds_no_answer_up(told: Any, cdn: Cdn) -> None:
    asset = told.built(Publication.PUBLISHED)
    cdn.may.clear()
    async with told.client() as client:
        assert (await client.delete(f"/v1/assets/{asset.id}")).json()["state"] == "deleted"
    assert not cdn.may.is_set()
    cdn.may.set()


async def test_answers_are_tagged_with_their_asset_where_a_cdn_is_told(told: Any, make_house: Any) -> None:
    asset = told.built(Publication.PUBLISHED)
    async with told.client() as client:
        for path in (f"/media/{asset.id}/master.m3u8", f"/media/{asset.id}/b/1/720p.m3u8"):
            headers = (await client.get(path)).headers
            assert (headers["cache-tag"], headers["surrogate-key"]) == (asset.id, asset.id)


async def test_answers_are_not_tagged_for_nobody(house: Any, tmp_path: Path) -> None:
    asset = house.built(Publication.PUBLISHED)
    async with house.client() as client:
        assert "cache-tag" not in (await client.get(f"/media/{asset.id}/master.m3u8")).headers
