"""A process that dies between any two steps of an upload, over every database: one asset, with all its bytes.

A fuse counts what the process does to the catalog and to its stores, and blows before or behind one of these calls. Then
nothing that the process still tries has any effect, as after kill -9, and another one starts with what is left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database
from rushes.catalog.records import Upload
from rushes.clock import ManualClock, SystemClock
from rushes.ingest.access import Caller
from rushes.ingest.admission import admissible
from rushes.ingest.checksum import Check, hasher
from rushes.ingest.finish import store_key
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.local_append import LocalAppender
from rushes.ingest.recovery import recover
from rushes.ingest.requests import Append, Creation
from rushes.ingest.services import Services
from rushes.ingest.together import Newcomer, Taken, take_all
from rushes.ingest.uploads import Seen, Uploads
from rushes.keys import new_id
from rushes.model import Asset
from rushes.settings import Settings
from rushes.states import AssetState
from rushes.storage.local import LocalStore

DATA = (b"abc", b"defgh")
WHOLE = b"".join(DATA)
MOST = 200
"""Calls that one way may take at most."""


class Killed(BaseException):
    """The process is no more."""


class Fuse:
    def __init__(self, blows_at: int = 0) -> None:
        self.calls, self.blows_at = 0, blows_at
        self.open: list[LocalAppender] = []

    @property
    def is_blown(self) -> bool:
        return 0 < self.blows_at <= self.calls

    def pass_(self) -> None:
        self.calls += 1
        if self.is_blown:
            raise Killed

    def behind(self, target: Any) -> Any:
        """The same object, each call of which may be the last."""
        fuse = self

        class Fused:
            def __getattr__(self, name: str) -> Any:
                found = getattr(target, name)
                return fuse._fused(found) if callable(found) else found

        return Fused()

    def _fused(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*args: Any, **rest: Any) -> Any:
            self.pass_()
            result = call(*args, **rest)
            if isinstance(result, LocalAppender):
                self.open.append(result)
                result = self.behind(result)
            elif getattr(call, "__name__", "") == "close":
                self.open.remove(call.__self__)
            self.pass_()
            return result

        return fused


class World:
    """What outlives a process, and the process that is there now."""

    def __init__(self, database: Database, root: Path, blows_at: int) -> None:
        self.database, self.root = database, root
        self.clock = ManualClock(SystemClock().now())  # files have times too
        self.tenant = f"t{new_id(self.clock.now())}"
        self.settings = Settings(data=root, min_free_bytes=0)
        self.catalog = Catalog(Store(database, self.clock))
        self.objects = LocalStore(root / "objects")
        self.stored = LocalUploadStore(root / "uploads", sync="never")
        self.start(Fuse(blows_at))

    def start(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.services = Services(
            catalog=fuse.behind(self.catalog),
            objects=fuse.behind(self.objects),
            uploads=fuse.behind(self.stored),
            settings=self.settings,
            clock=self.clock,
            tenant_of=lambda request: self.tenant,
        )
        self.uploads = Uploads(self.services)

    async def end(self) -> None:
        """Of the process: what it does behind its answers comes to an end."""
        await asyncio.gather(*self.uploads._joins._joining.values(), return_exceptions=True)
        self.services.threads.shutdown()
        for appender in self.fuse.open:
            os.close(appender._descriptor)  # as the kernel does
        self.fuse.open.clear()


class Client:
    """Knows what it was told, and goes on from there. `proven`: it sends checksums."""

    def __init__(self, world: World, *, proven: bool) -> None:
        self.world, self.proven = world, proven
        self.known: dict[int, str] = {}
        self.caller = Caller(world.tenant)

    async def upload(self, kind: str) -> Seen:
        if kind == "whole":
            return await self._send(0, WHOLE, "whole")
        order = {"parts first": (0, 1, None), "whole first": (None, 0, 1, None)}[kind]
        for number in order:
            if number is not None:
                await self._send(number, DATA[number], "part")
            else:
                for each in range(len(DATA)):
                    await self._created(each, DATA[each], "part")
                parts = tuple(self.known[each] for each in range(len(DATA)))
                creation = Creation(length=None, metadata={}, raw_metadata="", body=False, kind="joined", parts=parts)
                seen = await self.world.uploads.create(self.caller, creation)
        return await self.world.uploads.look(self.caller, seen.upload.id)

    async def _created(self, number: int, data: bytes, kind: Any) -> str:
        if number not in self.known:
            creation = Creation(length=len(data), metadata={}, raw_metadata="", body=False, kind=kind)
            self.known[number] = (await self.world.uploads.create(self.caller, creation)).upload.id
        return self.known[number]

    async def _send(self, number: int, data: bytes, kind: Any) -> Seen:
        name = await self._created(number, data, kind)
        seen = await self.world.uploads.look(self.caller, name)
        for end in (len(data) // 2, len(data)):  # by two requests
            if seen.offset < end:
                piece = data[seen.offset : end]
                append = Append(seen.offset, len(piece), check=_check(piece) if self.proven else None)
                seen = await self.world.uploads.append(self.caller, name, append, _body(piece))
        return seen


def _check(data: bytes) -> Check:
    made = hasher("sha1")
    made.update(data)
    return Check.of({"sha1": made.digest()})


async def _body(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def run(world: World, kind: str, *, proven: bool) -> bool:
    """One upload, in spite of a kill. Gives whether there was one."""
    client = Client(world, proven=proven)
    try:
        seen = await client.upload(kind)
    except Killed:
        seen = None
    await world.end()
    was_killed = world.fuse.is_blown
    if was_killed:
        world.start(Fuse())
        await recover(world.services)
        await world.end()
        world.start(Fuse())
        seen = await client.upload(kind)
        await world.end()
    assert seen is not None
    assert seen.is_complete
    return was_killed


def check(world: World) -> None:
    assets, _ = world.catalog.assets(tenant=world.tenant, limit=100)
    done = [asset for asset in assets if asset.state is AssetState.INGESTED]
    assert len(done) == 1, [asset.state for asset in assets]
    assert done[0].source is not None
    assert world.objects.read(done[0].source.key) == WHOLE
    assert done[0].source.size == len(WHOLE)
    # What is left are creations that nobody was told of, and parts; all of it expires
    assert {asset.state for asset in assets if asset is not done[0]} <= {AssetState.UPLOADING}


@pytest.fixture(params=[3, pytest.param(1, marks=pytest.mark.nightly)])
def step(request: pytest.FixtureRequest) -> int:
    """From one call that is the last to the next. Over SQLite each has its turn. Over PostgreSQL, which takes five times as
    long, every third, and by night each: what a kill leaves in a database does not depend on which one it is."""
    return 1 if request.node.callspec.params["fresh_database"] == "sqlite" else int(request.param)


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("kind", ["whole", "parts first", "whole first"])
async def test_an_upload_that_is_killed_anywhere_becomes_one_asset(
    database: Database, tmp_path: Path, kind: str, proven: bool, step: int
) -> None:
    for number in range(1 + proven * step // 2, MOST, step):
        world = World(database, tmp_path / str(number), number)
        was_killed = await run(world, kind, proven=proven)
        check(world)
        if not was_killed:
            break
    assert 20 < number < MOST, "the fuse never held, or it never blew"


@pytest.mark.parametrize("kind", ["whole", "parts first", "whole first"])
async def test_after_a_kill_anywhere_nothing_is_left_in_the_end(database: Database, tmp_path: Path, kind: str) -> None:
    for number in range(1, MOST, 3):
        world = World(database, tmp_path / str(number), number)
        was_killed = await run(world, kind, proven=number % 2 == 0)
        # When everything has expired, and old enough for what no row leads to
        world.clock.advance(3 * world.settings.upload_expiry)
        world.start(Fuse())
        for _ in range(2):
            await recover(world.services)
        await world.end()
        # Then there is the source, and no byte besides
        assert list(world.stored.list()) == []
        assets, _ = world.catalog.assets(tenant=world.tenant, limit=100)
        (done,) = [asset for asset in assets if asset.state is AssetState.INGESTED]
        assert done.source is not None
        assert [found.key for found in world.objects.list("")] == [done.source.key]
        assert {asset.state for asset in assets} <= {AssetState.INGESTED, AssetState.FAILED}
        assert [each for each in world.catalog.kept_uploads() if each.tenant == world.tenant] == []
        if not was_killed:
            break


async def test_an_upload_that_is_given_up_and_killed_anywhere_is_gone_in_the_end(
    database: Database, tmp_path: Path
) -> None:
    for number in range(1, MOST):
        world = World(database, tmp_path / str(number), 0)
        creation = Creation(length=9, metadata={}, raw_metadata="", body=False)
        caller = Caller(world.tenant)
        upload = (await world.uploads.create(caller, creation)).upload
        await world.uploads.append(caller, upload.id, Append(0, 3), _body(b"abc"))
        world.fuse.calls, world.fuse.blows_at = 0, number
        with suppress(Killed):
            await world.uploads.terminate(caller, upload.id)
        await world.end()
        was_killed = world.fuse.is_blown
        world.clock.advance(3 * world.settings.upload_expiry)
        world.start(Fuse())
        await recover(world.services)
        await world.end()
        assert list(world.stored.list()) == []
        assert world.catalog.upload(upload.id).state == "terminated"
        assert world.catalog.asset(upload.asset or "").state in (AssetState.DELETED, AssetState.FAILED)
        assert not [found for found in world.objects.list("") if found.key == store_key(upload)]
        if not was_killed:
            break
    assert 3 < number < MOST


async def test_small_uploads_that_are_killed_together_are_whole_or_nothing(database: Database, tmp_path: Path) -> None:
    bodies = [os.urandom(number) for number in (1, 700, 9000)]
    creations = [Creation(length=len(body), metadata={}, raw_metadata="", body=True) for body in bodies]
    for number in range(1, MOST):
        world = World(database, tmp_path / str(number), number)
        caller = Caller(world.tenant)
        newcomers = [
            Newcomer(*_with_asset(admissible(world.settings, caller, creation, world.clock.now())), body)
            for creation, body in zip(creations, bodies, strict=True)
        ]
        # Given some that go together, and a kill between any two calls
        acknowledged = False
        with suppress(Killed):
            taken = take_all(world.services, world.services.objects, newcomers)
            acknowledged = taken == [Taken()] * len(newcomers)
        was_killed = world.fuse.is_blown
        await world.end()
        # When another process starts, and all that nobody comes back for expires
        world.start(Fuse())
        await recover(world.services)
        world.clock.advance(3 * world.settings.upload_expiry)
        await recover(world.services)
        await world.end()
        # Then each is there, whole, or is not; and what was acknowledged is there
        assets, _ = world.catalog.assets(tenant=world.tenant, limit=100)
        done = {asset.id: asset for asset in assets if asset.state is AssetState.INGESTED}
        assert {asset.state for asset in assets} <= {AssetState.INGESTED, AssetState.FAILED}
        assert not acknowledged or len(done) == len(newcomers)
        for one in newcomers:
            if one.asset.id in done:
                assert world.objects.read(one.key) == one.body
        assert {found.key for found in world.objects.list("")} == {one.key for one in newcomers if one.asset.id in done}
        assert [each for each in world.catalog.kept_uploads() if each.tenant == world.tenant] == []
        if not was_killed:
            assert acknowledged
            break
    assert 5 < number < MOST


def _with_asset(made: tuple[Upload, Asset | None]) -> tuple[Upload, Asset]:
    assert made[1] is not None
    return made[0], made[1]
