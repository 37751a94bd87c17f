"""The claim: the best ready step becomes a worker's, with all that its job may look at."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rushes.catalog import assets, jobs, queue, steps
from rushes.catalog.change import Change, Store
from rushes.catalog.database import Row, Session
from rushes.catalog.ending import Ending
from rushes.catalog.records import Claim
from rushes.catalog.telling import Claimed
from rushes.engine.fair import Share, is_aged_turn
from rushes.engine.version import GRAPH
from rushes.model import Skipped
from rushes.noun import Reason
from rushes.states import Pool, StepState

PROVISIONAL, COMPLETE = "package.first", "package.ready"


AGAIN_AFTER = 0.25
"""Seconds between two looks at steps that wait for their time, in each process that claims. One that finds nothing to claim
looks at once."""
log = logging.getLogger("rushes.catalog")


@dataclass(frozen=True)
class Wish:
    """What a worker would do next, as `Claiming.claim` has it."""

    pools: tuple[Pool, ...]
    worker: str
    without: tuple[str, ...] = ()
    least: int = 0


class _NotPlain(Exception):
    """A step that was claimed in passing needs more than that."""


@dataclass(frozen=True)
class Sharing:
    """How workers are shared."""

    of: Callable[[str], Share] = lambda _: Share()
    """A tenant's share."""
    age: float = 900.0
    """Seconds after which a lane that was not served gets a share of the claims, whatever its class."""
    graph: int = GRAPH
    """Newest graph version that is claimed."""
    preempt: bool = True
    """Whether bulk steps make room for what is more urgent."""


class Claiming:
    def __init__(self, store: Store, ending: Ending, *, lease: float, tool: str, sharing: Sharing) -> None:
        """`lease` in seconds; `tool` is the media tool's version, which is part of every recipe."""
        self._store = store
        self._ending = ending
        self.lease = lease
        self._tool = tool
        self._sharing = sharing
        self._woke = 0.0
        self._apart_until = 0.0
        """Until then no claim is made in passing: the last one came to nothing, as the next would."""

    def claim(
        self, pools: Iterable[Pool], worker: str, *, without: Iterable[str] = (), least: int = 0
    ) -> Claim | None:  # fmt: skip
        """The best ready step of these pools, now this worker's; None if there is none. `without`: tenants whose steps are left
        to others; `least`: so are those of lower classes.

        Where the answer is lost with the connection nobody knows of the claim: its lease ends and the attempt is charged.
        """
        about = queue.Look(tuple(pools), 0.0, self._sharing.graph, without=tuple(without), least=least)
        busy: str | None = None
        while True:
            with self._store.change() as change:
                if busy:
                    assets.row(change.tx, busy)  # wait until nobody else is changing it
                early = change.now >= self._woke + AGAIN_AFTER and self._is_due(change)
                look = about._replace(now=change.now)
                row = None if early else self._take(change, look, worker)
                claim = self._begun(change, row, worker) if row else None
                left = [] if row or early else queue.lanes(change.tx, look)
                busy = _stuck(change, left)
                late = not (early or row or left) and self._is_due(change)
            woken = self.wake() if early or late else 0
            if claim or not (early or row or left or woken):
                return claim

    def in_passing(self, change: Change, wish: Wish) -> Claim | None:
        """At the end of a completion, in its transaction: the next step of that worker. None wherever it takes more than that, or
        might be another one's turn: then a claim of its own follows.

        Nothing that goes wrong here undoes the completion. It waits for nobody, and locks no lane: what lanes are owed is
        written with that of the completion, in their one order.
        """
        if change.now >= self._woke + AGAIN_AFTER or change.now < self._apart_until:
            return None
        if change.entered:  # the bell waits for the commit, and with it come lanes that may go before those seen now
            return None
        change.tx.later("SAVEPOINT claim")
        part = change.part()
        try:
            claim = self._plain(part, wish)
        except Exception as error:  # noqa: BLE001 - raised again, or logged, where it is more than a step that is not plain
            self._undo(change, error)
            return None
        if claim is not None:  # else the claim that follows shuts what it finds empty
            change.take_in(part)
        return claim

    def _plain(self, change: Change, wish: Wish) -> Claim | None:
        """Raises _NotPlain where the step needs more than to be taken."""
        look = queue.Look(wish.pools, change.now, self._sharing.graph, without=wish.without, least=wish.least)
        row = self._take(change, look, wish.worker)
        if row is None:
            return None
        share = self._sharing.of(row["tenant"])
        if share.running or _comes_too_late(change.tx, row):
            raise _NotPlain
        queue.begin(change.tx, row, wish.worker, change.now)
        change.charged.append((queue.lane_of(row), row["cost"], share.weight))
        try:
            return self._read(change, row)
        except jobs.UNREADABLE:
            raise _NotPlain from None

    def _undo(self, change: Change, error: Exception) -> None:
        """Raises the error where it was the completion's own, or that the connection is gone."""
        try:
            change.tx.execute("ROLLBACK TO SAVEPOINT claim")
        except Exception:
            if isinstance(error, _NotPlain):
                raise
            raise error from None  # what follows from it says less
        self._apart_until = change.now + AGAIN_AFTER
        if not isinstance(error, _NotPlain):
            log.error("the next step could not be claimed with the end of the last", exc_info=error)

    def _take(self, change: Change, look: queue.Look, worker: str) -> Row | None:
        """A step of the lane whose turn it is; while others are at it, of one that comes after."""
        if is_aged_turn(random.random()):  # noqa: S311 - keeps no secret
            aged = look._replace(aged=look.now - self._sharing.age)
            row = queue.claim(change.tx, aged, worker, self.lease)
            if row is not None:
                return row
            change.passed += queue.lanes(change.tx, aged, most=1)  # or it would be the oldest for ever
        row = queue.claim(change.tx, look, worker, self.lease)
        return row if row is not None else self._take_next(change, look, worker)

    def _take_next(self, change: Change, look: queue.Look, worker: str) -> Row | None:
        """Of the best few lanes. Those that had nothing are shut, if they have nothing."""
        passed: list[queue.Lane] = []
        for lane in queue.lanes(change.tx, look):
            row = queue.claim_in(change.tx, lane, look, worker, self.lease)
            if row is not None:
                change.passed += passed
                return row
            passed.append(lane)
        return None

    def _begun(self, change: Change, row: Row, worker: str) -> Claim | None:
        """None where it is not to be done after all, or cannot."""
        share, lane = self._sharing.of(row["tenant"]), queue.lane_of(row)
        queue.begin(change.tx, row, worker, change.now)
        if share.running and not _fits(change, lane, share.running):
            queue.put_back(change.tx, row)
            return None
        change.charged.append((lane, row["cost"], share.weight))
        if _comes_too_late(change.tx, row):
            self._pass_over(change, row)
            return None
        try:
            return self._read(change, row)
        except jobs.UNREADABLE:  # one such row must not keep others from being claimed
            self._ending.unreadable(change, row, traceback.format_exc())
            return None

    def _read(self, change: Change, row: Row) -> Claim:
        """Raises one of `jobs.UNREADABLE`."""
        job = jobs.read(change.tx, row, tool=self._tool, linked=row["links"] > 0)
        waited = change.now - max(row["ready_at"] or row["created_at"], row["not_before"])
        change.happened.append(Claimed(row["pool"], row["class"], max(0.0, waited)))
        return Claim(job=job, lease_expires=change.now + self.lease)

    def _is_due(self, change: Change) -> bool:
        """Whether a step waits for a time that has come."""
        self._woke = change.now
        return queue.is_due(change.tx, change.now)

    def wake(self) -> int:
        """Make ready what has waited for its time. Gives how many."""
        with self._store.change() as change:
            rows = queue.wake(change.tx, change.now)
            change.ready(rows)
            return len(rows)

    def _pass_over(self, change: Change, row: Row) -> None:
        skipped = Skipped(reason=Reason(code="no_fast_lane", message="The whole video is being published already."))
        change.end_attempt(row, StepState.SKIPPED.value)
        steps.end(
            change.tx, row["id"], row["fence"], StepState.SKIPPED, change.now, result=skipped.model_dump_json(),
            reason_code=skipped.reason.code, reason_message=skipped.reason.message,
        )  # fmt: skip
        change.settle(row["asset"])


def _fits(change: Change, lane: queue.Lane, cap: int) -> bool:
    """`queue.fits` takes lanes before the end, so those that come before them are shut now: all take them in one order."""
    first = lane._replace(level=-1)
    for one in sorted({one for one in change.passed if one < first}):
        queue.shut(change.tx, one)
    change.passed = [one for one in change.passed if one > first]
    return queue.fits(change.tx, lane, cap)


def _comes_too_late(tx: Session, row: Row) -> bool:
    """A provisional build that is begun after the whole one would have the greater number, and so take its place."""
    return row["key"] == PROVISIONAL and steps.has_begun(tx, row["asset"], COMPLETE)


def _stuck(change: Change, left: list[queue.Lane]) -> str | None:
    """After a claim in vain: lanes with nothing in them are shut, in their order. Where there is none, an asset that has a step in
    the first of them: somebody else is changing it."""
    if not left:
        return None
    empty, change.passed = sorted({*left, *change.passed}), []
    if any([queue.shut(change.tx, lane) for lane in empty]):
        return None
    return queue.busy(change.tx, left[0])
