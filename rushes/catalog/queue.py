"""Lanes of ready steps, and the claim: whose turn it is, what it is charged, how it comes and goes (docs/decisions/0033).

A lane holds the ready steps of one pool, class, tenant and graph version. `engine.fair` says by which rules one goes before
another; the effort of a claim is that of a few looks into an index, however many steps and tenants wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rushes.catalog.database import Row, Session
from rushes.engine import fair
from rushes.states import Pool

OPEN = "('waiting', 'ready', 'running')"
UNDER_WAY = f"state IN {OPEN} AND key NOT LIKE 'purge.%'"
"""Of an asset's steps, what others have to wait for. Not for purges: a cache that does not answer keeps them open."""
COLUMNS = (
    "id, asset, tenant, key, kind, pool, params, required, priority, cost, state, lease_expires, fence, attempts, cancel,"
    " progress, reason_code, reason_message, cpu_seconds, avoided, created_at, started_at, finished_at,"
    " class, deadline, version, ready_at, not_before, spent, preempted, needs, factor"
)
"""Of a step. Named, for a migration that adds one must not change the answer to a statement that is prepared already."""
LANE = "pool, class, tenant, version"
_IS = "pool = :pool AND class = :class AND tenant = :tenant AND version = :version"
_SAME = "pool = :pool AND tenant = :tenant AND class IN (0, 1, 2, 3)"
"""Lanes that a cap is for."""
_OF = "s.pool = {0}.pool AND s.class = {0}.class AND s.tenant = {0}.tenant AND s.version = {0}.version"
_HEAD = "SELECT s.id FROM steps s JOIN assets a ON a.id = s.asset WHERE s.state = 'ready' AND {0} ORDER BY s.deadline, s.id LIMIT 1"
_READY = f"SELECT 1 FROM steps s WHERE s.state = 'ready' AND {_OF.format('queues')}"


class Lane(NamedTuple):
    """In the order in which lanes are locked."""

    pool: str
    tenant: str
    level: int
    """`engine.classes.Class`."""
    version: int

    @property
    def values(self) -> dict[str, object]:
        return {"pool": self.pool, "class": self.level, "tenant": self.tenant, "version": self.version}


class Look(NamedTuple):
    """Who looks for work, and when."""

    pools: tuple[Pool, ...]
    now: float
    graph: int
    """Newest graph version it can carry out."""
    aged: float | None = None
    """It is the turn of a lane that was not served since then, whatever its class."""
    without: tuple[str, ...] = ()
    """Tenants whose lanes are passed over."""
    least: int = 0
    """The lowest class that is looked for (`engine.classes.Class`), but for an aged turn: or it would wait for ever."""

    @property
    def values(self) -> dict[str, object]:
        passed_over = {f"t{number}": tenant for number, tenant in enumerate(self.without)}
        return {"now": self.now, "graph": self.graph, "aged": self.aged, "least": self.least, **passed_over}

    def turns(self, most: int) -> str:
        """The statement that asks whose turn it is."""
        aged = self.aged is not None
        return _turns(self.pools, aged=aged, most=most, without=len(self.without), choosy=self.least > 0 and not aged)


def lane_of(row: Row) -> Lane:
    """Of a step."""
    return Lane(row["pool"], row["tenant"], row["class"], row["version"])


# -- comes and goes ---------------------------------------------------------------------------------------------------

_FLOOR = (
    "coalesce((SELECT min(tag) FROM queues WHERE pool = :pool AND class = :class AND open = 1 AND filled = 0),"
    " (SELECT max(tag) FROM queues WHERE pool = :pool AND class = :class), 0.0)"
)


def enter(tx: Session, lane: Lane, now: float) -> None:
    """It has a ready step more; the transaction has the lane from now on (`engine.fair.entered`).

    Always, also where it is open already: so that nobody closes it who has not seen that step.
    """
    tx.later(
        f"INSERT INTO queues ({LANE}, tag, open, since) VALUES (:pool, :class, :tenant, :version, {_FLOOR}, 1, :now)"
        f" ON CONFLICT ({LANE}) DO UPDATE SET open = 1, since = excluded.since,"
        " tag = CASE WHEN queues.tag < excluded.tag THEN excluded.tag ELSE queues.tag END WHERE queues.open = 0",
        {**lane.values, "now": now},
    )


def leave(tx: Session, lane: Lane, correction: float) -> None:
    """An attempt at a step of it has ended: its tenant may have another one running. `correction`: CPU seconds.

    First its lanes are taken, then looked at: a claim that counted this attempt still may be filling them just now (`fits`).
    """
    if tx.lock:
        tx.later(f"SELECT class FROM queues WHERE {_SAME} ORDER BY class, version{tx.lock}", lane.values)
    tx.later(
        "UPDATE queues SET filled = 0, tag = tag + CASE WHEN class = :class AND version = :version"
        " THEN :correction / weight ELSE 0.0 END"
        f" WHERE {_SAME} AND (filled = 1 OR (class = :class AND version = :version))",
        {**lane.values, "correction": correction},
    )


def shut(tx: Session, lane: Lane) -> bool:
    """Close it if nothing in it is ready. First the lane is taken, then looked at: what came meanwhile is seen."""
    tx.one(f"SELECT open FROM queues WHERE {_IS}{tx.lock}", lane.values)
    return tx.execute(f"UPDATE queues SET open = 0 WHERE {_IS} AND NOT EXISTS ({_READY})", lane.values) == 1


# -- the claim --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _turns(pools: tuple[Pool, ...], *, aged: bool, most: int, without: int = 0, choosy: bool = False) -> str:
    """Lanes that may be served, the one whose turn it is first. Tags of different pools say nothing of each other: among lanes
    of one class that goes first which was served longest ago."""
    old, order = (" AND q.since < :aged", "q.since") if aged else ("", "q.class DESC, q.tag, q.since, q.tenant")
    if without:
        old += f" AND q.tenant NOT IN ({', '.join(f':t{number}' for number in range(without))})"
    if choosy:
        old += " AND q.class >= :least"
    columns = "q.pool, q.class, q.tenant, q.version, q.since, q.tag"
    looks = [
        f"SELECT {columns} FROM (SELECT {columns} FROM queues q WHERE q.pool = '{pool.value}' AND q.open = 1"
        f" AND q.filled = 0 AND q.version <= :graph{old}"
        f" AND NOT EXISTS (SELECT 1 FROM pools p WHERE p.pool = '{pool.value}' AND p.paused = 1)"
        f" ORDER BY {order} LIMIT {most}) q"
        for pool in pools
    ]
    if len(looks) == 1:
        return looks[0]
    first = f" ORDER BY {'' if aged else 'q.class DESC, '}q.since LIMIT 1" if most == 1 else ""
    return f"SELECT {columns} FROM ({' UNION ALL '.join(looks)}) q{first}"


_CLAIM = (
    "UPDATE steps SET state = 'running', fence = fence + 1, attempts = attempts + 1, lease_owner = :worker,"
    " lease_expires = :expires, started_at = coalesce(started_at, :now), progress = 0, spent = 0"
    f" WHERE id = ({{0}}) AND state = 'ready' RETURNING {COLUMNS},"
    " (SELECT count(*) FROM step_after l WHERE l.step = steps.id) AS links"
)


def claim(tx: Session, look: Look, worker: str, lease: float) -> Row | None:
    """The first step of the lane whose turn it is, in one statement. Its asset is this transaction's from now on.

    Raises the fence and charges the attempt here, so that a worker that dies has been counted. Steps of assets that
    somebody else is changing are passed over: None does not mean that there is nothing to do (`lanes`, `claim_in`).
    """
    head = f"SELECT ({_HEAD.format(_OF.format('q'))}{tx.skip}) FROM ({look.turns(1)}) q"
    return tx.one(_CLAIM.format(head), {**look.values, "worker": worker, "expires": look.now + lease})


def claim_in(tx: Session, lane: Lane, look: Look, worker: str, lease: float) -> Row | None:
    """The first step of this lane that nobody else holds."""
    head = f"{_HEAD.format(_STEP)}{tx.skip}"
    return tx.one(_CLAIM.format(head), {**lane.values, "worker": worker, "expires": look.now + lease, "now": look.now})


_STEP = "s.pool = :pool AND s.class = :class AND s.tenant = :tenant AND s.version = :version"


def lanes(tx: Session, look: Look, most: int = 8) -> list[Lane]:
    """The best few that are open, in the order of their turns."""
    rows = tx.all(look.turns(most), look.values)
    return [lane_of(row) for row in _in_turn(rows)[:most]]


def _in_turn(rows: Sequence[Row]) -> list[Row]:
    """As one would come after the other if nothing were in the first: of each pool the best, and of these as `_turns` says."""
    waiting: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (-row["class"], row["tag"], row["since"], row["tenant"]), reverse=True):
        waiting.setdefault(row["pool"], []).append(row)
    found = []
    while waiting:
        pool = min(waiting, key=lambda pool: (-waiting[pool][-1]["class"], waiting[pool][-1]["since"]))
        found.append(waiting[pool].pop())
        if not waiting[pool]:
            del waiting[pool]
    return found


def busy(tx: Session, lane: Lane) -> str | None:
    """After a claim in vain: the asset of the step that is ready all the same, for somebody else is changing it."""
    found = tx.one(_HEAD.format(_STEP).replace("s.id", "s.asset", 1), lane.values)
    return found["asset"] if found else None


def fits(tx: Session, lane: Lane, cap: int) -> bool:
    """Whether its tenant may have the step that was just claimed running beside the others of the pool. All its lanes there are
    this transaction's from now on, so that two claims do not both count without each other."""
    tx.all(f"SELECT class FROM queues WHERE {_SAME} ORDER BY class, version{tx.lock}", lane.values)
    found = tx.one(
        "SELECT count(*) AS n FROM (SELECT 1 FROM steps WHERE state = 'running' AND pool = :pool AND tenant = :tenant"
        " LIMIT :most) r",
        {**lane.values, "most": cap + 1},
    )
    running = found["n"] if found else 0
    if running >= cap:
        tx.execute(f"UPDATE queues SET filled = 1 WHERE {_SAME}", lane.values)
    return running <= cap


def put_back(tx: Session, row: Row) -> None:
    """A claim that was one too many never was: nobody has seen its fence."""
    tx.execute("DELETE FROM attempts WHERE step = :id AND fence = :fence", {"id": row["id"], "fence": row["fence"]})
    tx.execute(
        "UPDATE steps SET state = 'ready', attempts = attempts - 1, fence = fence - 1, lease_owner = NULL, lease_expires = NULL"
        " WHERE id = :id",
        {"id": row["id"]},
    )


def begin(tx: Session, row: Row, worker: str, now: float) -> None:
    """The attempt at a claimed step is written down, with what it is reckoned to cost."""
    tx.later(
        "INSERT INTO attempts (step, fence, worker, started_at, estimate) VALUES (:step, :fence, :worker, :now, :estimate)",
        {"step": row["id"], "fence": row["fence"], "worker": worker, "now": now, "estimate": row["cost"]},
    )


def charge(tx: Session, lane: Lane, estimate: float, weight: float, now: float) -> None:
    """A lane was given a claim. `estimate` in CPU seconds."""
    tx.later(
        f"UPDATE queues SET tag = tag + :given, weight = :weight, since = :now WHERE {_IS}",
        {**lane.values, "given": fair.charged(0.0, estimate, weight), "weight": weight, "now": now},
    )


# -- steps that wait for their time ----------------------------------------------------------------------------------

_DUE = "s.state = 'waiting' AND s.waiting = 0 AND s.not_before > 0 AND s.not_before <= :now"


def is_due(tx: Session, now: float) -> bool:
    """Whether a step waits for a time that has come. One look into an index."""
    return tx.one(f"SELECT 1 FROM steps s WHERE {_DUE} ORDER BY s.not_before LIMIT 1", {"now": now}) is not None


def wake(tx: Session, now: float, most: int = 100) -> list[Row]:
    """Make them ready. Those of assets that somebody is changing come the next time."""
    return tx.all(
        "UPDATE steps SET state = 'ready', ready_at = :now WHERE id IN (SELECT s.id FROM steps s JOIN assets a ON a.id = s.asset"
        f" WHERE {_DUE} ORDER BY s.not_before LIMIT :most{tx.skip}) AND state = 'waiting' RETURNING {LANE}",
        {"now": now, "most": most},
    )


# -- for who watches -------------------------------------------------------------------------------------------------


def ready_pools(tx: Session) -> set[Pool]:
    """Pools that may have something to do now."""
    return known(row["pool"] for row in tx.all("SELECT DISTINCT pool FROM queues WHERE open = 1 AND filled = 0"))


def known(pools: Iterable[str]) -> set[Pool]:
    """Those that this release knows; a newer one may have more."""
    names = {pool.value for pool in Pool}
    return {Pool(pool) for pool in pools if pool in names}


def mend(tx: Session, now: float, pools: Sequence[Pool] = tuple(Pool)) -> int:
    """Open the lanes of ready steps that no lane leads to, such as a release before 0012 leaves, and give back their turn to
    tenants that have nothing running. Gives how many. Reads all that is ready: for a reconciler, not for a claim."""
    names = ", ".join(f"'{pool.value}'" for pool in pools)
    unseen = tx.all(
        f"SELECT DISTINCT {LANE} FROM steps s WHERE s.state = 'ready' AND s.pool IN ({names}) AND NOT EXISTS"
        f" (SELECT 1 FROM queues q WHERE {_OF.format('q')} AND q.open = 1)",
    )
    filled = tx.all(f"SELECT {LANE} FROM queues WHERE {_IDLE}")
    lost, full = set(map(lane_of, unseen)), set(map(lane_of, filled))
    for lane in sorted(lost | full):
        if lane in lost:
            enter(tx, lane, now)
        if lane in full:
            tx.later(f"UPDATE queues SET filled = 0 WHERE {_IS} AND {_IDLE}", lane.values)
    return len(lost) + len(full)


_IDLE = (
    "filled = 1 AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.state = 'running' AND s.pool = queues.pool"
    " AND s.tenant = queues.tenant)"
)
