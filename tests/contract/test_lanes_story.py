"""The claim in SQL and the lanes of the simulator make the same choices, whatever happens: one story, told to both."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.catalog import steps
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.open import open_database
from rushes.catalog.pipeline import Pipeline, Wish
from rushes.catalog.records import Claim
from rushes.clock import ManualClock
from rushes.engine.classes import class_of, deadline_of
from rushes.engine.fair import AGED_SHARE, Share
from rushes.engine.lanes import Key, Lanes, Look
from rushes.model import Asset, Skipped, StepSpec
from rushes.noun import Reason
from rushes.states import Pool, StepKind
from tests.contract.shop import Shop

SHARES = {"a": Share(weight=4.0), "b": Share(running=2)}
AGE = 900.0
NOTHING = Skipped(reason=Reason(code="not_evaluated", message="Nothing to do."))
POOLS = (Pool.VIDEO, Pool.IMAGE)


def share(tenant: str) -> Share:
    return SHARES.get(tenant, Share())


@dataclass(frozen=True)
class Come:
    """Steps of a tenant become ready."""

    tenant: str
    pool: Pool
    priority: int
    cost: float


@dataclass(frozen=True)
class Take:
    """A worker looks for work."""

    pools: tuple[Pool, ...]
    aged: bool
    without: str = ""
    least: int = 0
    """Tenants that it leaves to others."""


@dataclass(frozen=True)
class End:
    """A running step ends: it is done, or handed back."""

    which: int
    cpu: float
    done: bool


@dataclass(frozen=True)
class Pass:
    """One is done, and in the same transaction its worker takes the next."""

    which: int
    cpu: float
    pools: tuple[Pool, ...]
    aged: bool


@dataclass(frozen=True)
class Stop:
    """What a tenant has is cancelled, running steps too, which end so."""

    tenant: str


@dataclass(frozen=True)
class Wait:
    seconds: float


Act = Come | Take | End | Pass | Stop | Wait


COMING = st.builds(
    Come,
    tenant=st.sampled_from("abcd"),
    pool=st.sampled_from([Pool.VIDEO, Pool.VIDEO, Pool.VIDEO, Pool.IMAGE]),
    priority=st.sampled_from([10, 10, 10, 10, 5, 20, 0, -20]),
    cost=st.sampled_from([0.1, 1.0, 3.0, 7.0, 20.0]),
)
TAKING = st.builds(
    Take,
    pools=st.sampled_from([POOLS, POOLS, POOLS[:1], POOLS[1:]]),
    aged=st.sampled_from([False, False, True]),
    without=st.sampled_from(["", "", "", "a", "bc"]),
    least=st.sampled_from([0, 0, 3]),
)
ENDING = st.builds(
    End,
    which=st.integers(0, 9),
    cpu=st.sampled_from([0.0, 0.4, 1.0, 30.0, 500.0]),
    done=st.sampled_from([True, True, False]),
)
PASSING = st.builds(
    Pass,
    which=st.integers(0, 9),
    cpu=st.sampled_from([0.0, 0.4, 1.0, 30.0, 500.0]),
    pools=st.sampled_from([POOLS, POOLS[:1], POOLS[1:]]),
    aged=st.sampled_from([False, False, True]),
)
OTHERS = st.builds(Stop, tenant=st.sampled_from("abcd")) | st.builds(Wait, seconds=st.sampled_from([0.5, 60.0, 1000.0]))
ROUND = st.tuples(
    st.lists(COMING, min_size=1, max_size=5),
    st.lists(TAKING | ENDING | PASSING, min_size=1, max_size=6),
    OTHERS | st.none(),
)
STORY = st.lists(ROUND, min_size=4, max_size=10)
"""Rounds: some come, some are taken or end, and perhaps something else happens."""


class Both:
    """The catalog, and beside it the lanes, which are told what happens to it."""

    def __init__(self, place: Path) -> None:
        database = open_database(f"sqlite:///{place / 'story.db'}")
        database.migrate()
        self.shop = Shop(database)
        self.store = Store(database, self.shop.clock)
        self.pipeline = Pipeline(self.store, lease=1e9, max_attempts=1000, tool="t", sharing=Sharing(of=share, age=AGE))
        self.lanes = Lanes(share, age=AGE)
        self.assets: dict[str, Asset] = {}
        self.known: dict[str, tuple[Key, float, float]] = {}
        """Lane, deadline and cost of a step."""
        self.running: list[Claim] = []
        self.numbers = itertools.count()

    @property
    def clock(self) -> ManualClock:
        return self.shop.clock

    def come(self, act: Come) -> None:
        asset = self.assets.get(act.tenant) or self.shop.upload(act.tenant)
        if act.tenant not in self.assets:
            with self.store.change() as change:  # what the upload has planned is not part of the story
                change.tx.execute("DELETE FROM step_after")
                change.tx.execute("DELETE FROM steps WHERE asset = :asset", {"asset": asset.id})
                change.tx.execute("DELETE FROM queues WHERE tenant = :tenant", {"tenant": act.tenant})
            self.assets[act.tenant] = asset
        spec = StepSpec(
            key=f"step.{next(self.numbers)}", kind=StepKind.POSTER, pool=act.pool, priority=act.priority, cost=act.cost
        )
        with self.store.change() as change:
            change.add_steps(asset, [spec])
        with self.store.database.read() as tx:
            row = tx.one(
                "SELECT id FROM steps WHERE asset = :asset AND key = :key", {"asset": asset.id, "key": spec.key}
            )
        assert row
        key = Key(act.pool.value, int(class_of(act.priority)), act.tenant)
        self.known[row["id"]] = (key, deadline_of(act.priority, self.clock.now()), act.cost)
        self._enter(row["id"])

    def _enter(self, step: str) -> None:
        key, deadline, _ = self.known[step]
        self.lanes.enter(self.lanes.lane(key), (deadline, step), self.clock.now())

    def take(self, act: Take) -> None:
        chance = 0.0 if act.aged else 1 - 1 / AGED_SHARE
        with mock.patch("random.random", lambda: chance):
            claim = self.pipeline.claim(act.pools, "w", without=act.without, least=act.least)
        look = Look(tuple(pool.value for pool in act.pools), frozenset(act.without), least=act.least)
        lane = self.lanes.pick(look, self.clock.now(), chance)
        mine = self.lanes.claim(lane, self.clock.now(), lambda step: self.known[str(step)][2]) if lane else None
        assert (claim.job.step_id if claim else None) == mine, (act, lane and lane.key)
        if claim:
            self.running.append(claim)

    def end(self, act: End) -> None:
        if not self.running:
            return
        claim = self.running.pop(act.which % len(self.running))
        key, _, cost = self.known[claim.job.step_id]
        if act.done:
            assert self.pipeline.complete(claim.job, NOTHING, act.cpu)
        else:
            assert self.pipeline.release(claim.job, "released", act.cpu)
        self.lanes.end(self.lanes.lane(key), cost, act.cpu)
        if not act.done:
            self._enter(claim.job.step_id)

    def go_on(self, act: Pass) -> None:
        """The next is chosen by what lanes were owed before the end; it is charged after that. A tenant with a cap is left to a
        claim of its own, which knows nothing of what was tried."""
        if not self.running:
            return
        claim = self.running.pop(act.which % len(self.running))
        key, _, cost = self.known[claim.job.step_id]
        chance = 0.0 if act.aged else 1 - 1 / AGED_SHARE
        with mock.patch("random.random", lambda: chance), mock.patch("rushes.catalog.claiming.AGAIN_AFTER", 1e9):
            self.pipeline._claiming._apart_until = 0.0  # so that each is tried
            wish = Wish(act.pools, "w")
            counted, following = self.pipeline.complete_and_claim(claim.job, NOTHING, act.cpu, wish)
        assert counted
        lanes = self.lanes if following else deepcopy(self.lanes)  # what came to nothing shut nothing
        lane = lanes.pick(Look(tuple(pool.value for pool in act.pools)), self.clock.now(), chance)
        self.lanes.end(self.lanes.lane(key), cost, act.cpu)
        if following is None:
            assert lane is None or share(lane.key.tenant).running
            return
        assert lane is not None and not share(lane.key.tenant).running
        assert following.job.step_id == self.lanes.claim(lane, self.clock.now(), lambda step: self.known[str(step)][2])
        self.running.append(following)

    def stop(self, act: Stop) -> None:
        if act.tenant not in self.assets:
            return
        asset = self.assets[act.tenant].id
        with self.store.change() as change:
            steps.cancel_open(change.tx, asset, change.now)
        for step, (key, _, _) in self.known.items():
            if key.tenant == act.tenant:
                self.lanes.leave(self.lanes.lane(key), step)
        for claim in [claim for claim in self.running if claim.job.asset == asset]:
            self.running.remove(claim)
            assert self.pipeline.release(claim.job, "cancelled", 0.5)
            key, _, cost = self.known[claim.job.step_id]
            self.lanes.end(self.lanes.lane(key), cost, 0.5)

    def tell(self, act: Act) -> None:
        match act:
            case Come():
                self.come(act)
            case Take():
                self.take(act)
            case End():
                self.end(act)
            case Pass():
                self.go_on(act)
            case Stop():
                self.stop(act)
            case Wait():
                self.clock.advance(act.seconds)
        self.compare(act)

    def compare(self, act: Act) -> None:
        """Lanes and rows say the same: tags, who is open, when they were served."""
        with self.store.database.read() as tx:
            rows = tx.all("SELECT pool, class, tenant, version, tag, open, since FROM queues")
        for row in rows:
            lane = self.lanes.lane(Key(row["pool"], row["class"], row["tenant"], row["version"]))
            told = (row["open"], pytest.approx(row["tag"]), row["since"])
            assert (int(lane.open), lane.tag, lane.since) == told, (act, lane.key)


@contextmanager
def both() -> Iterator[Both]:
    numbers = itertools.count()  # ids break ties between steps of one moment
    with TemporaryDirectory() as place, mock.patch("secrets.randbits", lambda _: next(numbers)):
        found = Both(Path(place))
        try:
            yield found
        finally:
            found.store.database.close()


@settings(max_examples=30, deadline=None)
@given(story=STORY)
def test_the_same_story_leads_to_the_same_claims(story: list[tuple[list[Act], list[Act], Act | None]]) -> None:
    with both() as pair:
        for coming, work, other in story:
            for act in (*coming, *work, *([other] if other else [])):
                pair.clock.advance(0.001)
                pair.tell(act)
        for _ in pair.known:  # and what is left at the end
            pair.clock.advance(0.001)
            pair.tell(Take(POOLS, aged=False))
