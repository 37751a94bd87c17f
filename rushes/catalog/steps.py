"""Steps as rows: planned, claimed by compare-and-swap, renewed, ended. Each change is one conditional statement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rushes.catalog.database import Row, Session
from rushes.keys import new_id
from rushes.model import Asset, StepSpec, StepView
from rushes.noun import Reason
from rushes.states import Pool, StepKind, StepState

OPEN = "('waiting', 'ready', 'running')"
FINISHED = "('done', 'skipped', 'failed', 'cancelled')"


def insert(tx: Session, asset: Asset, specs: Sequence[StepSpec], now: float) -> None:
    """Add planned steps; those that wait for nothing unfinished are ready at once. A key that is there already stays."""
    version = asset.source.version if asset.source else 1
    _join_queue(tx, asset.tenant)
    for spec in specs:
        values = {
            "id": new_id(now), "asset": asset.id, "tenant": asset.tenant, "version": version, "now": now,
            **spec.model_dump(mode="json", include={"key", "kind", "pool", "priority", "cost"}),
            "required": int(spec.required), "params": json.dumps(spec.params),
        }  # fmt: skip
        added = tx.execute(
            "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost,"
            " state, waiting, created_at) VALUES (:id, :asset, :tenant, :version, :key, :kind, :pool, :params, :required,"
            " :priority, :cost, 'waiting', 0, :now) ON CONFLICT DO NOTHING",
            values,
        )
        if added:
            _link(tx, values["id"], asset.id, version, spec.after)
        if added and spec.kind is StepKind.PUBLISH:
            _after_cleanups(tx, asset.id, "s.kind = 'publish' AND s.state = 'waiting'")
    settle(tx, asset.id, now)


def _join_queue(tx: Session, tenant: str) -> None:
    """A tenant that comes (back) to the queue starts level with those in it: what was given while it was away is neither
    owed to it nor held against it (start-time fair queueing, Goyal et al. 1996, section 2)."""
    here = f"EXISTS (SELECT 1 FROM steps s WHERE s.tenant = t.id AND s.state IN {OPEN})"
    tx.execute(
        "UPDATE tenants SET vtime = max(vtime, coalesce("
        f"(SELECT min(t.vtime) FROM tenants t WHERE {here}), (SELECT max(t.vtime) FROM tenants t), 0))"
        f" WHERE id = :tenant AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.tenant = :tenant AND s.state IN {OPEN})",
        {"tenant": tenant},
    )


def _link(tx: Session, step: str, asset: str, version: int, after: Sequence[str]) -> None:
    for key in after:
        tx.execute(
            "INSERT INTO step_after (step, after) SELECT :step, id FROM steps"
            " WHERE asset = :asset AND source_version = :version AND key = :key",
            {"step": step, "asset": asset, "version": version, "key": key},
        )


def _after_cleanups(tx: Session, asset: str, which: str) -> None:
    """Steps of an asset wait for its cleanups under way, which would take away what they write."""
    tx.execute(
        "INSERT INTO step_after (step, after) SELECT s.id, c.id FROM steps s JOIN steps c ON c.asset = s.asset"
        f" WHERE s.asset = :asset AND {which} AND c.kind = 'cleanup' AND c.state IN {OPEN} ON CONFLICT DO NOTHING",
        {"asset": asset},
    )


def settle(tx: Session, asset: str, now: float) -> None:
    """Count what each waiting step still waits for, and make ready those that wait for nothing."""
    tx.execute(
        "UPDATE steps SET waiting = (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after"
        f" WHERE l.step = steps.id AND d.state NOT IN {FINISHED}) WHERE asset = :asset AND state = 'waiting'",
        {"asset": asset},
    )
    tx.execute(
        "UPDATE steps SET state = 'ready', ready_at = :now WHERE asset = :asset AND state = 'waiting' AND waiting = 0",
        {"asset": asset, "now": now},
    )


def get(tx: Session, step: str) -> Row | None:
    return tx.one("SELECT * FROM steps WHERE id = :id", {"id": step})


def of_asset(tx: Session, asset: str) -> list[Row]:
    return tx.all("SELECT * FROM steps WHERE asset = :asset ORDER BY created_at, id", {"asset": asset})


def view(found: Row) -> StepView:
    reason = Reason(code=found["reason_code"], message=found["reason_message"]) if found["reason_code"] else None
    return StepView(
        id=found["id"], key=found["key"], kind=StepKind(found["kind"]), pool=Pool(found["pool"]),
        state=StepState(found["state"]), required=bool(found["required"]), progress=found["progress"],
        attempts=found["attempts"], started_at=found["started_at"], finished_at=found["finished_at"],
        reason=reason, cpu_seconds=found["cpu_seconds"],
    )  # fmt: skip


def running_keys(tx: Session, asset: str) -> tuple[str, ...]:
    """Keys of the steps that run now, without cleanups."""
    rows = tx.all(
        "SELECT key FROM steps WHERE asset = :asset AND state = 'running' AND kind <> 'cleanup'", {"asset": asset}
    )
    return tuple(found["key"] for found in rows)


def dependencies(tx: Session, step: str) -> list[Row]:
    return tx.all("SELECT d.* FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = :id", {"id": step})


def claim(tx: Session, pools: Iterable[Pool], worker: str, now: float, lease: float) -> Row | None:
    """The best ready step of these pools: priority class first, then the tenant that was given least, then age.

    Raises the fence and charges the attempt here, so that a worker that dies has been counted.
    """
    names = ", ".join(f"'{pool.value}'" for pool in pools)
    found = tx.one(
        "UPDATE steps SET state = 'running', fence = fence + 1, attempts = attempts + 1, lease_owner = :worker,"
        " lease_expires = :expires, started_at = coalesce(started_at, :now), progress = 0 WHERE id = ("
        " SELECT s.id FROM steps s JOIN tenants t ON t.id = s.tenant"
        f" WHERE s.state = 'ready' AND s.pool IN ({names}) AND s.not_before <= :now"
        " ORDER BY s.priority DESC, t.vtime, s.ready_at, s.id LIMIT 1) AND state = 'ready' RETURNING *",
        {"worker": worker, "expires": now + lease, "now": now},
    )
    if found is None:
        return None
    tx.execute(
        "UPDATE tenants SET vtime = vtime + :cost / weight WHERE id = :tenant",
        {"cost": found["cost"], "tenant": found["tenant"]},
    )
    tx.execute(
        "INSERT INTO attempts (step, fence, worker, started_at) VALUES (:step, :fence, :worker, :now)",
        {"step": found["id"], "fence": found["fence"], "worker": worker, "now": now},
    )
    return found


def renew(tx: Session, step: str, fence: int, progress: float, expires: float) -> bool:
    """Extend the lease; False if the step is no longer this attempt's."""
    return (
        tx.execute(
            "UPDATE steps SET progress = max(progress, :progress), lease_expires = :expires"
            " WHERE id = :id AND fence = :fence AND state = 'running'",
            {"id": step, "fence": fence, "progress": min(1.0, progress), "expires": expires},
        )
        == 1
    )


def end(tx: Session, step: str, fence: int, state: StepState, now: float, **values: Any) -> bool:  # noqa: ANN401 - column values
    """Leave `running` with the fence in hand; False (and nothing changed) for a late zombie."""
    columns = {"lease_owner": None, "lease_expires": None, "cancel": 0, **values}
    if state.is_final:
        columns["finished_at"] = now
    if state is StepState.DONE:
        columns["progress"] = 1.0
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    return (
        tx.execute(
            f"UPDATE steps SET state = :state, {assignments} WHERE id = :id AND fence = :fence AND state = 'running'",
            {"id": step, "fence": fence, "state": state.value, **columns},
        )
        == 1
    )


def end_attempt(tx: Session, step: str, fence: int, outcome: str, now: float, **values: Any) -> None:  # noqa: ANN401 - column values
    """`values`: cpu_seconds, reason_code, detail."""
    tx.execute(
        "UPDATE attempts SET finished_at = :now, outcome = :outcome, reason_code = :reason_code, detail = :detail,"
        " cpu_seconds = :cpu WHERE step = :step AND fence = :fence AND outcome IS NULL",
        {
            "step": step, "fence": fence, "outcome": outcome, "now": now, "reason_code": values.get("reason_code"),
            "detail": values.get("detail"), "cpu": values.get("cpu_seconds", 0.0),
        },
    )  # fmt: skip
    tx.execute(
        "UPDATE steps SET cpu_seconds = cpu_seconds + :cpu WHERE id = :id",
        {"id": step, "cpu": values.get("cpu_seconds", 0.0)},
    )


def cancel_open(tx: Session, asset: str, now: float, *, optional_only: bool = False) -> None:
    """Steps not started end at once; running ones learn it from their next heartbeat. Cleanups go on."""
    which = "AND kind <> 'cleanup'" + (" AND required = 0" if optional_only else "")
    tx.execute(
        f"UPDATE steps SET state = 'cancelled', finished_at = :now WHERE asset = :asset AND state IN ('waiting', 'ready') {which}",
        {"asset": asset, "now": now},
    )
    tx.execute(f"UPDATE steps SET cancel = 1 WHERE asset = :asset AND state = 'running' {which}", {"asset": asset})


def reopen(tx: Session, asset: str, now: float) -> int:
    """An operator's retry: failed and cancelled steps start again with their attempts forgiven.

    A running step that was told to stop is to go on, or to start again if it stops all the same. Cleanups under way come
    first: one that was planned for the failed asset must not take away what the new attempts make.
    """
    count = tx.execute(
        "UPDATE steps SET cancel = 0, attempts = 1 WHERE asset = :asset AND state = 'running' AND cancel = 1",
        {"asset": asset},
    )
    _after_cleanups(tx, asset, "s.state IN ('failed', 'cancelled') AND s.kind <> 'cleanup'")
    tx.execute(
        f"UPDATE steps SET priority = 30 WHERE asset = :asset AND kind = 'cleanup' AND state IN {OPEN}",
        {"asset": asset},
    )
    count += tx.execute(
        "UPDATE steps SET state = 'waiting', attempts = 0, not_before = 0, reason_code = NULL, reason_message = NULL,"
        " finished_at = NULL, progress = 0 WHERE asset = :asset AND state IN ('failed', 'cancelled') AND kind <> 'cleanup'",
        {"asset": asset},
    )
    settle(tx, asset, now)
    return count


def running(tx: Session) -> list[Row]:
    return tx.all("SELECT * FROM steps WHERE state = 'running'")


def expired(tx: Session, now: float) -> list[Row]:
    return tx.all("SELECT * FROM steps WHERE state = 'running' AND lease_expires < :now", {"now": now})


def originals_due(tx: Session, ready_before: float) -> list[str]:
    """Assets that became ready before that time, still exist, have no open step, and whose original nobody deletes yet."""
    rows = tx.all(
        "SELECT DISTINCT e.asset FROM events e JOIN assets a ON a.id = e.asset WHERE e.type = 'asset.ready'"
        " AND e.at < :before AND a.state = 'ready' AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.asset = e.asset"
        f" AND (s.key = 'cleanup.original.0' OR s.state IN {OPEN})) LIMIT 100",
        {"before": ready_before},
    )
    return [found["asset"] for found in rows]


def losers_due(tx: Session) -> list[tuple[str, int]]:
    """Assets with attempts that did not win and whose outputs nobody collects yet, with a number for that state of things."""
    rows = tx.all(
        "SELECT s.asset, count(*) AS n FROM attempts t JOIN steps s ON s.id = t.step JOIN assets a ON a.id = s.asset"
        " WHERE t.outcome NOT IN ('done', 'skipped') AND a.state <> 'deleted' AND NOT EXISTS"
        f" (SELECT 1 FROM steps o WHERE o.asset = s.asset AND o.state IN {OPEN}) GROUP BY s.asset"
    )
    taken = {
        found["key"] for found in tx.all("SELECT asset || key AS key FROM steps WHERE key LIKE 'cleanup.losers.%'")
    }
    return [
        (found["asset"], found["n"]) for found in rows if f"{found['asset']}cleanup.losers.{found['n']}" not in taken
    ][:100]


def winners(tx: Session, asset: str) -> list[str]:
    """The output prefixes named by the results of steps that are done: old builds too, whose players may still go on."""
    rows = tx.all("SELECT result FROM steps WHERE asset = :asset AND state = 'done'", {"asset": asset})
    named = re.compile(rf"(?:media/{asset}/t|artifacts/{asset})/\w+/\d+/")
    return sorted({prefix for found in rows for prefix in named.findall(found["result"])})


def ready_pools(tx: Session, now: float) -> set[Pool]:
    rows = tx.all("SELECT DISTINCT pool FROM steps WHERE state = 'ready' AND not_before <= :now", {"now": now})
    return {Pool(found["pool"]) for found in rows}
