"""Changes of an asset inside a transaction: the row, its events and the steps that follow are one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rushes.catalog import assets, outbox, steps
from rushes.catalog.database import Database, Session
from rushes.clock import Clock
from rushes.engine.outcome import Outcome, cleanup_step, fail, may_be_public
from rushes.model import Asset, StepSpec
from rushes.noun import Reason
from rushes.states import Pool


def _no_bell(pools: Iterable[Pool]) -> None:
    """Nobody to wake: workers look for themselves every few seconds."""


@dataclass(frozen=True)
class Store:
    """What every part of the catalog shares."""

    database: Database
    clock: Clock
    ring: Callable[[Iterable[Pool]], None] = _no_bell
    deliver: bool = False
    """Whether events are queued for a webhook."""

    @contextmanager
    def change(self) -> Iterator[Change]:
        """A transaction; after its commit the doorbell rings for what it made ready."""
        with self.database.write() as tx:
            change = Change(tx, self.clock.now(), self.deliver)
            yield change
            pools = steps.ready_pools(tx, change.now) if change.touched_steps else set()
        if pools:
            self.ring(pools)


@dataclass
class Change:
    tx: Session
    now: float
    deliver: bool
    touched_steps: bool = field(default=False)

    def add_steps(self, asset: Asset, specs: list[StepSpec]) -> None:
        steps.insert(self.tx, asset, specs, self.now)
        self.touched_steps = True

    def event(self, type_: str, asset: Asset) -> None:
        outbox.append(self.tx, type_, asset, self.now, deliver=self.deliver)

    def save(self, outcome: Outcome) -> Asset:
        """Store the changed asset, tell its events, and plan the takedown if one is due."""
        asset = assets.save(self.tx, outcome.asset)
        for type_ in outcome.events:
            self.event(type_, asset)
        if outcome.unpublish:
            self.add_steps(asset, [cleanup_step("unpublish", asset.revision)])
        return asset

    def take_down(self, asset: Asset) -> None:
        """Delete everything at once, and again when the steps that still run have ended: they may write until then."""
        at_once = cleanup_step("delete", asset.revision)
        running = steps.running_keys(self.tx, asset.id)
        sweep = at_once.model_copy(update={"key": f"{at_once.key}.sweep", "after": running})
        self.add_steps(asset, [at_once, sweep] if running else [at_once])

    def retract(self, asset: str) -> None:
        """A publish step ended without saying so; it may have written the pointer of an asset that is not public."""
        noun = assets.get(self.tx, asset)
        if not may_be_public(noun):
            self.save(Outcome(noun, unpublish=True))

    def fail_asset(self, asset: Asset, reason: Reason) -> Asset:
        """The asset failed with a reason; what is left of its work ends."""
        steps.cancel_open(self.tx, asset.id, self.now)
        return self.save(fail(asset, reason))
