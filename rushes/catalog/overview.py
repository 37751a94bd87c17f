"""The fleet as operators see it: its pools, workers and numbers, sampled where they are of many."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from rushes.catalog import fleet, ledger, loads, tallies, traces, why, workforce
from rushes.catalog.account import Account
from rushes.catalog.change import Store
from rushes.catalog.records import Backlog, Counts, Fleet, Load, WorkerView
from rushes.catalog.spans import Span
from rushes.catalog.telling import Ended, Happening, Over
from rushes.catalog.why import Explanation
from rushes.errors import NotFound

READER = "a reader"
"""Samples in case that nobody else does."""


class Overview:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database

    def fleet(self) -> Fleet:
        loads.refresh(self._store, READER)
        with self._database.read() as tx:
            return fleet.view(tx, self._store.now(tx))

    def ask(self, worker: str, wanted: str) -> WorkerView:
        """An operator asks something of a worker (`workforce.ask`). Raises NotFound `worker_not_found`."""
        with self._database.write() as tx:
            now = self._store.now(tx)
            workforce.ask(tx, worker, wanted, now)
            found = next((one for one in fleet.view(tx, now).workers if one.id == worker), None)
        if found is None:
            raise NotFound("worker_not_found", f"The worker {worker} is gone.")
        return found

    def workers(self) -> tuple[WorkerView, ...]:
        """The living ones. Counts nothing: for health checks."""
        with self._database.read() as tx:
            return fleet.view(tx, self._store.now(tx)).workers

    def backlog(self) -> tuple[Backlog, ...]:
        """What each pool has to do, in CPU seconds and in seconds."""
        loads.refresh(self._store, READER)
        with self._database.read() as tx:
            return fleet.backlog(tx, self._store.now(tx))

    def load(self) -> Load:
        """What the fleet has to do, and who there is to do it."""
        loads.refresh(self._store, READER)
        with self._database.read() as tx:
            return fleet.load(tx, self._store.now(tx))

    def counts(self) -> Counts:
        loads.refresh(self._store, READER)
        tallies.refresh(self._store, READER)
        with self._database.read() as tx:
            return fleet.counts(tx, self._store.now(tx))

    def explain(self, asset: str) -> Explanation:
        """What an asset is waiting for, and until when. Raises NotFound."""
        loads.refresh(self._store, READER)
        with self._database.read() as tx:
            return why.explanation(tx, asset, self._store.now(tx))

    def why(self, asset: str) -> str:
        """The same in words."""
        return self.explain(asset).why

    def ledger(self, by: str, days: tuple[str, str], tenant: str | None = None) -> Account:
        """What was used from the first day to the last (UTC), by `ledger.BY`; `tenant`: by that one only."""
        ledger.roll(self._store, READER)
        with self._database.read() as tx:
            return ledger.of_days(tx, self._store.now(tx), by, days, tenant)

    def asset_ledger(self, asset: str, by: str) -> Account:
        """What an asset has used, by `kind` or `rendition`. Raises NotFound."""
        with self._database.read() as tx:
            return ledger.of_asset(tx, asset, by, self._store.now(tx))

    def spans(self, happenings: Iterable[Happening]) -> list[Span]:
        """What a trace tells of what has happened. What is gone meanwhile is left out."""
        told = list(happenings)
        found: list[Span] = []
        with self._database.read() as tx:
            found += traces.of_attempts(tx, [(one.step, one.fence) for one in told if isinstance(one, Ended)])
            for one in told:
                if isinstance(one, Over):
                    with suppress(NotFound):
                        found += traces.of_asset(tx, one.asset)
        return found
