"""Changes of an asset inside a transaction: the row, its events and the steps that follow are one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from rushes.catalog import assets, outbox, queue, steps
from rushes.catalog.costs import Costs
from rushes.catalog.database import Database, Row, Session
from rushes.catalog.telling import Ended, Happening, Over, Reached, Tell, nobody
from rushes.clock import Clock
from rushes.engine import fair
from rushes.engine.cost import Learned, Seen, weighed
from rushes.engine.graph import republication
from rushes.engine.outcome import Outcome, cleanup_step, fail, may_be_public
from rushes.model import Asset, StepSpec
from rushes.noun import Reason
from rushes.states import Pool, StepKind, StepState


def _no_bell(pools: Iterable[Pool]) -> None:
    """Nobody to wake: workers look for themselves every few seconds."""


@dataclass(frozen=True)
class Store:
    """What every part of the catalog shares."""

    database: Database
    clock: Clock | None = None
    """None: the database's own time, the same for all machines, so that a wrong clock ends nobody's lease."""
    ring: Callable[[Iterable[Pool]], None] = _no_bell
    deliver: bool = False
    """Whether events are queued for a webhook."""
    purge: bool = False
    """Whether takedowns are told to caches."""
    tell: Tell = nobody
    """Who keeps this process's numbers."""
    costs: Costs = field(default_factory=Costs)
    """What work really takes."""

    def now(self, tx: Session) -> float:
        """The time that counts in this transaction, in seconds since the epoch."""
        return self.clock.now() if self.clock else tx.now

    @contextmanager
    def change(self) -> Iterator[Change]:
        """A transaction; after its commit the doorbell rings for what it made ready.

        Locks are taken in one order, so that no two transactions wait for each other: one asset (`assets.row`), its steps,
        lanes (`queue.Lane` sorts them), the turn of the events. Lanes and events are therefore written last, and what others
        may wait for goes out with the commit.
        """
        with self.database.write() as tx:
            change = Change(tx, self.now(tx), self.purge, learned=self.costs.learned)
            yield change
            change.write_lanes()
            outbox.append(tx, change.told, deliver=self.deliver)
        if change.woken:
            self.ring(change.woken)
        for happening in change.happened:
            self.tell(happening)
        for seen in change.seen:
            self.costs.note(seen)


@dataclass
class Change:
    tx: Session
    now: float
    purge: bool = False
    told: list[outbox.Entry] = field(default_factory=list)
    """Events of this transaction."""
    woken: set[Pool] = field(default_factory=set)
    """Pools that have a step more to do."""
    happened: list[Happening] = field(default_factory=list)
    """What is counted once it is committed."""
    entered: set[queue.Lane] = field(default_factory=set)
    """Lanes with a ready step more."""
    charged: list[tuple[queue.Lane, float, float]] = field(default_factory=list)
    """Lanes of steps that were claimed, with their estimated CPU seconds and their tenants' weights."""
    passed: list[queue.Lane] = field(default_factory=list)
    """Lanes in which a claim found nothing."""
    left: list[tuple[queue.Lane, float]] = field(default_factory=list)
    """Lanes of attempts that ended, with the CPU seconds by which they took more than they were charged."""
    counted: bool = False
    """Whether something else happened to the asset's steps than the end of one, so that all that waits is counted anew."""
    learned: Mapping[str, Learned] = field(default_factory=dict)
    """What work was seen to take."""
    seen: list[Seen] = field(default_factory=list)
    """And what some of it took here."""

    def part(self) -> Change:
        """For a part of it that may come to nothing: what is gathered there counts once it is taken in."""
        return Change(self.tx, self.now, self.purge, learned=self.learned)

    def take_in(self, claim: Change) -> None:
        """Such a part, which claimed a step, has come to something."""
        self.charged += claim.charged
        self.passed += claim.passed
        self.happened += claim.happened

    def add_steps(self, asset: Asset, specs: list[StepSpec]) -> None:
        steps.insert(self.tx, asset, weighed(specs, self.learned), self.now)
        self.settle(asset.id)

    def settle(self, asset: str) -> None:
        """Make ready what waits for nothing any more."""
        self.counted = True
        self.ready(steps.settle(self.tx, asset, self.now))

    def follow(self, step: str, asset: str) -> None:
        """The same after the end of a step. Where nothing else has happened, its followers are counted down."""
        if self.counted:
            self.settle(asset)
        else:
            self.ready(steps.follow(self.tx, step, self.now))

    def ready(self, rows: Iterable[Row]) -> None:
        """These steps have become ready."""
        found = {queue.lane_of(row) for row in rows}
        self.entered |= found
        self.woken |= queue.known(lane.pool for lane in found)

    def again(self, row: Row, *, at: float = 0.0, **values: Any) -> None:  # noqa: ANN401 - as `steps.end`
        """A running step is ready again, or will be `at` that time (seconds since the epoch). `values`: columns beside it."""
        if at > self.now:
            steps.end(self.tx, row["id"], row["fence"], StepState.WAITING, self.now, not_before=at, **values)
            return
        ready = {"not_before": 0.0, "ready_at": self.now}
        steps.end(self.tx, row["id"], row["fence"], StepState.READY, self.now, **ready, **values)
        self.ready([row])

    def write_lanes(self) -> None:
        """In the order of the lanes: what has ended, what was charged, what was found empty, what has become ready."""
        acts: list[tuple[queue.Lane, Callable[[], object]]] = [
            *((one, partial(queue.charge, self.tx, one, cost, weight, self.now)) for one, cost, weight in self.charged),
            # All lanes of the tenant there are taken, so before each of them
            *((one._replace(level=-1), partial(queue.leave, self.tx, one, owed)) for one, owed in self.left),
            *((one, partial(queue.shut, self.tx, one)) for one in dict.fromkeys(self.passed)),
            *((one, partial(queue.enter, self.tx, one, self.now)) for one in self.entered),
        ]
        for _, act in sorted(acts, key=itemgetter(0)):
            act()

    def end_attempt(self, row: Row, outcome: str, **values: Any) -> None:  # noqa: ANN401 - as `steps.end_attempt`
        """How the attempt of a running step ended, written down, counted, and its lane corrected by what it took. `began`: what
        `steps.attempt` says, where it is known."""
        began = values.get("began") or steps.attempt(self.tx, row["id"], row["fence"])
        steps.end_attempt(self.tx, row["id"], row["fence"], outcome, self.now, **values)
        seconds = self.now - began["began"] if began else 0.0
        reason, cpu = values.get("reason_code") or "", values.get("cpu_seconds", 0.0)
        self.left.append((queue.lane_of(row), fair.owed(began["estimate"] if began else 0.0, cpu)))
        of = (row["id"], row["fence"], row["asset"])
        self.happened.append(Ended(row["kind"], outcome, reason, row["tenant"], seconds, cpu, *of))
        if outcome == StepState.DONE and cpu > 0 and not values.get("avoided"):
            planned = row["cost"] / row["factor"]
            self.seen.append(Seen(StepKind(row["kind"]), json.loads(row["params"]), planned, cpu, seconds))

    def event(self, type_: str, asset: Asset) -> None:
        self.told.append(outbox.entry(type_, asset, self.now))

    def save(self, outcome: Outcome) -> Asset:
        """Store the changed asset, tell its events, and plan the takedown if one is due."""
        asset = assets.save(self.tx, outcome.asset)
        for type_ in outcome.events:
            self.event(type_, asset)
            self.happened.extend(_reached(type_, asset, self.now))
        if outcome.unpublish:
            self.add_steps(asset, [cleanup_step("unpublish", asset.revision, purge=self.purge)])
        if outcome.steps:
            self.add_steps(asset, list(outcome.steps))
        return asset

    def take_down(self, asset: Asset) -> None:
        """Delete everything at once, and again when the steps that still run have ended: they may write until then."""
        at_once = cleanup_step("delete", asset.revision, purge=self.purge)
        running = steps.running_keys(self.tx, asset.id)
        sweep = at_once.model_copy(update={"key": f"{at_once.key}.sweep", "after": running})
        self.add_steps(asset, [at_once, sweep] if running else [at_once])

    def retract(self, asset: str, *, later: bool = False) -> None:
        """A publish step ended without saying so; it may have written the pointer of an asset that is not public, or, for a
        `later` encode, led it to a build that is not the asset's."""
        noun = assets.get(self.tx, asset)
        if not may_be_public(noun):
            self.save(Outcome(noun, unpublish=True))
        elif later:
            self.converge(noun)

    def converge(self, asset: Asset) -> None:
        """The pointer may not be what the catalog says: make it so, by a step that publishes again or takes it away."""
        if asset.verdict is None or not may_be_public(asset):
            self.save(Outcome(asset, unpublish=True))
            return
        done = [row["key"] for row in steps.of_asset(self.tx, asset.id) if row["state"] == StepState.DONE]
        asset = self.save(Outcome(asset))
        again = republication(asset.revision, sorted(done))
        self.add_steps(asset, [step.model_copy(update={"required": False}) for step in again])

    def fail_asset(self, asset: Asset, reason: Reason) -> Asset:
        """The asset failed with a reason; what is left of its work ends."""
        steps.cancel_open(self.tx, asset.id, self.now)
        self.counted = True
        failed = self.save(fail(asset, reason))
        if asset.source is None and steps.has_kind(self.tx, asset.id, StepKind.PULL):
            self._forsake(failed)
        return failed

    def _forsake(self, asset: Asset) -> None:
        """What a pull in vain may have stored goes, once no attempt runs any more."""
        sweep = cleanup_step("sources", asset.revision)
        self.add_steps(asset, [sweep.model_copy(update={"after": steps.running_keys(self.tx, asset.id)})])


def _reached(event: str, asset: Asset, now: float) -> Iterator[Happening]:
    """That an asset has come to its end, and how long it took to become playable or ready. One that is ready at once is playable
    then too."""
    if event in ("asset.ready", "asset.failed"):
        yield Over(asset.id)
    if asset.uploaded_at is None or event not in ("asset.playable", "asset.ready"):
        return
    if event == "asset.playable" or asset.playable_at is None:
        yield Reached("playable", now - asset.uploaded_at)
    if event == "asset.ready":
        yield Reached("ready", now - asset.uploaded_at)
