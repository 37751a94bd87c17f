"""The catalog as a worker sees it: claim, renew, complete, fail, reconcile. Each is one transaction under a fence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal

from rushes.catalog import assets, avoidance, effects, history, queue, steps, tidying, workforce
from rushes.catalog.change import Change, Store
from rushes.catalog.claiming import Claiming, Sharing, Wish
from rushes.catalog.database import Row
from rushes.catalog.ending import Ending, put_in_order
from rushes.catalog.jobs import RESULT
from rushes.catalog.reconciling import Reconciling
from rushes.catalog.records import Beat, Claim
from rushes.catalog.telling import Fenced, Folded
from rushes.catalog.workforce import Colleague, Heard, Presence
from rushes.engine.job import Job
from rushes.errors import Blame
from rushes.model import Result, Skipped
from rushes.noun import Reason
from rushes.states import Pool, StepState

__all__ = ["RESULT", "Answer", "Pipeline", "Wish"]


class Answer(StrEnum):
    """What a heartbeat brings back."""

    OK = "ok"
    CANCEL = "cancel"
    FENCED = "fenced"
    PREEMPT = "preempt"
    """Something more urgent needs the slot: hand the step back."""
    DRAIN = "drain"
    """An operator asked this worker to leave: end or hand back in time."""


_ANSWERS = (Answer.OK, Answer.CANCEL, Answer.PREEMPT)
"""By `steps.cancel`."""


def _answer(row: Row | None) -> Answer:
    """To a step's beat; what concerns its whole worker comes last."""
    if row is None:
        return Answer.FENCED
    return Answer.DRAIN if row["wanted"] == "drain" and not row["cancel"] else _ANSWERS[row["cancel"]]


class Pipeline:
    def __init__(
        self, store: Store, *, lease: float, max_attempts: int, tool: str, sharing: Sharing | None = None
    ) -> None:
        """`lease` in seconds; `tool` is the media tool's version, which is part of every recipe."""
        self._store = store
        self.lease = lease
        self._tool = tool
        sharing = sharing or Sharing()
        self._ending = Ending(store, max_attempts=max_attempts, tool=tool, graph=sharing.graph)
        self._claiming = Claiming(store, self._ending, lease=lease, tool=tool, sharing=sharing)
        self._reconciling = Reconciling(store, self._ending, lease=lease, preempt=sharing.preempt)

    def claim(
        self, pools: Iterable[Pool], worker: str, *, without: Iterable[str] = (), least: int = 0
    ) -> Claim | None:  # fmt: skip
        """See `Claiming.claim`. Whoever finds nothing takes back what is lost, should nobody else be there to do it."""
        chosen, left_out = tuple(pools), tuple(without)
        found = self._claiming.claim(chosen, worker, without=left_out, least=least)
        if found is None and self._reconciling.stand_in(worker):
            return self._claiming.claim(chosen, worker, without=left_out, least=least)
        return found

    def wake(self) -> int:
        """See `Claiming.wake`."""
        return self._claiming.wake()

    def renew(self, job: Job, progress: float) -> Answer:
        """Progress in 0..1 and a longer lease, for the news whether to go on."""
        with self._store.database.write() as tx:
            row = steps.renew(tx, job.step_id, job.fence, progress, self._store.now(tx) + self.lease)
            if row is None:
                return Answer.FENCED
            return _ANSWERS[row["cancel"]]

    def renew_all(self, beats: Sequence[Beat]) -> dict[str, Answer]:
        """As `renew`, for all running steps of a worker in one transaction. Gives step -> answer."""
        with self._store.database.write() as tx:
            expires = self._store.now(tx) + self.lease
            rows = {beat.step: steps.beat(tx, beat, expires) for beat in sorted(beats, key=lambda beat: beat.step)}
        return {step: _answer(row) for step, row in rows.items()}

    def complete(
        self, job: Job, result: Result, cpu_seconds: float, *, copied: bool = False, moved: tuple[int, int] = (0, 0)
    ) -> bool:
        """The step is done, its asset changed, its followers ready; False (and nothing changed) if it was fenced.
        `copied`: the result is that of the job's twin. `moved`: bytes read from the object store and written to it.

        True again if this very attempt was completed before: the answer may have been lost with the connection. What a
        zombie published or took away is put in order.
        """
        return self.complete_and_claim(job, result, cpu_seconds, None, copied=copied, moved=moved)[0]

    def complete_and_claim(
        self, job: Job, result: Result, cpu_seconds: float, then: Wish | None, *, copied: bool = False,
        moved: tuple[int, int] = (0, 0),
    ) -> tuple[bool, Claim | None]:  # fmt: skip
        """As `complete`, and in the same transaction what the worker would do next. No claim does not mean that there is nothing
        to do (`Claiming.in_passing`); where the answer is lost with the connection nobody knows of it, and its lease ends.
        """
        state = StepState.SKIPPED if isinstance(result, Skipped) else StepState.DONE
        with self._store.change() as change:
            found = assets.row(change.tx, job.asset)
            asset = assets.noun(found)
            avoided = job.twin.cpu_seconds if copied and job.twin else 0.0
            work = avoidance.name(change.tx, (found, asset), job.planned, tool=self._tool)
            row = steps.finish(change.tx, job, result, change.now, work=work, avoided=avoided)
            if row is None:
                return self._came_late(change, job, state, cpu_seconds, moved), None
            values = {"cpu_seconds": cpu_seconds, "moved": moved, "avoided": avoided}
            change.end_attempt(row, state.value, began=row, **values)
            effects.take(change, asset, job, result, tool=self._tool)
            if change.counted or row["followers"]:
                change.follow(job.step_id, job.asset)
            return True, self._claiming.in_passing(change, then) if then else None

    def _came_late(
        self, change: Change, job: Job, state: StepState, cpu_seconds: float, moved: tuple[int, int]
    ) -> bool:
        """What is done is not this attempt's to tell any more; or it was told to stop, and done before it heard: then it ends
        cancelled, for nothing may follow from it. True again where it has told already."""
        row = steps.get(change.tx, job.step_id)
        if row is not None and row["fence"] == job.fence and row["state"] == "running":
            change.end_attempt(row, "cancelled", cpu_seconds=cpu_seconds, moved=moved)
            self._ending.cancelled(change, row)
            return True
        again = row is not None and row["fence"] == job.fence and row["state"] == state
        if not again:
            change.happened.append(Fenced())
            put_in_order(change, job)
        return again

    def fail(
        self, job: Job, reason: Reason, blame: Blame, *, detail: str = "", cpu_seconds: float = 0.0,
        moved: tuple[int, int] = (0, 0),
    ) -> bool:  # fmt: skip
        """See `Ending.fail`."""
        return self._ending.fail(job, reason, blame, detail=detail, cpu_seconds=cpu_seconds, moved=moved)

    def overtaken(self, job: Job) -> None:
        """See `Ending.overtaken`."""
        self._ending.overtaken(job)

    def release(self, job: Job, outcome_name: Literal["released", "cancelled"], cpu_seconds: float = 0.0) -> bool:
        """See `Ending.release`."""
        return self._ending.release(job, outcome_name, cpu_seconds)

    def reconcile(self) -> int:
        """See `Reconciling.reconcile`."""
        return self._reconciling.reconcile()

    def look_after(self, holder: str) -> dict[str, int]:
        """See `Reconciling.look_after`."""
        return self._reconciling.look_after(holder)

    def may_sweep(self, holder: str) -> bool:
        """See `Reconciling.may_sweep`."""
        return self._reconciling.may_sweep(holder)

    def take_over(self) -> int:
        """See `Reconciling.take_over`."""
        return self._reconciling.take_over()

    def disown(self) -> int:
        """See `Reconciling.disown`."""
        return self._reconciling.disown()

    def housekeep(self, keep_originals: float) -> int:
        """Plan cleanups: sources kept for longer than `keep_originals` days (negative: for ever), outputs of lost attempts."""
        return tidying.tidy(self._store, keep_originals)

    def fold_history(self, holder: str, days: float) -> Folded:
        """See `history.fold`."""
        return history.fold(self._store, holder, days)

    def report(self, worker: str, presence: Presence) -> Heard:
        """A worker says that it is there, and hears what is asked of it."""
        with self._store.database.write() as tx:
            return workforce.report(tx, worker, presence, self._store.now(tx))

    def peers(self, worker: str) -> list[Colleague]:
        """The other living workers whose speed is known."""
        with self._store.database.read() as tx:
            return workforce.colleagues(tx, worker, self._store.now(tx))

    def leave(self, worker: str) -> None:
        with self._store.database.write() as tx:
            workforce.leave(tx, worker)

    def open_work(self) -> int:
        """Steps that are not finished, of all assets: 0 means that there is nothing left to do."""
        with self._store.database.read() as tx:
            row = tx.one(f"SELECT count(*) AS n FROM steps WHERE state IN {queue.OPEN}")
            return int(row["n"]) if row else 0
