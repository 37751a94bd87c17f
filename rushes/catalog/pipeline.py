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

from rushes.catalog import assets, fleet, steps
from rushes.catalog.change import Change, Store
from rushes.catalog.database import Row, Session
from rushes.catalog.records import Claim
from rushes.engine import graph, outcome
from rushes.engine.job import Job
from rushes.engine.recipe import recipe
from rushes.engine.retry import GiveUp, Retry, after_failure, later
from rushes.errors import REASONS, Blame
from rushes.facts import SourceRef
from rushes.model import Asset, ProbeResult, Result, Skipped
from rushes.noun import Reason
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import Action, Pool, StepKind, StepState

RESULT: TypeAdapter[Result] = TypeAdapter(Result)


class Answer(StrEnum):
    """What a heartbeat brings back."""

    OK = "ok"
    CANCEL = "cancel"
    FENCED = "fenced"


class Pipeline:
    def __init__(self, store: Store, *, lease: float, max_attempts: int, tool: str) -> None:
        """`lease` in seconds; `tool` is the media tool's version, which is part of every recipe."""
        self._store = store
        self._lease = lease
        self._max_attempts = max_attempts
        self._tool = tool

    def claim(self, pools: Iterable[Pool], worker: str) -> Claim | None:
        """The best ready step of these pools, now this worker's; None if there is none."""
        with self._store.database.write() as tx:
            now = self._store.clock.now()
            row = steps.claim(tx, pools, worker, now, self._lease)
            if row is None:
                return None
            try:
                return Claim(job=self._job(tx, row), lease_expires=now + self._lease)
            except (
                ValueError,
                LookupError,
                TypeError,
            ):  # one unreadable row must not keep all others from being claimed
                self._set_aside(Change(tx, now, self._store.deliver), row, traceback.format_exc())
        return self.claim(pools, worker)

    def _set_aside(self, change: Change, row: Row, detail: str) -> None:
        """A step that cannot even be read from the catalog fails for good."""
        reason = Reason(code="internal", message=REASONS["internal"])
        values = {"reason_code": reason.code, "detail": detail[-8000:]}
        steps.end_attempt(change.tx, row["id"], row["fence"], "failed", change.now, **values)
        with contextlib.suppress(ValueError):  # the asset itself cannot be read: then its step alone has failed
            self._after_failure(change, row, reason, Blame.PERMANENT)

    def _job(self, tx: Session, row: Row) -> Job:
        found = assets.row(tx, row["asset"])
        asset = Asset.model_validate_json(found["doc"])
        profile = Profile.model_validate_json(found["profile"])
        kind, params = StepKind(row["kind"]), json.loads(row["params"])
        source = asset.source or SourceRef(key="", version=0, size=0)
        build = assets.take_build_number(tx, asset.id) if kind is StepKind.PACKAGE else asset.build
        return Job(
            step_id=row["id"], key=row["key"], kind=kind, asset=asset.id, tenant=asset.tenant, fence=row["fence"],
            recipe=recipe((kind, row["key"]), source, params, profile, tool=self._tool),
            params=params, source=source, facts=asset.facts, inputs=_inputs(tx, row["id"]), profile=profile,
            policy=Policy.model_validate_json(found["policy"]), build=build, verdict=asset.verdict,
            verdict_override=Action(found["verdict_override"]) if found["verdict_override"] else None,
        )  # fmt: skip

    def renew(self, job: Job, progress: float) -> Answer:
        """Progress in 0..1 and a longer lease, for the news whether to go on."""
        with self._store.database.write() as tx:
            if not steps.renew(tx, job.step_id, job.fence, progress, self._store.clock.now() + self._lease):
                return Answer.FENCED
            row = steps.get(tx, job.step_id)
            return Answer.CANCEL if row is not None and row["cancel"] else Answer.OK

    def complete(self, job: Job, result: Result, cpu_seconds: float) -> bool:
        """The step is done, its asset changed, its followers ready; False (and nothing changed) if it was fenced."""
        state = StepState.SKIPPED if isinstance(result, Skipped) else StepState.DONE
        reason = result.reason if isinstance(result, Skipped) else None
        with self._store.change() as change:
            if self._was_cancelled(change, job, cpu_seconds):
                return True
            ended = steps.end(
                change.tx, job.step_id, job.fence, state, change.now, result=result.model_dump_json(),
                reason_code=reason.code if reason else None, reason_message=reason.message if reason else None,
            )  # fmt: skip
            if not ended:
                return False
            steps.end_attempt(change.tx, job.step_id, job.fence, state.value, change.now, cpu_seconds=cpu_seconds)
            self._effect(change, job, result)
            steps.settle(change.tx, job.asset, change.now)
            change.touched_steps = True
            return True

    def _was_cancelled(self, change: Change, job: Job, cpu_seconds: float) -> bool:
        """A step that was told to stop and got done before it heard ends cancelled: nothing may follow from it."""
        row = steps.get(change.tx, job.step_id)
        if row is None or row["fence"] != job.fence or row["state"] != "running" or not row["cancel"]:
            return False
        steps.end_attempt(change.tx, job.step_id, job.fence, "cancelled", change.now, cpu_seconds=cpu_seconds)
        self._cancelled(change, row)
        return True

    def _cancelled(self, change: Change, row: Row) -> None:
        change.touched_steps = True
        steps.end(change.tx, row["id"], row["fence"], StepState.CANCELLED, change.now)
        steps.settle(change.tx, row["asset"], change.now)
        if row["kind"] == StepKind.PUBLISH:
            change.retract(row["asset"])

    def _effect(self, change: Change, job: Job, result: Result) -> None:
        asset = assets.get(change.tx, job.asset)
        asset = change.save(outcome.apply(asset, job.key, result, change.now))
        if job.kind is StepKind.PUBLISH and isinstance(result, Skipped) and job.fence > 1:
            change.retract(job.asset)  # an earlier attempt may have written the pointer before it was lost
        if isinstance(result, ProbeResult) and asset.facts:
            change.add_steps(asset, graph.plan(asset.facts, result.ladder, job.profile, job.policy))

    def fail(self, job: Job, reason: Reason, blame: Blame, *, detail: str = "", cpu_seconds: float = 0.0) -> bool:
        """The attempt failed: another one later, or the end of the step and, where it is required, of the asset."""
        with self._store.change() as change:
            row = steps.get(change.tx, job.step_id)
            if row is None or row["fence"] != job.fence or row["state"] != "running":
                return False
            values = {"cpu_seconds": cpu_seconds, "reason_code": reason.code, "detail": detail[-8000:]}
            steps.end_attempt(change.tx, job.step_id, job.fence, "failed", change.now, **values)
            self._after_failure(change, row, reason, blame)
            return True

    def _after_failure(self, change: Change, row: Row, reason: Reason, blame: Blame) -> None:
        change.touched_steps = True
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
        asset = assets.get(change.tx, row["asset"])
        if row["required"]:
            change.fail_asset(asset, final)
        else:
            note = Reason(code=final.code, message=f"{row['key']} failed: {final.message}")
            change.save(outcome.Outcome(asset.model_copy(update={"notes": (*asset.notes, note)}), ("asset.updated",)))
        if row["kind"] == StepKind.PUBLISH:
            change.retract(row["asset"])
        steps.settle(change.tx, row["asset"], change.now)

    def _decision(self, row: Row, code: str, blame: Blame) -> Retry | GiveUp:
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        if row["kind"] == StepKind.CLEANUP and blame is not Blame.PERMANENT:
            return later(row["attempts"], chance)
        return after_failure(code, blame, row["attempts"], self._max_attempts, chance)

    def release(self, job: Job, outcome_name: Literal["released", "cancelled"], cpu_seconds: float = 0.0) -> bool:
        """Hand a step back unharmed (a drain, or a cancellation that was taken back), or end it because it was cancelled."""
        with self._store.change() as change:
            row = steps.get(change.tx, job.step_id)
            if row is None or row["fence"] != job.fence or row["state"] != "running":
                return False
            steps.end_attempt(change.tx, job.step_id, job.fence, outcome_name, change.now, cpu_seconds=cpu_seconds)
            self._give_back(change, row)
            return True

    def _give_back(self, change: Change, row: Row) -> None:
        """Ready again with its attempt forgiven, unless somebody asked for its end."""
        if row["cancel"]:
            self._cancelled(change, row)
            return
        change.touched_steps = True
        steps.end(change.tx, row["id"], row["fence"], StepState.READY, change.now, attempts=max(0, row["attempts"] - 1))

    def reconcile(self) -> int:
        """Take back steps whose worker went silent, and ring for whatever is ready. Safe when doubled."""
        return self._take_back(lambda tx, now: steps.expired(tx, now))

    def take_over(self) -> int:
        """Take back all that runs, leases or not. For a worker that knows it is the only one: the others died."""
        return self._take_back(lambda tx, _: steps.running(tx))

    def _take_back(self, found: Callable[[Session, float], list[Row]]) -> int:
        with self._store.change() as change:
            change.touched_steps = True
            lost = found(change.tx, change.now)
            reason = Reason(code="worker_lost", message=REASONS["worker_lost"])
            for row in lost:
                steps.end_attempt(change.tx, row["id"], row["fence"], "lost", change.now, reason_code="worker_lost")
                self._after_failure(change, row, reason, Blame.POISON)
            return len(lost)

    def housekeep(self, keep_originals: float) -> int:
        """Plan cleanups: sources kept for longer than `keep_originals` days (negative: for ever), outputs of lost attempts."""
        with self._store.change() as change:
            due = steps.losers_due(change.tx)
            planned = [(asset, outcome.losers_step(number, steps.winners(change.tx, asset))) for asset, number in due]
            if keep_originals >= 0:
                ready = steps.originals_due(change.tx, change.now - keep_originals * 86_400)
                planned += [(asset, outcome.cleanup_step("original", 0)) for asset in ready]
            for asset, step in planned:
                change.add_steps(assets.get(change.tx, asset), [step])
            return len(planned)

    def disown(self) -> int:
        """At the start of an embedded stack nobody else can hold a lease (the data directory is locked): give all back.

        A kill of the whole stack says nothing about the step, so the attempt is forgiven; a step that kills its worker
        alone is still counted by `reconcile`.
        """
        with self._store.change() as change:
            change.touched_steps = True
            rows = steps.running(change.tx)
            for row in rows:
                steps.end_attempt(change.tx, row["id"], row["fence"], "released", change.now)
                self._give_back(change, row)
            return len(rows)

    def report(self, worker: str, pools: Iterable[Pool], slots: int) -> None:
        with self._store.database.write() as tx:
            fleet.report(tx, worker, [pool.value for pool in pools], slots, self._store.clock.now())

    def leave(self, worker: str) -> None:
        with self._store.database.write() as tx:
            fleet.leave(tx, worker)

    def open_work(self) -> int:
        """Steps that are not finished, of all assets: 0 means that there is nothing left to do."""
        with self._store.database.read() as tx:
            row = tx.one(f"SELECT count(*) AS n FROM steps WHERE state IN {steps.OPEN}")
            return int(row["n"]) if row else 0


def _inputs(tx: Session, step: str) -> dict[str, Result]:
    """Results by step key; a dependency that failed or was cancelled is absent."""
    return {
        row["key"]: RESULT.validate_json(row["result"])
        for row in steps.dependencies(tx, step)
        if row["result"] is not None
    }
