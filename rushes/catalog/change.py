"""Changes of an asset inside a transaction: the row, its events and the steps that follow are one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rushes.catalog import assets, outbox, steps
from rushes.catalog.database import Database, Session
from rushes.clock import Clock
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

    def now(self, tx: Session) -> float:
        """The time that counts in this transaction, in seconds since the epoch."""
        return self.clock.now() if self.clock else tx.now

    @contextmanager
    def change(self) -> Iterator[Change]:
        """A transaction; after its commit the doorbell rings for what it made ready.

        Locks are taken in one order, so that no two transactions wait for each other: one asset (`assets.row`), its steps,
        its tenant, the turn of the events, which are therefore written last.
        """
        with self.database.write() as tx:
            change = Change(tx, self.now(tx), self.purge)
            yield change
            outbox.append(tx, change.told, deliver=self.deliver)
        if change.woken:
            self.ring(change.woken)


@dataclass
class Change:
    tx: Session
    now: float
    purge: bool = False
    told: list[outbox.Entry] = field(default_factory=list)
    """Events of this transaction."""
    woken: set[Pool] = field(default_factory=set)
    """Pools that have a step more to do."""

    def add_steps(self, asset: Asset, specs: list[StepSpec]) -> None:
        steps.insert(self.tx, asset, specs, self.now)
        self.settle(asset.id)

    def settle(self, asset: str) -> None:
        """Make ready what waits for nothing any more."""
        self.woken |= steps.settle(self.tx, asset, self.now)

    def event(self, type_: str, asset: Asset) -> None:
        self.told.append(outbox.entry(type_, asset, self.now))

    def save(self, outcome: Outcome) -> Asset:
        """Store the changed asset, tell its events, and plan the takedown if one is due."""
        asset = assets.save(self.tx, outcome.asset)
        for type_ in outcome.events:
            self.event(type_, asset)
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
        failed = self.save(fail(asset, reason))
        if asset.source is None and steps.has_kind(self.tx, asset.id, StepKind.PULL):
            self._forsake(failed)
        return failed

    def _forsake(self, asset: Asset) -> None:
        """What a pull in vain may have stored goes, once no attempt runs any more."""
        sweep = cleanup_step("sources", asset.revision)
        self.add_steps(asset, [sweep.model_copy(update={"after": steps.running_keys(self.tx, asset.id)})])
