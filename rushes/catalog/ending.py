"""How attempts end that did not win: another one, the end of the step, or none of its business any more."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Literal

from rushes.catalog import assets, encodes, planning, quarantine, steps, trials, uploads
from rushes.catalog.change import Change, Store
from rushes.catalog.database import Row
from rushes.catalog.steps import CANCEL, ROOM
from rushes.catalog.telling import Fenced, Quarantined, Unreadable
from rushes.engine import outcome
from rushes.engine.early import EARLY_PROBE
from rushes.engine.job import Job, Needs
from rushes.engine.kinds import BY_NAME
from rushes.engine.retry import (
    FORGIVEN,
    LOST,
    QUARANTINED,
    GiveUp,
    Past,
    Retry,
    after_failure,
    handed_back,
    later,
)
from rushes.engine.rounds import round_of
from rushes.engine.version import GRAPH
from rushes.errors import REASONS, Blame
from rushes.model import Asset
from rushes.noun import Reason, stored, to_store
from rushes.plan import Plan
from rushes.policies import Policy
from rushes.states import StepKind, StepState

UNREADABLE_PAUSE = 60.0
"""Seconds until a step that this release cannot read is looked at again: perhaps by a newer one."""


class Ending:
    """Methods that take a change belong to the transaction of their caller."""

    def __init__(self, store: Store, *, max_attempts: int, tool: str, graph: int = GRAPH) -> None:
        """`tool` is the media tool's version; `graph` the newest version of the graphs that this process knows."""
        self._store = store
        self._max_attempts = max_attempts
        self._tool = tool
        self._graph = graph

    def fail(
        self, job: Job, reason: Reason, blame: Blame, *, detail: str = "", cpu_seconds: float = 0.0,
        moved: tuple[int, int] = (0, 0),
    ) -> bool:  # fmt: skip
        """The attempt failed: another one later, or the end of the step and, where it is required, of the asset. False where
        that concerns nobody any more: it was fenced, or told to stop and found that things are gone. `moved` as of `complete`."""
        with self._store.change() as change:
            row = self._held(change, job)
            if row is None:
                return False
            if row["cancel"] == CANCEL:
                change.end_attempt(row, "cancelled", cpu_seconds=cpu_seconds, moved=moved)
                self.cancelled(change, row)
                return False
            values = {"cpu_seconds": cpu_seconds, "moved": moved, "reason_code": reason.code, "detail": detail}
            change.end_attempt(row, "failed", blame=blame.value, **values)
            self._after_failed(change, row, reason, blame)
            return True

    def _held(self, change: Change, job: Job) -> Row | None:
        """The running step of this attempt, with its asset in the hands of this transaction; None if it runs no longer."""
        row = running(change, job.asset, job.step_id, job.fence)
        if row is None:
            change.happened.append(Fenced())
            put_in_order(change, job)
        return row

    def overtaken(self, job: Job) -> None:
        """An attempt was stopped because its step is somebody else's; it may have done its worst before that."""
        with self._store.change() as change:
            self._held(change, job)

    def lost(self, change: Change, row: Row) -> None:
        """Its worker went silent."""
        change.end_attempt(row, "lost", reason_code=LOST, cpu_seconds=row["spent"], blame=Blame.POISON.value)
        self._after_failed(change, row, _reason(LOST), Blame.POISON)

    def forgive(self, change: Change, row: Row) -> None:
        """It went down with its whole stack. That says nothing about the step, unless it goes on so."""
        if trials.handed_back(change.tx, row["id"]) >= FORGIVEN:
            self.lost(change, row)
            return
        change.end_attempt(row, "released", cpu_seconds=row["spent"])
        self.give_back(change, row)

    def unreadable(self, change: Change, row: Row, detail: str) -> None:
        """A step was claimed that this release cannot read. One that a newer release may have planned or written waits,
        uncharged, for a worker of that; of one that we ought to know the record is damaged, and it fails for good."""
        if not trials.is_newer(change.tx, row, self._graph):
            values = {"reason_code": "internal", "blame": Blame.PERMANENT.value, "detail": detail}
            change.end_attempt(row, "failed", **values)
            self._after_failed(change, row, _reason("internal"), Blame.PERMANENT)
            return
        reason = _reason("unreadable_step")
        change.end_attempt(row, "released", reason_code=reason.code, detail=detail)
        change.happened.append(Unreadable(row["kind"], row["version"]))
        values = {"reason_code": reason.code, "reason_message": reason.message}
        change.again(row, at=change.now + UNREADABLE_PAUSE, attempts=max(0, row["attempts"] - 1), **values)

    def _after_failed(self, change: Change, row: Row, reason: Reason, blame: Blame) -> None:
        if row["cancel"] == CANCEL:
            self.cancelled(change, row)
            return
        decision = self._decision(change, row, reason.code, blame)
        if not isinstance(decision, GiveUp):
            change.again(row, at=change.now + decision.delay, **_needs(row, decision))
            return
        if decision.code == QUARANTINED:
            quarantine.put(change.tx, row, trials.bundle(change.tx, row, tool=self._tool), reason.code, change.now)
            change.happened.append(Quarantined())
        final = reason if decision.code == reason.code else _reason(decision.code)
        steps.end(
            change.tx, row["id"], row["fence"], StepState.FAILED, change.now,
            reason_code=final.code, reason_message=final.message,
        )  # fmt: skip
        with contextlib.suppress(ValueError):  # the asset itself cannot be read: then its step alone has failed
            self._given_up(change, row, final)
        change.settle(row["asset"])

    def cancelled(self, change: Change, row: Row) -> None:
        steps.end(change.tx, row["id"], row["fence"], StepState.CANCELLED, change.now)
        change.settle(row["asset"])
        if row["kind"] == StepKind.PUBLISH:
            change.retract(row["asset"])

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
        terms = (encodes.profile_of(change.tx, found, row["key"]), stored(Policy, found["policy"]))
        fixed = Plan.model_validate(json.loads(row["params"])["plan"])
        planning.after_analysis(change, asset, row["key"], fixed, terms)

    def _decision(self, change: Change, row: Row, code: str, blame: Blame) -> Retry | GiveUp:
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        if row["kind"] == StepKind.CLEANUP and blame is not Blame.PERMANENT:
            return later(row["attempts"], chance)
        found = BY_NAME.get(row["kind"])
        past = trials.history(change.tx, row) or [Past(blame, code)]
        if found is None or not found.attempts:
            return after_failure(past, self._max_attempts, chance)
        # What fails is a server of somebody else
        past = [Past(Blame.TRANSIENT, one.code) if one.blame is Blame.POISON else one for one in past]
        return after_failure(past, max(found.attempts, self._max_attempts), chance)

    def release(self, job: Job, outcome_name: Literal["released", "cancelled"], cpu_seconds: float = 0.0) -> bool:
        """Hand a step back unharmed (a drain, or a cancellation that was taken back), or end it because it was cancelled."""
        with self._store.change() as change:
            row = self._held(change, job)
            if row is None:
                return False
            name = "preempted" if row["cancel"] == ROOM and outcome_name == "released" else outcome_name
            change.end_attempt(row, name, cpu_seconds=cpu_seconds)
            self.give_back(change, row)
            return True

    def give_back(self, change: Change, row: Row) -> None:
        """Ready again with its attempt forgiven, unless somebody asked for its end."""
        if row["cancel"] == CANCEL:
            self.cancelled(change, row)
            return
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        pause = handed_back(trials.handed_back(change.tx, row["id"]), chance).delay
        change.again(row, at=change.now + pause if pause else 0.0, attempts=max(0, row["attempts"] - 1))


def _reason(code: str) -> Reason:
    return Reason(code=code, message=REASONS[code])


def _needs(row: Row, decision: Retry) -> dict[str, str]:
    """The columns of what it asks of its next worker, where that has changed."""
    before = stored(Needs, row["needs"])
    return {"needs": to_store(before.model_copy(update={"alone": True}))} if decision.alone > before.alone else {}


def _note(change: Change, asset: Asset, row: Row, reason: Reason) -> Asset:
    note = Reason(code=reason.code, message=f"{row['key']} failed: {reason.message}")
    return change.save(outcome.Outcome(asset.model_copy(update={"notes": (*asset.notes, note)}), ("asset.updated",)))


def running(change: Change, asset: str, step: str, fence: int) -> Row | None:
    """The step, if it runs under this fence, with its asset in the hands of this transaction."""
    assets.row(change.tx, asset)
    row = steps.get(change.tx, step)
    return row if row is not None and row["fence"] == fence and row["state"] == "running" else None


def put_in_order(change: Change, job: Job) -> None:
    """An attempt that lost its step may have written or removed a pointer after the one that has it now."""
    if job.kind is StepKind.PUBLISH or (job.kind is StepKind.CLEANUP and job.params.get("what") == "unpublish"):
        with contextlib.suppress(ValueError):  # an asset that cannot be read has no pointer of ours to keep
            change.converge(assets.get(change.tx, job.asset))
