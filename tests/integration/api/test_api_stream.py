"""Server-sent events over a real socket."""

import json
from collections.abc import Iterator

import httpx

from rushes.catalog import steps
from rushes.clock import SystemClock
from rushes.facts import SourceRef
from rushes.states import AssetState, Publication


def events(response: httpx.Response) -> Iterator[dict[str, str]]:
    """Messages as an EventSource would see them; comments are left out."""
    message: dict[str, str] = {}
    for line in response.iter_lines():
        if not line:
            if "event" in message:
                yield message
            message = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            message[name] = value


def test_progress_from_upload_to_the_end(house, serve) -> None:
    base, asset = serve(house.app), house.uploading()
    seen: list[str] = []
    with httpx.stream("GET", f"{base}/v1/assets/{asset.id}/events", timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        stream = events(response)
        # The present state comes at once
        first = next(stream)
        assert json.loads(first["data"])["state"] == "uploading"
        # When the upload ends, it is told
        house.put(f"sources/{asset.id}", b"x")
        house.catalog.finish_upload(asset.id, SourceRef(key=f"sources/{asset.id}", size=1))
        assert json.loads(next(stream)["data"])["state"] == "ingested"
        # When a step makes progress, only its steps are told
        with house.database.write() as tx:
            tx.execute("UPDATE steps SET progress = 0.5 WHERE kind = 'probe'")
        progress = next(stream)
        assert progress["event"] == "progress"
        assert any(step["progress"] == 0.5 for step in json.loads(progress["data"])["steps"])
        # When all is done, the stream ends by itself
        with house.rows.change() as change:
            steps.cancel_open(change.tx, asset.id, change.now)
        house.change(asset, state=AssetState.READY)
        seen = [message["event"] for message in stream]
    assert seen[-1] == "end"


def test_who_saw_the_end_gets_204(house, serve) -> None:
    base, asset = serve(house.app), house.built(Publication.PUBLISHED)
    with house.rows.change() as change:
        steps.cancel_open(change.tx, asset.id, change.now)
    address = f"{base}/v1/assets/{asset.id}/events"
    with httpx.stream("GET", address, timeout=30) as response:
        got = list(events(response))
    assert [message["event"] for message in got] == ["asset", "end"]
    again = httpx.get(address, headers={"Last-Event-ID": got[0]["id"]})
    assert (again.status_code, again.content) == (204, b"")


def test_a_listener_that_leaves_stops_the_looking(house, serve) -> None:
    base, asset = serve(house.app), house.uploading()
    watcher = house.app.state.watcher
    with httpx.stream("GET", f"{base}/v1/assets/{asset.id}/events", timeout=30) as response:
        stream = events(response)
        assert next(stream)["event"] == "asset"
        assert list(watcher.feeds) == [asset.id]
    # Then the server hears of it a moment later
    deadline = SystemClock().monotonic() + 20
    while watcher.feeds and SystemClock().monotonic() < deadline:
        httpx.get(f"{base}/healthz")
    assert watcher.feeds == {}


def test_a_large_object_over_a_real_socket(house, serve) -> None:
    base, asset = serve(house.app), house.built(Publication.PUBLISHED)
    data = bytes(range(256)) * 20_000
    house.put(f"media/{asset.id}/t/recipe/1/720p/big.m4s", data)
    address = f"{base}/media/{asset.id}/t/recipe/1/720p/big.m4s"
    assert httpx.get(address).content == data
    assert httpx.get(address, headers={"Range": "bytes=2000000-4999999"}).content == data[2_000_000:5_000_000]
    # Leaving in the middle hurts nobody
    with httpx.stream("GET", address) as response:
        next(response.iter_raw())
    assert httpx.head(address).headers["content-length"] == str(len(data))
