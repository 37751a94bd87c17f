"""How many children there are, and who gets which. The children here are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rushes.workers import children
from rushes.workers.children import Children, NoChild


class Made:
    """A child that is ready as soon as the test lets it."""

    def __init__(self) -> None:
        self.usable = True
        self.killed = False

    async def kill(self) -> None:
        self.killed, self.usable = True, False


class Nursery:
    def __init__(self) -> None:
        self.started: list[Made] = []
        self.gate = asyncio.Event()
        self.refuse = False

    async def start(self, *_: object) -> Made:
        made = Made()
        self.started.append(made)
        await self.gate.wait()
        if self.refuse:
            raise NoChild("no memory")
        return made


Run = Callable[[Callable[[Nursery, Children], Coroutine[Any, Any, None]], int], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def within(test: Callable[[Nursery, Children], Coroutine[Any, Any, None]], spare: int = 2) -> None:
        async def body() -> None:
            nursery, kept = Nursery(), Children(spare, {}, 1.0)
            monkeypatch.setattr(children, "Child", nursery)
            kept.warm()
            await test(nursery, kept)
            await kept.close()

        asyncio.run(asyncio.wait_for(body(), 10))

    return within


def test_who_comes_early_gets_one_that_is_being_started(run: Run) -> None:
    async def early(nursery: Nursery, kept: Children) -> None:
        # Given two children that do their imports, when two steps need one each
        takers = [asyncio.create_task(kept.take()) for _ in range(2)]
        await asyncio.sleep(0)
        nursery.gate.set()
        taken = await asyncio.gather(*takers)
        # Then no others are started for them
        assert sorted(map(id, taken)) == sorted(map(id, nursery.started))

    run(early)


def test_who_finds_none_starts_one(run: Run) -> None:
    async def many(nursery: Nursery, kept: Children) -> None:
        nursery.gate.set()
        taken = [await kept.take() for _ in range(3)]
        assert len({id(child) for child in taken}) == len(nursery.started) == 3

    run(many)


def test_those_that_are_out_are_counted_but_one_is_always_ready(run: Run) -> None:
    async def busy(nursery: Nursery, kept: Children) -> None:
        nursery.gate.set()
        first, second, third = [await kept.take() for _ in range(3)]
        # When one comes back while the others are out, nothing is missing
        await kept.put_back(first)
        kept.warm()
        assert len(nursery.started) == 3
        # When it is out again too, one is made ready for whoever comes next
        assert await kept.take() is first
        kept.warm()
        await asyncio.sleep(0)
        assert len(nursery.started) == 4
        for child in (first, second, third):
            await kept.put_back(child)
        # Then those that are too many at the end are gone
        assert sum(child.usable for child in nursery.started) == 3

    run(busy, 3)


def test_one_that_died_is_replaced(run: Run) -> None:
    async def dead(nursery: Nursery, kept: Children) -> None:
        nursery.gate.set()
        child = await kept.take()
        child.usable = False
        await kept.put_back(child)
        assert child.killed
        kept.warm()
        await asyncio.sleep(0)
        assert len(nursery.started) == 3

    run(dead)


def test_where_none_can_be_started_whoever_asks_hears_it(run: Run) -> None:
    async def poor(nursery: Nursery, kept: Children) -> None:
        nursery.refuse = True
        nursery.gate.set()
        with pytest.raises(NoChild):
            await kept.take()

    run(poor)
