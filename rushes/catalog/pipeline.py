"""The catalog as a worker sees it: claim, renew, complete, fail, reconcile. Each is one transaction under a fence."""

from __future__ import annotations

import contextlib
import json
import random
import traceback
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Literal

from pydantic import TypeAdapter

from rushes.catalog import assets, avoidance, effects, encodes, fleet, outbox, planning, queue, steps, tidying, uploads
from rushes.catalog.change import Change, Store
from rushes.catalog.database import Row, Session, Turn
from rushes.catalog.records import Claim
from rushes.engine import outcome
from rushes.engine.early import EARLY_PROBE
from rushes.engine.job import Job
from rushes.engine.kinds import KINDS
from rushes.engine.recipe import recipe
from rushes.engine.retry import GiveUp, Retry, after_failure, later
from rushes.engine.rounds import plain, round_of
from rushes.errors import REASONS, Blame
from rushes.facts import SourceRef
from rushes.model import Asset, Result, Skipped
from rushes.noun import Reason
from rushes.plan import Plan
from rushes.policies import Policy
from rushes.states import Action, Pool, StepKind, StepState

RESULT: TypeAdapter[Result] = TypeAdapter(Result)
PROVISIONAL, COMPLETE = "package.first", "package.ready"


class Answer(StrEnum):
    """What a heartbeat brings back."""

    OK = "ok"
    CANCEL = "cancel"
    FENCED = "fenced"


class Pipeline:
    def __init__(self, store: Store, *, lease: float, max_attempts: int, tool: str) -> None:
        """`lease` in seconds; `tool` is the media tool's version, which is part of every recipe."""
        self._store = store
        self.lease = lease
        self._max_attempts = max_attempts
        self._tool = tool

    def claim(self, pools: Iterable[Pool], worker: str) -> Claim | None:
        """The best ready step of these pools, now this worker's; None if there is none.

        Where the answer is lost with the connection nobody knows of the claim: its lease ends and the attempt is charged.
        """
        chosen = tuple(pools)
        busy: str | None = None
        while True:
            with self._store.change() as change:
                if busy:
                    assets.row(change.tx, busy)  # wait until nobody else is changing it
                queues = queue.best(change.tx, chosen, change.now)
                if not queues:
                    return None
                row = self._take_one(change, queues, worker)
                if row is None:
                    busy = queue.busy(change.tx, queues[0], change.now)
                    continue
                if _comes_too_late(change.tx, row):
                    self._pass_over(change, row)
                    continue
                try:
                    return Claim(job=self._job(change.tx, row), lease_expires=change.now + self.lease)
                except (
                    ValueError,
                    LookupError,
                    TypeError,
                ):  # one unreadable row must not keep others from being claimed
                    self._set_aside(change, row, traceback.format_exc())

    def _take_one(self, change: Change, queues: list[queue.Queue], worker: str) -> Row | None:
        tries = (queue.claim(change.tx, one, worker, change.now, self.lease) for one in queues)
        return next((row for row in tries if row is not None), None)

    def _pass_over(self, change: Change, row: Row) -> None:
        skipped = Skipped(reason=Reason(code="no_fast_lane", message="The whole video is being published already."))
        steps.end_attempt(change.tx, row["id"], row["fence"], StepState.SKIPPED.value, change.now)
        steps.end(
            change.tx, row["id"], row["fence"], StepState.SKIPPED, change.now, result=skipped.model_dump_json(),
            reason_code=skipped.reason.code, reason_message=skipped.reason.message,
        )  # fmt: skip
        change.settle(row["asset"])

    def _set_aside(self, change: Change, row: Row, detail: str) -> None:
        """A step that cannot even be read from the catalog fails for good."""
        reason = Reason(code="internal", message=REASONS["internal"])
        values = {"reason_code": reason.code, "detail": detail}
        steps.end_attempt(change.tx, row["id"], row["fence"], "failed", change.now, **values)
        self._after_failure(change, row, reason, Blame.PERMANENT)

    def _job(self, tx: Session, row: Row) -> Job:
        found = assets.row(tx, row["asset"])
        asset = assets.noun(found)
        profile = encodes.profile_of(tx, found, row["key"])
        kind, params = StepKind(row["kind"]), json.loads(row["params"])
        source = asset.source or SourceRef(key="", version=0, size=0)
        build = assets.take_build_number(tx, found) if kind is StepKind.PACKAGE else asset.build
        return Job(
            step_id=row["id"], key=row["key"], kind=kind, asset=asset.id, tenant=asset.tenant, fence=row["fence"],
            priority=row["priority"],
            recipe=recipe((kind, row["key"]), source, params, profile, tool=self._tool, options=asset.options),
            params=params, source=source, facts=asset.facts, inputs=_inputs(tx, row["id"]), profile=profile,
            policy=Policy.model_validate_json(found["policy"]), options=asset.options,
            twin=avoidance.twin(tx, asset.tenant, avoidance.name(tx, (found, asset), row, tool=self._tool)),
            build=build, verdict=asset.verdict, key_version=asset.key_version,
            verdict_override=Action(found["verdict_override"]) if found["verdict_override"] else None,
        )  # fmt: skip

    def renew(self, job: Job, progress: float) -> Answer:
        """Progress in 0..1 and a longer lease, for the news whether to go on."""
        with self._store.database.write() as tx:
            row = steps.renew(tx, job.step_id, job.fence, progress, self._store.now(tx) + self.lease)
            if row is None:
                return Answer.FENCED
            return Answer.CANCEL if row["cancel"] else Answer.OK

    def complete(self, job: Job, result: Result, cpu_seconds: float, *, copied: bool = False) -> bool:
        """The step is done, its asset changed, its followers ready; False (and nothing changed) if it was fenced.
        `copied`: the result is that of the job's twin.

        True again if this very attempt was completed before: the answer may have been lost with the connection. What a
        zombie published or took away is put in order.
        """
        state = StepState.SKIPPED if isinstance(result, Skipped) else StepState.DONE
        with self._store.change() as change:
            found = assets.row(change.tx, job.asset)
            row = steps.get(change.tx, job.step_id)
            if row is None or row["fence"] != job.fence or row["state"] != "running":
                again = row is not None and row["fence"] == job.fence and row["state"] == state
                if not again:
                    _put_in_order(change, job)
                return again
            if row["cancel"]:
                # Told to stop, and done before it heard: it ends cancelled, for nothing may follow from it.
                steps.end_attempt(change.tx, job.step_id, job.fence, "cancelled", change.now, cpu_seconds=cpu_seconds)
                self._cancelled(change, row)
                return True
            reason = result.reason if isinstance(result, Skipped) else None
            asset = assets.noun(found)
            steps.end(
                change.tx, job.step_id, job.fence, state, change.now, result=result.model_dump_json(),
                reason_code=reason.code if reason else None, reason_message=reason.message if reason else None,
                work=None if reason else avoidance.name(change.tx, (found, asset), row, tool=self._tool),
                avoided=job.twin.cpu_seconds if copied and job.twin else 0.0,
            )  # fmt: skip
            steps.end_attempt(change.tx, job.step_id, job.fence, state.value, change.now, cpu_seconds=cpu_seconds)
            effects.take(change, asset, job, result, tool=self._tool)
            change.settle(job.asset)
            return True

    def _cancelled(self, change: Change, row: Row) -> None:
        steps.end(change.tx, row["id"], row["fence"], StepState.CANCELLED, change.now)
        change.settle(row["asset"])
        if row["kind"] == StepKind.PUBLISH:
            change.retract(row["asset"])

    def fail(self, job: Job, reason: Reason, blame: Blame, *, detail: str = "", cpu_seconds: float = 0.0) -> bool:
        """The attempt failed: another one later, or the end of the step and, where it is required, of the asset. False where
        that concerns nobody any more: it was fenced, or told to stop and found that things are gone."""
        with self._store.change() as change:
            row = self._held(change, job)
            if row is None:
                return False
            if row["cancel"]:
                steps.end_attempt(change.tx, job.step_id, job.fence, "cancelled", change.now, cpu_seconds=cpu_seconds)
                self._cancelled(change, row)
                return False
            values = {"cpu_seconds": cpu_seconds, "reason_code": reason.code, "detail": detail}
            steps.end_attempt(change.tx, job.step_id, job.fence, "failed", change.now, **values)
            self._after_failure(change, row, reason, blame)
            return True

    def _held(self, change: Change, job: Job) -> Row | None:
        """The running step of this attempt, with its asset in the hands of this transaction; None if it runs no longer."""
        row = _running(change, job.asset, job.step_id, job.fence)
        if row is None:
            _put_in_order(change, job)
        return row

    def overtaken(self, job: Job) -> None:
        """An attempt was stopped because its step is somebody else's; it may have done its worst before that."""
        with self._store.change() as change:
            self._held(change, job)

    def _after_failure(self, change: Change, row: Row, reason: Reason, blame: Blame) -> None:
        if row["cancel"]:
            self._cancelled(change, row)
            return
        decision = self._decision(row, reason.code, blame)
        if not isinstance(decision, GiveUp):
            steps.end(
                change.tx, row["id"], row["fence"], StepState.READY, change.now, not_before=change.now + decision.delay
            )
            return
        final = reason if decision.code == reason.code else Reason(code=decision.code, message=REASONS[decision.code])
        steps.end(
            change.tx, row["id"], row["fence"], StepState.FAILED, change.now,
            reason_code=final.code, reason_message=final.message,
        )  # fmt: skip
        with contextlib.suppress(ValueError):  # the asset itself cannot be read: then its step alone has failed
            self._given_up(change, row, final)
        change.settle(row["asset"])

    def _given_up(self, change: Change, row: Row, reason: Reason) -> None:
        asset = assets.get(change.tx, row["asset"])
        if row["kind"] == StepKind.ANALYZE:
            self._without_analysis(change, asset, row, reason)
            return
        if row["required"] and round_of(row["key"]) > 1:
            encodes.give_up(change, asset, row["key"], reason)
        elif row["required"]:
            change.fail_asset(asset, reason)
        elif row["key"] != EARLY_PROBE:  # nothing is missing without it
            _note(change, asset, row, reason)
        if row["kind"] == StepKind.PUBLISH:
            change.retract(row["asset"], later=round_of(row["key"]) > 1)
        if row["kind"] == StepKind.PULL:
            uploads.terminate_of(change.tx, row["asset"])  # what came of it is swept

    def _without_analysis(self, change: Change, asset: Asset, row: Row, reason: Reason) -> None:
        """Its end is no end: the plan of the probe is carried out."""
        asset = _note(change, asset, row, reason)
        found = assets.row(change.tx, asset.id)
        terms = (encodes.profile_of(change.tx, found, row["key"]), Policy.model_validate_json(found["policy"]))
        fixed = Plan.model_validate(json.loads(row["params"])["plan"])
        planning.after_analysis(change, asset, row["key"], fixed, terms)

    def _decision(self, row: Row, code: str, blame: Blame) -> Retry | GiveUp:
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        if row["kind"] == StepKind.CLEANUP and blame is not Blame.PERMANENT:
            return later(row["attempts"], chance)
        patience = KINDS[StepKind(row["kind"])].attempts
        if patience and blame is Blame.POISON:
            blame = Blame.TRANSIENT
        return after_failure(code, blame, row["attempts"], max(patience, self._max_attempts), chance)

    def release(self, job: Job, outcome_name: Literal["released", "cancelled"], cpu_seconds: float = 0.0) -> bool:
        """Hand a step back unharmed (a drain, or a cancellation that was taken back), or end it because it was cancelled."""
        with self._store.change() as change:
            row = self._held(change, job)
            if row is None:
                return False
            steps.end_attempt(change.tx, job.step_id, job.fence, outcome_name, change.now, cpu_seconds=cpu_seconds)
            self._give_back(change, row)
            return True

    def _give_back(self, change: Change, row: Row) -> None:
        """Ready again with its attempt forgiven, unless somebody asked for its end."""
        if row["cancel"]:
            self._cancelled(change, row)
            return
        steps.end(change.tx, row["id"], row["fence"], StepState.READY, change.now, attempts=max(0, row["attempts"] - 1))
        change.woken.add(Pool(row["pool"]))

    def reconcile(self) -> int:
        """Take back steps whose worker went silent, and ring for whatever is ready. Safe when doubled."""
        with self._store.database.read() as tx:
            now = self._store.now(tx)
            late = steps.running(tx, expired_at=now)
            ready = queue.ready_pools(tx, now)
        if ready:
            self._store.ring(ready)
        return self._take_back(late, self._lost, only_late=True)

    def take_over(self) -> int:
        """Take back all that runs, leases or not. For a worker that knows it is the only one: the others died."""
        return self._take_back(self._orphans(), self._lost)

    def disown(self) -> int:
        """At the start of an embedded stack nobody else can hold a lease (the data directory is locked): give all back.

        A kill of the whole stack says nothing about the step, so the attempt is forgiven; a step that kills its worker
        alone is still counted by `reconcile`.
        """
        return self._take_back(self._orphans(), self._forgiven)

    def _orphans(self) -> list[Row]:
        with self._store.database.write() as tx:
            outbox.give_back(tx)
            return steps.running(tx)

    def _take_back(self, rows: list[Row], end: Callable[[Change, Row], None], *, only_late: bool = False) -> int:
        """Each in a transaction of its own, which looks again: its worker may have spoken meanwhile."""
        count = 0
        for seen in rows:
            with self._store.change() as change:
                if not change.tx.turn(Turn.RECONCILE, wait=False):
                    break  # another process is at it
                row = _running(change, seen["asset"], seen["id"], seen["fence"])
                if row is not None and not (only_late and row["lease_expires"] >= change.now):
                    end(change, row)
                    count += 1
        return count

    def _lost(self, change: Change, row: Row) -> None:
        reason = Reason(code="worker_lost", message=REASONS["worker_lost"])
        steps.end_attempt(change.tx, row["id"], row["fence"], "lost", change.now, reason_code=reason.code)
        self._after_failure(change, row, reason, Blame.POISON)

    def _forgiven(self, change: Change, row: Row) -> None:
        steps.end_attempt(change.tx, row["id"], row["fence"], "released", change.now)
        self._give_back(change, row)

    def housekeep(self, keep_originals: float) -> int:
        """Plan cleanups: sources kept for longer than `keep_originals` days (negative: for ever), outputs of lost attempts."""
        return tidying.tidy(self._store, keep_originals)

    def report(self, worker: str, pools: Iterable[Pool], slots: int, sandbox: str = "") -> None:
        """`sandbox`: the mode in force, by its name."""
        said = fleet.Presence(pools=[pool.value for pool in pools], slots=slots, sandbox=sandbox)
        with self._store.database.write() as tx:
            fleet.report(tx, worker, said, self._store.now(tx))

    def leave(self, worker: str) -> None:
        with self._store.database.write() as tx:
            fleet.leave(tx, worker)

    def open_work(self) -> int:
        """Steps that are not finished, of all assets: 0 means that there is nothing left to do."""
        with self._store.database.read() as tx:
            row = tx.one(f"SELECT count(*) AS n FROM steps WHERE state IN {queue.OPEN}")
            return int(row["n"]) if row else 0


def _comes_too_late(tx: Session, row: Row) -> bool:
    """A provisional build that is begun after the whole one would have the greater number, and so take its place."""
    return row["key"] == PROVISIONAL and steps.has_begun(tx, row["asset"], COMPLETE)


def _note(change: Change, asset: Asset, row: Row, reason: Reason) -> Asset:
    note = Reason(code=reason.code, message=f"{row['key']} failed: {reason.message}")
    return change.save(outcome.Outcome(asset.model_copy(update={"notes": (*asset.notes, note)}), ("asset.updated",)))


def _running(change: Change, asset: str, step: str, fence: int) -> Row | None:
    """The step, if it runs under this fence, with its asset in the hands of this transaction."""
    assets.row(change.tx, asset)
    row = steps.get(change.tx, step)
    return row if row is not None and row["fence"] == fence and row["state"] == "running" else None


def _put_in_order(change: Change, job: Job) -> None:
    """An attempt that lost its step may have written or removed a pointer after the one that has it now."""
    if job.kind is StepKind.PUBLISH or (job.kind is StepKind.CLEANUP and job.params.get("what") == "unpublish"):
        with contextlib.suppress(ValueError):  # an asset that cannot be read has no pointer of ours to keep
            change.converge(assets.get(change.tx, job.asset))


def _inputs(tx: Session, step: str) -> dict[str, Result]:
    """Results by plain step key; a dependency that failed or was cancelled is absent."""
    return {
        plain(row["key"]): RESULT.validate_json(row["result"])
        for row in steps.dependencies(tx, step)
        if row["result"] is not None
    }
