"""Where the unfinished steps of an asset stand among all others: what `why` is told by."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rushes.catalog import costs, fleet, loads
from rushes.catalog.database import Row, Session
from rushes.catalog.records import PoolLoad
from rushes.engine.backlog import cores_for
from rushes.engine.blocker import PoolStand, StepStand
from rushes.engine.classes import Class
from rushes.engine.cost import Estimate, Learned, estimate
from rushes.engine.eta import Task, left
from rushes.engine.graph import ENCODES_BY_ANALYSIS
from rushes.engine.job import Needs
from rushes.engine.rounds import round_of
from rushes.states import APART, LIGHT, Pool, StepKind, StepState

OWN_SLOTS = ((frozenset(LIGHT), 3), (frozenset({Pool.PULL}), 4))
"""Pools that have slots together beside those of the heavy steps, and how many in each worker (`workers.slots`); of pulls, unless
its settings say otherwise."""
HEAVY = frozenset(Pool).difference(APART)
CROWDED = 0.7
"""`Task.crowded` as soon as anything runs (docs/decisions/0037)."""
FAR = 1000
"""Steps ahead that are counted; more than that is far away in any case."""


@dataclass(frozen=True)
class Queue:
    """What goes before one step in its pool."""

    ahead: int = 0
    ahead_cpu: float = 0.0
    """CPU seconds of ready steps of its own tenant that go before it."""
    tenants: int = 1
    filled: bool = False


@dataclass
class Scene:
    tx: Session
    now: float
    rows: Mapping[str, Row]
    """By key, of steps that are not finished."""
    after: Mapping[str, Sequence[str]]
    """Unfinished steps that a step waits for, by key."""
    learned: Mapping[str, Learned]
    sampled: Mapping[str, PoolLoad]
    living: Sequence[Row]
    paused: Mapping[str, str]
    """pool -> reason"""
    busy: Mapping[tuple[str, str], int]
    """(worker, pool) -> steps that run."""
    is_planned: bool
    """Whether more is known than that the source is to be looked at."""
    _queues: dict[str, Queue] = field(default_factory=dict)

    @cached_property
    def required(self) -> frozenset[str]:
        """Keys of the steps without which the asset is not ready."""
        known = (key for key, row in self.rows.items() if row["required"] and round_of(key) == 1)
        return frozenset((*known, *(task.key for task in self.to_come)))

    @cached_property
    def tasks(self) -> list[Task]:
        return [*(self._task(row) for row in self.rows.values()), *self.to_come]

    @cached_property
    def to_come(self) -> list[Task]:
        """Encodes that are planned once the analysis has said which: one task for all of them, named after it."""
        first = [row for key, row in self.rows.items() if row["kind"] == StepKind.ANALYZE and round_of(key) == 1]
        return [self._after_analysis(row) for row in first]

    def _after_analysis(self, row: Row) -> Task:
        planned = ENCODES_BY_ANALYSIS * row["cost"] / row["factor"]
        guess = estimate(StepKind.ENCODE, {}, self.learned, planned)
        return Task(key=f"{row['key']}>encode", pool=Pool.VIDEO.value, after=(row["key"],), estimate=guess)

    @cached_property
    def cores(self) -> dict[str, float]:
        """By pool."""
        workers = fleet.hands(self.living)
        work = {pool: load.cpu for pool, load in self.sampled.items()}
        return {pool.value: cores_for(pool.value, work, workers) for pool in Pool}

    @property
    def running(self) -> str:
        going = [row for row in self.rows.values() if row["state"] == "running"]
        return "Running: " + ", ".join(f"{row['key']} ({row['progress']:.0%})" for row in going) + "."

    def is_served(self, keys: Sequence[str]) -> bool:
        """Whether somebody works in the pools of all these steps, so that they come to an end."""
        rows = [self.rows[key] for key in keys if key in self.rows]
        return all(pool.able > 0 and not pool.paused for pool in (self._pool(row, Queue()) for row in rows))

    def stand(self, key: str) -> StepStand:
        row = self.rows[key]
        queue = self._queue(row)
        return StepStand(
            key=key, state=StepState(row["state"]), class_=Class(row["class"]), pool=self._pool(row, queue),
            progress=row["progress"], attempts=row["attempts"], after=tuple(self.after.get(key, ())),
            begins_in=self._begins_in(row), lease_in=(row["lease_expires"] or self.now) - self.now,
            failure=self._failure(row), filled=queue.filled, ahead=queue.ahead, preempted=row["preempted"],
        )  # fmt: skip

    def _task(self, row: Row) -> Task:
        guess = self._guess(row)
        running = row["state"] == "running"
        crowded = CROWDED if self.busy else 0.0
        return Task(
            key=row["key"], pool=row["pool"], after=tuple(self.after.get(row["key"], ())), estimate=guess,
            left=self._left(row, guess.wall) if running else 1.0, begins_in=self._begins_in(row),
            turn_in=0.0 if running else self._turn_in(row), crowded=crowded,
        )  # fmt: skip

    def _left(self, row: Row, wall: float) -> float:
        """Of one that runs. When a second attempt began, its row does not say: then by its progress alone. What a worker had that
        is silent has to be done again."""
        if row["lease_expires"] is not None and row["lease_expires"] < self.now:
            return 1.0
        elapsed = max(0.0, self.now - row["started_at"]) if row["fence"] == 1 else 0.0
        return left(row["progress"], elapsed, wall)

    def _guess(self, row: Row) -> Estimate:
        cost = row["cost"]
        if row["kind"] not in set(StepKind):  # of a newer release
            return Estimate(cpu=cost, wall=cost, spread=cost)
        return estimate(StepKind(row["kind"]), json.loads(row["params"]), self.learned, cost / row["factor"])

    def _begins_in(self, row: Row) -> float:
        return max(0.0, row["not_before"] - self.now) if row["not_before"] and row["state"] != "running" else 0.0

    def _turn_in(self, row: Row) -> float:
        """Seconds. A step that waits for others may find its tenant's cap open again."""
        under_cap = self._queue(row).filled and row["state"] == "ready"
        return max(self._below_cap(row) if under_cap else 0.0, self._among_others(row))

    def _below_cap(self, row: Row) -> float:
        """Until the first of its tenant's own steps ends that run there, and those of its lane before it have had their turns."""
        running = self.tx.all(
            "SELECT kind, params, cost, factor, fence, progress, started_at, lease_expires FROM steps"
            " WHERE state = 'running' AND pool = :pool AND tenant = :tenant LIMIT :far",
            {"pool": row["pool"], "tenant": row["tenant"], "far": FAR},
        )
        walls = [(one, self._guess(one).wall) for one in running]
        first = min((wall * self._left(one, wall) for one, wall in walls), default=0.0)
        return first + self._queue(row).ahead_cpu / max(1, len(running))

    def _among_others(self, row: Row) -> float:
        """What goes before it, by the cores that do it, and half of what those that run have left."""
        queue, load = self._queue(row), self.sampled.get(row["pool"])
        pool = self._pool(row, queue)
        cores = self.cores.get(row["pool"], 0.0)
        if pool.busy < pool.slots or load is None or not cores:
            return 0.0
        same = load.classes.get(Class(row["class"]).name.lower(), 0.0)
        before = pool.urgent_cpu + min(same, queue.ahead_cpu * queue.tenants)
        return (before + load.running_cpu / (2 * max(1, load.running))) / cores

    def _pool(self, row: Row, queue: Queue) -> PoolStand:
        name = row["pool"]
        workers = [one for one in self.living if name in json.loads(one["pools"])]
        working = [one for one in workers if one["state"] == "working"]
        able = [one for one in working if one["graph"] >= row["version"]]
        needs = Needs.model_validate_json(row["needs"])
        roomy = [one for one in able if not one["scratch_free"] or one["scratch_free"] >= needs.scratch]
        alike, apart = next(((pools, slots) for pools, slots in OWN_SLOTS if name in pools), (HEAVY, 0))
        load = self.sampled.get(name)
        urgent = load.classes if load else {}
        return PoolStand(
            name=name, paused=name in self.paused, reason=self.paused.get(name, ""), workers=len(workers),
            working=len(working), able=len(able), roomy=len(roomy),
            slots=sum(apart or one["slots"] for one in able),
            busy=sum(self.busy.get((one["id"], other.value), 0) for one in able for other in alike),
            urgent_cpu=sum(urgent.get(one.name.lower(), 0.0) for one in Class if one > row["class"]),
            tenants=queue.tenants,
        )  # fmt: skip

    def _queue(self, row: Row) -> Queue:
        if row["key"] not in self._queues:
            self._queues[row["key"]] = queue_of(self.tx, row)
        return self._queues[row["key"]]

    def _failure(self, row: Row) -> str:
        if not row["attempts"]:
            return ""
        found = self.tx.one(
            "SELECT reason_code FROM attempts WHERE step = :step ORDER BY fence DESC LIMIT 1", {"step": row["id"]}
        )
        return (found["reason_code"] if found else None) or ""


def scene(tx: Session, rows: Sequence[Row], asset: str, now: float) -> Scene:
    """`rows`: all steps of the asset."""
    unfinished = {row["id"]: row for row in rows if not StepState(row["state"]).is_final}
    busy: dict[tuple[str, str], int] = {
        (row["lease_owner"], row["pool"]): row["n"]
        for row in tx.all(
            "SELECT lease_owner, pool, count(*) AS n FROM steps WHERE state = 'running' GROUP BY lease_owner, pool"
        )
    }
    return Scene(
        tx=tx, now=now, rows={row["key"]: row for row in unfinished.values()},
        after=_links(tx, asset, unfinished), learned=costs.read(tx), sampled=loads.read(tx),
        living=fleet.living(tx, now), paused={row["pool"]: row["reason"] for row in fleet.paused(tx)},
        busy=busy, is_planned=any(row["kind"] == StepKind.PACKAGE for row in rows),
    )  # fmt: skip


def _links(tx: Session, asset: str, unfinished: Mapping[str, Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    rows = tx.all(
        "SELECT l.step, l.after FROM step_after l JOIN steps s ON s.id = l.step"
        " WHERE s.asset = :asset AND s.state = 'waiting'",
        {"asset": asset},
    )
    for row in rows:
        if row["step"] in unfinished and row["after"] in unfinished:
            found[unfinished[row["step"]]["key"]].append(unfinished[row["after"]]["key"])
    return found


def queue_of(tx: Session, row: Row) -> Queue:
    lane = {name: row[name] for name in ("pool", "class", "tenant", "version")}
    others = tx.one(
        "SELECT count(*) AS n FROM (SELECT 1 FROM queues WHERE pool = :pool AND class = :class AND open = 1 LIMIT :far) q",
        {**lane, "far": FAR},
    )
    own = tx.one(
        "SELECT filled FROM queues WHERE pool = :pool AND class = :class AND tenant = :tenant AND version = :version",
        lane,
    )
    ahead = tx.one(
        "SELECT count(*) AS n, coalesce(sum(cost), 0) AS cpu FROM (SELECT s.cost FROM steps s"
        " WHERE s.state = 'ready' AND s.pool = :pool AND s.class = :class AND s.tenant = :tenant"
        " AND s.version = :version AND (s.deadline, s.id) < (:deadline, :id)"
        " LIMIT :far) q",
        {**lane, "deadline": row["deadline"], "id": row["id"], "far": FAR},
    ) if row["state"] == "ready" else None  # fmt: skip
    return Queue(
        ahead=ahead["n"] if ahead else 0,
        ahead_cpu=ahead["cpu"] if ahead else 0.0,
        tenants=max(1, others["n"] if others else 1),
        filled=bool(own and own["filled"]),
    )
