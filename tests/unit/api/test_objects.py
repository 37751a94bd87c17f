"""Answers from bytes that are in memory."""

from __future__ import annotations

import pytest
from starlette.responses import StreamingResponse

from rushes.api.negotiation import Wanted
from rushes.api.objects import Body, respond
from rushes.storage.store import IMMUTABLE, ObjectInfo

DATA = bytes(range(256)) * 16
INFO = ObjectInfo("media/x/t/r/1/v/00001.m4s", len(DATA), '"e"', "video/iso.segment", IMMUTABLE, 0.0)


@pytest.mark.parametrize(
    ("asked", "spans"), [(None, [(0, 4096)]), ("bytes=5-2000", [(5, 2001)]), ("bytes=0-999,3000-", [(0, 1000), (3000, 4096)])]
)  # fmt: skip
async def test_slow_readers_share_the_bytes_that_are_kept(asked: str | None, spans: list[tuple[int, int]]) -> None:
    response = respond(INFO, Body('"e"', len(DATA), DATA), Wanted(range=asked))
    pieces = (
        [piece async for piece in response.body_iterator]
        if isinstance(response, StreamingResponse)
        else [response.body]
    )
    views = [piece for piece in pieces if isinstance(piece, memoryview)]
    assert [bytes(view) for view in views] == [DATA[start:stop] for start, stop in spans]
    assert all(view.obj is DATA for view in views)
    assert sum(len(piece) for piece in pieces) == int(response.headers["content-length"])
