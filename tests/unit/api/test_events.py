import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from rushes.api.events import messages
from rushes.api.models import AssetView
from rushes.api.records import Record
from rushes.api.views import asset_view, under
from rushes.api.watcher import Watcher
from rushes.keys import new_id
from rushes.model import Asset, StepView
from rushes.states import AssetState, Pool, StepKind, StepState

ID = new_id(1_750_000_000.0, 5)


def record(revision: int, state: AssetState, step: StepState, progress: float = 0.0) -> Record:
    asset = Asset(id=ID, tenant="default", created_at=1_750_000_000.0, state=state, revision=revision)
    view = StepView(
        id="s", key="encode.0", kind=StepKind.ENCODE, pool=Pool.VIDEO, state=step, required=True, progress=progress, attempts=1
    )  # fmt: skip
    return Record(asset, (view,), {})


RUNNING = record(1, AssetState.INGESTED, StepState.RUNNING, 0.1)
FURTHER = record(1, AssetState.INGESTED, StepState.RUNNING, 0.5)
READY = record(2, AssetState.READY, StepState.RUNNING, 0.9)
OVER = record(2, AssetState.READY, StepState.DONE, 1.0)


class Script:
    """A catalog that shows one record after the other, each until the test says `step`."""

    def __init__(self, *records: Record) -> None:
        self.records = list(records)
        self.looks = 0

    def load(self, asset: str) -> Record:
        assert asset == ID
        self.looks += 1
        return self.records[0]

    def step(self) -> None:
        self.records.pop(0)


def view(found: Record) -> AssetView:
    return asset_view(found.asset, found.steps, found.cost, under(""))


def parsed(text: str) -> dict[str, str]:
    lines = [line.partition(": ") for line in text.strip().split("\n")]
    return {name: value for name, _, value in lines}


async def play(stream: AsyncIterator[str], script: Script, steps: int) -> list[dict[str, str]]:
    """All messages, moving the script on after each that is no keep-alive, `steps` times."""
    got = []
    async for text in stream:
        message = parsed(text)
        got.append(message)
        if steps and "event" in message:
            steps -= 1
            script.step()
    return got


def test_what_is_over() -> None:
    assert [item.is_over for item in (RUNNING, READY, OVER)] == [False, False, True]


def test_a_version_changes_with_states_but_not_with_progress() -> None:
    assert RUNNING.version == FURTHER.version
    assert len({item.version for item in (RUNNING, READY, OVER)}) == 3


async def test_a_stream_from_the_first_state_to_the_end() -> None:
    script = Script(RUNNING, FURTHER, READY, OVER)
    got = await play(messages(Watcher(script.load, 0.001), ID, None, view), script, 3)
    assert got[0] == {"retry": "1000"}
    assert [message.get("event") for message in got[1:]] == ["asset", "progress", "asset", "asset", "end"]
    assert json.loads(got[1]["data"])["id"] == ID
    assert json.loads(got[2]["data"])["steps"][0]["progress"] == 0.5
    assert json.loads(got[4]["data"])["steps"][0]["state"] == "done"
    # Only what can be resumed from has an id
    assert [message.get("id") for message in got[1:]] == [RUNNING.version, None, READY.version, OVER.version, None]


async def test_who_comes_back_is_not_told_twice() -> None:
    script = Script(FURTHER, OVER)
    got = await play(messages(Watcher(script.load, 0.001), ID, RUNNING.version, view), script, 1)
    assert [message.get("event") for message in got[1:]] == ["progress", "asset", "end"]


async def test_silence_is_filled_with_comments() -> None:
    script = Script(RUNNING)
    stream = messages(Watcher(script.load, 0.001), ID, None, view, keep_alive=0.01)
    got = [await anext(stream) for _ in range(4)]
    await stream.aclose()  # type: ignore[attr-defined]
    assert got[2:] == [": keep-alive\n\n"] * 2


async def test_listeners_share_one_look_and_it_ends_with_the_last() -> None:
    script = Script(RUNNING)
    watcher = Watcher(script.load, interval=60.0)
    streams = [messages(watcher, ID, None, view) for _ in range(5)]
    for stream in streams:
        await anext(stream)
    first = await asyncio.gather(*(anext(stream) for stream in streams))
    assert len(set(first)) == 1
    assert script.looks == 1
    for stream in streams[:4]:
        await stream.aclose()  # type: ignore[attr-defined]
    assert list(watcher.feeds) == [ID]
    await streams[4].aclose()  # type: ignore[attr-defined]
    assert watcher.feeds == {}
    # And nobody looks any more
    async with asyncio.timeout(10):
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0)


async def test_a_catalog_that_fails_ends_the_stream_and_the_next_begins_anew() -> None:
    class Failing(Script):
        def load(self, asset: str) -> Record:
            if self.looks == 0:
                self.looks += 1
                raise RuntimeError("database is gone")
            return super().load(asset)

    script = Failing(OVER)
    watcher = Watcher(script.load, 0.001)
    with pytest.raises(RuntimeError):
        await play(messages(watcher, ID, None, view), script, 0)
    got = await play(messages(watcher, ID, None, view), script, 0)
    assert [message.get("event") for message in got[1:]] == ["asset", "end"]
