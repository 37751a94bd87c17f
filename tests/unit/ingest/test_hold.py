from __future__ import annotations

import asyncio

import pytest

from rushes.ingest.hold import Hold, Holds, Locked


class Request:
    """A PATCH that receives until it is told to end, or is interrupted."""

    def __init__(self, holds: Holds, upload: str = "u") -> None:
        self.finished = asyncio.Event()
        self.claimed = asyncio.Event()
        self.hold: Hold | None = None
        self.interrupted = False
        self.task = asyncio.create_task(self._run(holds, upload))

    async def _run(self, holds: Holds, upload: str) -> None:
        async with holds.claim(upload) as self.hold:
            self.claimed.set()
            try:
                async with self.hold.receiving():
                    await self.finished.wait()
            except TimeoutError:
                self.interrupted = True

    async def end(self) -> None:
        self.finished.set()
        await self.task


async def holder(holds: Holds, *, silent_for: float = 0.0) -> Request:
    request = Request(holds)
    await request.claimed.wait()
    assert request.hold is not None
    request.hold.heard -= silent_for
    return request


async def test_an_upload_is_held_once() -> None:
    holds = Holds()
    first = await holder(holds, silent_for=-60)  # its bytes keep coming
    with pytest.raises(Locked) as caught:
        async with holds.claim("u"):
            pass
    assert caught.value.status == 423
    await first.end()
    async with holds.claim("u"):
        pass


async def test_other_uploads_are_free() -> None:
    holds = Holds()
    first = await holder(holds)
    async with holds.claim("other"):
        pass
    await first.end()


async def test_an_error_inside_lets_go() -> None:
    holds = Holds()
    with pytest.raises(ValueError, match="inside"):
        async with holds.claim("u"):
            raise ValueError("inside")
    async with holds.claim("u"):
        pass


async def test_a_silent_holder_is_ended_by_a_newer_request() -> None:
    holds = Holds(stalled=1.0)
    first = await holder(holds, silent_for=2.0)
    async with holds.claim("u"):
        assert first.interrupted
    await first.task


async def test_force_ends_an_active_holder_too() -> None:
    holds = Holds()
    first = await holder(holds)
    async with holds.claim("u", force=True):
        assert first.interrupted
    await first.task


async def test_a_holder_that_does_not_let_go_keeps_the_upload() -> None:
    holds = Holds(hand_off=0.02)
    # Given a holder that is past receiving (it is storing what it has)
    async with holds.claim("u") as hold:
        # When a newer request wants it / Then it waits a moment and is refused
        with pytest.raises(Locked):
            async with holds.claim("u", force=True):
                pass
        assert hold.interrupted


async def test_an_interruption_before_receiving_is_not_lost() -> None:
    hold = Hold()
    hold.interrupt()
    with pytest.raises(TimeoutError):
        async with hold.receiving():
            await asyncio.Event().wait()


async def test_settle_is_at_once_where_nobody_holds() -> None:
    assert await Holds().settle("u")


async def test_settle_ends_a_silent_holder() -> None:
    holds = Holds(stalled=1.0)
    first = await holder(holds, silent_for=2.0)
    assert await holds.settle("u")
    assert first.interrupted
    await first.task


async def test_settle_waits_for_a_holder_that_is_about_to_end() -> None:
    holds = Holds(stalled=30.0)
    first = await holder(holds)
    settling = asyncio.create_task(holds.settle("u"))
    await first.end()
    assert await settling
    assert not first.interrupted


async def test_settle_leaves_an_active_holder_alone() -> None:
    holds = Holds(stalled=0.05)
    first = await holder(holds)
    assert first.hold is not None
    first.hold.heard += 60  # bytes keep coming
    assert not await asyncio.wait_for(holds.settle("u"), 5)
    assert not first.interrupted
    await first.end()
