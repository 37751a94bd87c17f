"""What exactly keeps a step from going on. Pure.

The first thing that is true of it, from what nobody but an operator can change to what time alone will.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from rushes.engine.classes import Class
from rushes.noun import Noun
from rushes.states import StepState


class Blocker(Noun):
    code: str
    """running, worker_silent, waiting_for_steps, backing_off, delayed, pool_paused, no_worker, workers_cordoned, no_room,
    newer_release, tenant_cap, more_urgent, turn, starting; of an asset also what `catalog.why` says."""
    message: str
    step: str = ""
    """Its key."""
    pool: str = ""


@dataclass(frozen=True)
class PoolStand:
    """A pool as one step finds it."""

    name: str
    paused: bool = False
    reason: str = ""
    """Why it is paused."""
    workers: int = 0
    """Living ones."""
    working: int = 0
    """Those of them that are neither cordoned nor draining."""
    able: int = 0
    """Those of them that know the step's graph version."""
    roomy: int = 0
    """Those of them that have room on their scratch disks for what it needs."""
    slots: int = 0
    busy: int = 0
    """Steps that run in it."""
    urgent_cpu: float = 0.0
    """CPU seconds of ready work of higher classes."""
    tenants: int = 1
    """Tenants that wait in the step's class, its own among them."""


@dataclass(frozen=True)
class StepStand:
    """A step that is not finished."""

    key: str
    state: StepState
    class_: Class
    pool: PoolStand
    progress: float = 0.0
    attempts: int = 0
    after: tuple[str, ...] = ()
    """Unfinished steps it waits for."""
    begins_in: float = 0.0
    lease_in: float = 0.0
    """Seconds until its lease ends, where it runs; below 0: it has ended."""
    failure: str = ""
    """Code of the reason why the last attempt failed."""
    filled: bool = False
    """Its tenant runs as many steps of the pool as it may."""
    ahead: int = 0
    """Ready steps of its own tenant that go before it."""
    preempted: int = 0


def blocker(step: StepStand) -> Blocker:
    code, message = _found(step)
    return Blocker(code=code, message=message, step=step.key, pool=step.pool.name)


def _found(step: StepStand) -> tuple[str, str]:
    if step.state is StepState.RUNNING:
        return _running(step)
    if step.after:
        return "waiting_for_steps", f"{step.key} waits for {', '.join(step.after[:3])}{_more(len(step.after) - 3)}."
    if step.begins_in > 0:
        return _later(step)
    return _of_workers(step) or _of_queue(step)


def _running(step: StepStand) -> tuple[str, str]:
    if step.lease_in < 0:
        late = (
            f"{step.key} has no worker: the one that had it was not heard of for {-step.lease_in:.0f} s past its lease."
        )
        return "worker_silent", f"{late} It starts again as soon as that is noticed."
    return "running", f"Running: {step.key} ({step.progress:.0%})."


def _later(step: StepStand) -> tuple[str, str]:
    if step.attempts:
        again = f"Attempts failed and will be repeated: {step.key} ({step.attempts} before"
        return "backing_off", f"{again}{', ' + step.failure if step.failure else ''}), next in {step.begins_in:.0f} s."
    return "delayed", f"{step.key} is not to begin for another {step.begins_in:.0f} s."


def _of_workers(step: StepStand) -> tuple[str, str] | None:
    pool = step.pool
    of = f"pool {pool.name} (for {step.key})"
    if pool.paused:
        return "pool_paused", f"An operator has paused {of}{': ' + pool.reason if pool.reason else ''}."
    if not pool.workers:
        return "no_worker", f"No worker of {of} is running. Start one with `rushes worker --pools {pool.name}`."
    if not pool.working:
        return "workers_cordoned", f"Every worker of {of} is cordoned or draining."
    if not pool.able:
        return "newer_release", f"No worker of {of} runs a release that knows this step. Start newer workers."
    if not pool.roomy:
        return "no_room", f"No worker of {of} has enough room on its scratch disk."
    return None


def _of_queue(step: StepStand) -> tuple[str, str]:
    pool = step.pool
    wait = f"Waiting for a free worker of pool {pool.name} (for {step.key})"
    if step.filled:
        return "tenant_cap", f"{wait}: this tenant has as many steps running there as it may."
    if pool.busy < pool.slots:
        again = f" Attempts failed and will be repeated: {step.key} ({step.attempts} before)." if step.attempts else ""
        return "starting", f"{wait}: a slot is free, and it begins within seconds.{again}"
    if pool.urgent_cpu > 0:
        return "more_urgent", f"{wait}: {ceil(pool.urgent_cpu)} CPU seconds of more urgent work go before it."
    own = f", {step.ahead} steps of its own go before it" if step.ahead else ""
    others = ", and other tenants take turns with it" if pool.tenants > 1 else ""
    return "turn", f"{wait}: all {pool.slots} slots are busy{own}{others}."


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""
