"""Steps whose workers are gone are taken back, and what went out of step is put right, by whoever looks first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from rushes.catalog import loads, making_room, offices, outbox, repairs, steps
from rushes.catalog.change import Change, Store
from rushes.catalog.database import DatabaseUnavailable, Row, Turn
from rushes.catalog.ending import Ending, running
from rushes.catalog.telling import Repaired
from rushes.clock import SystemClock

EVERY = 2.5
"""Seconds between rounds, whoever makes them: with the lease (20) and a worker's look (2) a lost step runs again within 25."""
MEND_EVERY = 60.0
"""Seconds between walks through all that is ready."""
SWEEP_EVERY = 3600.0
"""Seconds between two looks for what killed writers left in the object store."""
log = logging.getLogger("rushes.reconciler")


class Reconciling:
    def __init__(self, store: Store, ending: Ending, *, lease: float, preempt: bool = False) -> None:
        """`lease` in seconds; `preempt`: whether bulk steps make room for what is more urgent."""
        self._store = store
        self._ending = ending
        self._lease = lease
        self._preempt = preempt
        self._looked = self._asked = -2 * offices.FORSAKEN

    def look_after(self, holder: str) -> dict[str, int]:
        """A round of all that has to be put right, if nobody else had one just now: repairs by name, and how many of each.

        For every process, every few seconds. It also keeps the samples fresh, and tells and learns what work costs.
        """
        self._store.costs.exchange(self._store.database)
        loads.refresh(self._store, holder)
        if not self._has(offices.RECONCILE, holder, EVERY):
            return {}
        found = self._round()
        if self._has(offices.MEND, holder, MEND_EVERY):
            found |= self._made("queue_drift", lambda: repairs.queue_drift(self._store))
            self._done(offices.MEND)
        self._done(offices.RECONCILE)
        return found

    def may_sweep(self, holder: str) -> bool:
        """Whether it is this process's turn to look for what killed writers left in the object store."""
        return self._has(offices.SWEEP, holder, SWEEP_EVERY)

    def _done(self, office: str) -> None:
        with self._store.database.write() as tx:
            offices.done(tx, office, self._store.now(tx))

    def _has(self, office: str, holder: str, seconds: float) -> bool:
        """Whether it is this process's for so many seconds."""
        with self._store.database.read() as tx:
            if not offices.is_due(tx, office, self._store.now(tx)):
                return False
        with self._store.database.write() as tx:
            return offices.take(tx, office, holder, self._store.now(tx), seconds)

    def _round(self) -> dict[str, int]:
        found = self._made("lease_expired", self._late)
        for name, repair in repairs.OFTEN.items():
            found |= self._made(name, partial(repair, self._store))
        if self._preempt:
            _counted("preemption", partial(making_room.make_room, self._store))
        return found

    def _made(self, name: str, repair: Callable[[], int]) -> dict[str, int]:
        count = _counted(name, repair)
        if count:
            self._store.tell(Repaired(name, count))
        return {name: count} if count else {}

    def stand_in(self, holder: str) -> bool:
        """For whoever has nothing else to do: a round, where those who should have had one are gone. Whether it brought anything.
        Most calls look at a clock and no more. Who did not ask for a while, as after a time without a database, waits once more:
        all leases have ended then, and those who live get time to say so."""
        clock = SystemClock().monotonic()
        if clock > self._asked + offices.FORSAKEN:
            self._looked = clock
        self._asked = clock
        if clock < self._looked + offices.FORSAKEN:
            return False
        self._looked = clock
        with self._store.database.read() as tx:
            forsaken = offices.is_forsaken(tx, offices.RECONCILE, self._store.now(tx))
        return forsaken and bool(self.look_after(holder))

    def reconcile(self) -> int:
        """Take back steps whose worker went silent, and ring for whatever is ready; now, and whoever else is at it. Gives how
        many steps."""
        repairs.undispatched(self._store)
        return self._late()

    def _late(self) -> int:
        with self._store.database.read() as tx:
            now = self._store.now(tx)
            late, ahead = steps.running(tx, expired_at=now), steps.are_ahead(tx, now, self._lease)
        if ahead:
            with self._store.database.write() as tx:
                steps.bring_back(tx, self._store.now(tx), self._lease)
        return self._take_back(late, self._ending.lost, only_late=True)

    def take_over(self) -> int:
        """Take back all that runs, leases or not. For a worker that knows it is the only one: the others died."""
        return self._take_back(self._orphans(), self._ending.lost)

    def disown(self) -> int:
        """At the start of an embedded stack nobody else can hold a lease (the data directory is locked): give all back.

        A kill of the whole stack says nothing about the step, so the attempt is forgiven, a few times; a step that kills
        its worker alone is counted by `reconcile`.
        """
        return self._take_back(self._orphans(), self._ending.forgive)

    def _orphans(self) -> list[Row]:
        with self._store.database.write() as tx:
            outbox.give_back(tx)
            return steps.running(tx)

    def _take_back(self, rows: list[Row], end: Callable[[Change, Row], None], *, only_late: bool = False) -> int:
        """Each in a transaction of its own, which looks again: its worker may have spoken meanwhile."""
        return sum(_counted("lease_expired", partial(self._end, seen, end, only_late=only_late)) for seen in rows)

    def _end(self, seen: Row, end: Callable[[Change, Row], None], *, only_late: bool) -> int:
        with self._store.change() as change:
            if not change.tx.turn(Turn.RECONCILE, wait=False):
                return 0  # another process is at it
            row = running(change, seen["asset"], seen["id"], seen["fence"])
            if row is None or (only_late and row["lease_expires"] >= change.now):
                return 0
            end(change, row)
            return 1


def _counted(name: str, action: Callable[[], int]) -> int:
    """By itself: what is wrong with one row must not keep the others from being put right."""
    try:
        return action()
    except DatabaseUnavailable:
        raise
    except Exception:
        log.exception("what should have been put right could not be: %s", name)
        return 0
