"""The queue of ready steps: whose turn it is, and the claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushes.catalog.database import Row, Session
from rushes.states import Pool

OPEN = "('waiting', 'ready', 'running')"
UNDER_WAY = f"state IN {OPEN} AND key NOT LIKE 'purge.%'"
"""Of an asset's steps, what others have to wait for. Not for purges: a cache that does not answer keeps them open."""
COLUMNS = (
    "id, asset, tenant, key, kind, pool, params, required, priority, cost, state, lease_expires, fence, attempts, cancel,"
    " progress, reason_code, reason_message, cpu_seconds, avoided, created_at, started_at, finished_at"
)
"""Of a step. Named, for a migration that adds one must not change the answer to a statement that is prepared already."""
Queue = dict[str, Any]
"""Ready steps of one `pool`, `priority` and `tenant`; the oldest goes first."""


def join(tx: Session, tenant: str) -> None:
    """A tenant that comes (back) to the queue starts level with those in it: what was given while it was away is neither
    owed to it nor held against it (start-time fair queueing, Goyal et al. 1996, section 2)."""
    here = f"EXISTS (SELECT 1 FROM steps s WHERE s.tenant = t.id AND s.state IN {OPEN})"
    comes = tx.one(
        f"SELECT coalesce((SELECT min(t.vtime) FROM tenants t WHERE {here}), (SELECT max(t.vtime) FROM tenants t), 0) AS level"
        f" WHERE NOT EXISTS (SELECT 1 FROM steps s WHERE s.tenant = :tenant AND s.state IN {OPEN})",
        {"tenant": tenant},
    )
    if comes:
        tx.execute(
            "UPDATE tenants SET vtime = :level WHERE id = :tenant AND vtime < :level",
            {"tenant": tenant, "level": comes["level"]},
        )


def best(tx: Session, pools: Sequence[Pool], now: float) -> list[Queue]:
    """The best few queues that have something to do: priority class first, then the tenant that was given least, then age.

    Only the highest class of each pool counts. Its tenants are found by leaps through the index, so the effort grows with the
    tenants that wait, not with the steps: with 100,000 ready steps sorting them all took 0.2 s a claim.
    """
    ready = "s.state = 'ready' AND s.not_before <= :now"
    names = [f"'{pool.value}'" for pool in pools]
    highest = "SELECT max(s.priority) FROM steps s WHERE s.pool ="
    first = " UNION ALL ".join(f"SELECT {name} AS pool, ({highest} {name} AND {ready}) AS priority" for name in names)
    tenant = f"SELECT min(s.tenant) FROM steps s WHERE s.pool = q.pool AND s.priority = q.priority AND {ready}"
    found = tx.all(
        f"WITH RECURSIVE queues (pool, priority, tenant) AS ("
        f" SELECT q.pool, q.priority, ({tenant}) FROM ({first}) q WHERE q.priority IS NOT NULL"
        f" UNION ALL SELECT q.pool, q.priority, ({tenant} AND s.tenant > q.tenant) FROM queues q WHERE q.tenant IS NOT NULL)"
        " SELECT q.pool, q.priority, q.tenant FROM queues q JOIN tenants t ON t.id = q.tenant"
        f" ORDER BY q.priority DESC, t.vtime, (SELECT min(s.ready_at) FROM steps s WHERE s.pool = q.pool"
        f" AND s.priority = q.priority AND s.tenant = q.tenant AND {ready}) LIMIT 8",
        {"now": now},
    )
    return [{key: row[key] for key in ("pool", "priority", "tenant")} for row in found]


_NEXT = (
    "FROM steps s JOIN assets a ON a.id = s.asset WHERE s.state = 'ready' AND s.pool = :pool AND s.priority = :priority"
    " AND s.tenant = :tenant AND s.not_before <= :now ORDER BY s.ready_at, s.id LIMIT 1"
)


def claim(tx: Session, queue: Queue, worker: str, now: float, lease: float) -> Row | None:
    """The oldest ready step of a queue. The asset is this transaction's from now on.

    Raises the fence and charges the attempt here, so that a worker that dies has been counted. Steps of assets that
    somebody else is changing are passed over; see `busy`.
    """
    found = tx.one(
        "UPDATE steps SET state = 'running', fence = fence + 1, attempts = attempts + 1, lease_owner = :worker,"
        " lease_expires = :expires, started_at = coalesce(started_at, :now), progress = 0"
        f" WHERE id = (SELECT s.id {_NEXT}{tx.skip}) AND state = 'ready' RETURNING {COLUMNS}",
        {**queue, "worker": worker, "expires": now + lease, "now": now},
    )
    if found is None:
        return None
    tx.execute(
        "INSERT INTO attempts (step, fence, worker, started_at) VALUES (:step, :fence, :worker, :now)",
        {"step": found["id"], "fence": found["fence"], "worker": worker, "now": now},
    )
    tx.execute(
        "UPDATE tenants SET vtime = vtime + :cost / weight WHERE id = :tenant",
        {"cost": found["cost"], "tenant": found["tenant"]},
    )
    return found


def busy(tx: Session, queue: Queue, now: float) -> str | None:
    """After a claim in vain: the asset of the step that is ready all the same, for somebody else is changing it."""
    found = tx.one(f"SELECT s.asset {_NEXT}", {**queue, "now": now})
    return found["asset"] if found else None


def ready_pools(tx: Session, now: float) -> set[Pool]:
    """Pools that have something to do now. One look into the index for each, however much there is."""
    return {
        pool
        for pool in Pool
        if tx.one(
            "SELECT 1 FROM steps WHERE state = 'ready' AND pool = :pool AND not_before <= :now LIMIT 1",
            {"pool": pool.value, "now": now},
        )
    }
