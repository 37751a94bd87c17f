"""Steps as rows: planned, claimed by compare-and-swap, renewed, ended. Each change is one conditional statement."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from rushes.catalog import folded
from rushes.catalog.database import Row, Session
from rushes.catalog.queue import COLUMNS, LANE, OPEN, UNDER_WAY
from rushes.catalog.records import Beat
from rushes.engine.classes import class_of, deadline_of
from rushes.engine.job import Job
from rushes.engine.lane import LOOK_END
from rushes.engine.rounds import MARK
from rushes.engine.version import GRAPH
from rushes.keys import new_id
from rushes.model import Asset, Result, Skipped, StepSpec, StepView
from rushes.noun import Reason
from rushes.states import StepKind, StepState

FINISHED = "('done', 'skipped', 'failed', 'cancelled')"
FAR = 10
"""Leases: others may have longer ones, but not by so much."""
CANCEL, ROOM = 1, 2
"""In `cancel`: it is to end; or it is to be handed back, to make room, and goes on later."""
WON = ("done", "skipped")
"""How attempts end whose outputs stay."""


def insert(tx: Session, asset: Asset, specs: Sequence[StepSpec], now: float) -> None:
    """Add planned steps, to be settled. A key that is there already stays."""
    source = asset.source.version if asset.source else 1
    for spec in specs:
        priority = _priority(asset, spec)
        values = {
            "id": new_id(now), "asset": asset.id, "tenant": asset.tenant, "source": source, "version": GRAPH, "now": now,
            **spec.model_dump(mode="json", include={"key", "kind", "pool", "cost", "factor"}), "priority": priority,
            "class": int(class_of(priority)), "deadline": deadline_of(priority, now),
            "required": int(spec.required), "params": json.dumps(spec.params), "begin": now + spec.delay if spec.delay else 0.0,
        }  # fmt: skip
        added = tx.execute(
            "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost, factor,"
            " state, waiting, created_at, not_before, class, deadline, version)"
            " VALUES (:id, :asset, :tenant, :source, :key, :kind, :pool, :params, :required, :priority, :cost, :factor,"
            " 'waiting', 0, :now, :begin, :class, :deadline, :version) ON CONFLICT DO NOTHING",
            values,
        )
        if added:
            _link(tx, values["id"], asset.id, source, spec.after)
        if added and spec.kind is StepKind.PUBLISH:
            after_cleanups(tx, asset.id, "s.kind = 'publish' AND s.state = 'waiting'")


def _priority(asset: Asset, spec: StepSpec) -> int:
    """A takedown never waits for what is more urgent."""
    return spec.priority if spec.kind is StepKind.CLEANUP else spec.priority + asset.priority


def _link(tx: Session, step: str, asset: str, version: int, after: Sequence[str]) -> None:
    for key in after:
        tx.execute(
            "INSERT INTO step_after (step, after) SELECT :step, id FROM steps"
            " WHERE asset = :asset AND source_version = :version AND key = :key",
            {"step": step, "asset": asset, "version": version, "key": key},
        )


def after_cleanups(tx: Session, asset: str, which: str) -> None:
    """Steps of an asset wait for its cleanups under way, which would take away what they write. Purges do not."""
    tx.execute(
        "INSERT INTO step_after (step, after) SELECT s.id, c.id FROM steps s JOIN steps c ON c.asset = s.asset"
        f" WHERE s.asset = :asset AND {which} AND c.kind = 'cleanup' AND c.key NOT LIKE 'purge.%'"
        f" AND c.state IN {OPEN} ON CONFLICT DO NOTHING",
        {"asset": asset},
    )


def behind_cleanups(tx: Session, asset: str, part: str) -> None:
    """Steps that wait, with `part` in their keys, wait for the cleanups under way too."""
    after_cleanups(tx, asset, f"s.key LIKE '%{part}%' AND s.state = 'waiting'")


def settle(tx: Session, asset: str, now: float) -> list[Row]:
    """Count what each waiting step still waits for, and make ready those that wait for nothing, not for their time either.
    Gives the lanes of these."""
    tx.execute(
        f"UPDATE steps SET waiting = {_STILL} WHERE asset = :asset AND state = 'waiting' AND waiting <> {_STILL}",
        {"asset": asset},
    )
    return tx.all(
        "UPDATE steps SET state = 'ready', ready_at = :now WHERE asset = :asset AND state = 'waiting' AND waiting = 0"
        f" AND not_before <= :now RETURNING {LANE}",
        {"asset": asset, "now": now},
    )


_STILL = (
    "(SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = steps.id"
    f" AND d.state NOT IN {FINISHED})"
)


def follow(tx: Session, step: str, now: float) -> list[Row]:
    """A step has ended, and nothing else of its asset has changed: who waited for it waits for one step less. Gives the lanes of
    those that are ready now."""
    rows = tx.all(
        "UPDATE steps SET waiting = waiting - 1,"
        " state = CASE WHEN waiting = 1 AND not_before <= :now THEN 'ready' ELSE state END,"
        " ready_at = CASE WHEN waiting = 1 AND not_before <= :now THEN :now ELSE ready_at END"
        " WHERE id IN (SELECT step FROM step_after WHERE after = :step) AND state = 'waiting' AND waiting > 0"
        f" RETURNING state, {LANE}",
        {"step": step, "now": now},
    )
    return [row for row in rows if row["state"] == StepState.READY]


def get(tx: Session, step: str) -> Row | None:
    """In a transaction that writes, the step is from now on this transaction's alone; its asset has to be already."""
    return tx.one(f"SELECT {COLUMNS} FROM steps WHERE id = :id{tx.lock}", {"id": step})


def of_asset(tx: Session, asset: str) -> list[Row]:
    return tx.all(f"SELECT {COLUMNS} FROM steps WHERE asset = :asset ORDER BY created_at, id", {"asset": asset})


def view(found: Row) -> StepView:
    reason = Reason(code=found["reason_code"], message=found["reason_message"]) if found["reason_code"] else None
    return StepView(
        id=found["id"], key=found["key"], kind=found["kind"], pool=found["pool"],
        state=StepState(found["state"]), required=bool(found["required"]), progress=found["progress"],
        attempts=found["attempts"], started_at=found["started_at"], finished_at=found["finished_at"],
        reason=reason, cpu_seconds=found["cpu_seconds"], avoided_cpu_seconds=found["avoided"],
    )  # fmt: skip


def running_keys(tx: Session, asset: str) -> tuple[str, ...]:
    """Keys of the steps that run now, without cleanups."""
    rows = tx.all(
        "SELECT key FROM steps WHERE asset = :asset AND state = 'running' AND kind <> 'cleanup'", {"asset": asset}
    )
    return tuple(found["key"] for found in rows)


def has_kind(tx: Session, asset: str, kind: StepKind) -> bool:
    found = tx.one(
        "SELECT 1 FROM steps WHERE asset = :asset AND kind = :kind LIMIT 1", {"asset": asset, "kind": kind.value}
    )
    return found is not None


def has_begun(tx: Session, asset: str, key: str) -> bool:
    """Whether a step runs, or is done."""
    found = tx.one(
        "SELECT 1 FROM steps WHERE asset = :asset AND key = :key AND state IN ('running', 'done') LIMIT 1",
        {"asset": asset, "key": key},
    )
    return found is not None


def dependencies(tx: Session, step: str) -> list[Row]:
    """key and result of those that a step waits for."""
    return tx.all(
        "SELECT d.key, d.result FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = :id", {"id": step}
    )


def renew(tx: Session, step: str, fence: int, progress: float, expires: float) -> Row | None:
    """Extend the lease and give whether to `cancel`; None if the step is no longer this attempt's."""
    return tx.one(
        "UPDATE steps SET progress = CASE WHEN progress < :progress THEN :progress ELSE progress END,"
        " lease_expires = :expires WHERE id = :id AND fence = :fence AND state = 'running' RETURNING cancel",
        {"id": step, "fence": fence, "progress": min(1.0, progress), "expires": expires},
    )


def beat(tx: Session, said: Beat, expires: float) -> Row | None:
    """Extend the lease and give what is asked of it (`cancel`: 1 to stop, 2 to make room) and of its worker (`wanted`);
    None if it is no longer this attempt's."""
    return tx.one(
        "UPDATE steps SET progress = CASE WHEN progress < :progress THEN :progress ELSE progress END, spent = :spent,"
        " lease_expires = :expires WHERE id = :id AND fence = :fence AND state = 'running'"
        " RETURNING cancel, (SELECT w.wanted FROM workers w WHERE w.id = steps.lease_owner) AS wanted",
        {
            "id": said.step, "fence": said.fence, "progress": min(1.0, said.progress), "spent": said.cpu_seconds,
            "expires": expires,
        },
    )  # fmt: skip


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


def finish(tx: Session, job: Job, result: Result, now: float, *, work: str | None, avoided: float) -> Row | None:
    """An attempt has won: its step is done, or skipped. None (and nothing changed) where it is not its to end any more, or it was
    told to stop. Gives beside the step `began` and `estimate` of the attempt, and how many `followers` it has."""
    reason = result.reason if isinstance(result, Skipped) else None
    state = StepState.SKIPPED if reason else StepState.DONE
    return tx.one(
        "UPDATE steps SET state = :state, lease_owner = NULL, lease_expires = NULL, finished_at = :now, result = :result,"
        " progress = CASE WHEN :state = 'done' THEN 1.0 ELSE progress END, reason_code = :code, reason_message = :message,"
        " work = :work, avoided = :avoided, cancel = 0 WHERE id = :id AND fence = :fence AND state = 'running'"
        f" AND cancel <> {CANCEL}"
        f" RETURNING id, asset, fence, kind, params, cost, factor, {LANE},"
        " (SELECT t.started_at FROM attempts t WHERE t.step = steps.id AND t.fence = steps.fence)"
        " AS began, (SELECT t.estimate FROM attempts t WHERE t.step = steps.id AND t.fence = steps.fence) AS estimate,"
        " (SELECT count(*) FROM step_after l WHERE l.after = steps.id) AS followers",
        {
            "id": job.step_id, "fence": job.fence, "state": state.value, "now": now, "result": result.model_dump_json(),
            "code": reason.code if reason else None, "message": reason.message if reason else None,
            "work": None if reason else work, "avoided": avoided,
        },
    )  # fmt: skip


def attempt(tx: Session, step: str, fence: int) -> Row | None:
    return tx.one(
        "SELECT started_at AS began, estimate FROM attempts WHERE step = :step AND fence = :fence",
        {"step": step, "fence": fence},
    )


def end_attempt(tx: Session, step: str, fence: int, outcome: str, now: float, **values: Any) -> None:  # noqa: ANN401 - column values
    """`values`: cpu_seconds, reason_code, blame, detail, moved (bytes read and written), avoided."""
    read, written = values.get("moved", (0, 0))
    tx.later(
        "UPDATE attempts SET finished_at = :now, outcome = :outcome, reason_code = :reason_code, detail = :detail,"
        " cpu_seconds = :cpu, bytes_read = :read, bytes_written = :written, blame = :blame"
        " WHERE step = :step AND fence = :fence AND outcome IS NULL",
        {
            "step": step, "fence": fence, "outcome": outcome, "now": now, "reason_code": values.get("reason_code"),
            "detail": _plain(values.get("detail")), "cpu": values.get("cpu_seconds", 0.0),
            "read": read, "written": written, "blame": values.get("blame"),
        },
    )  # fmt: skip
    if cpu := values.get("cpu_seconds", 0.0):
        tx.later("UPDATE steps SET cpu_seconds = cpu_seconds + :cpu WHERE id = :id", {"id": step, "cpu": cpu})
    if outcome not in WON:  # somebody has to look for what it left behind
        tx.later(
            "UPDATE assets SET litter = 1 WHERE litter = 0"
            " AND id = (SELECT asset FROM steps WHERE id = :step AND kind <> 'cleanup')",
            {"step": step},
        )


def _plain(detail: str | None) -> str | None:
    """The end of what a tool said, without the one character that PostgreSQL's text cannot hold."""
    return detail[-8000:].replace("\0", "\ufffd") if detail else detail


def cancel_open(tx: Session, asset: str, now: float, *, optional_only: bool = False) -> None:
    """Steps not started end at once; running ones learn it from their next heartbeat. Cleanups go on; with `optional_only` also
    what has to be done where something of an asset is left out."""
    later = f"key LIKE '%{MARK}%'"  # steps of later encodes, which nothing is required of for the asset
    optional = f" AND (required = 0 OR {later}) AND NOT {_PUBLISHING} AND key <> '{LOOK_END}'"
    _cancel(tx, "kind <> 'cleanup'" + (optional if optional_only else ""), {"asset": asset, "now": now})


def cancel_round(tx: Session, asset: str, number: int, now: float) -> int:
    """The same for the steps of one encode. Gives how many it concerned."""
    like = f"%{MARK}{number}"
    return _cancel(tx, f"key LIKE :like AND NOT {_PUBLISHING}", {"asset": asset, "like": like, "now": now})


_PUBLISHING = (
    "(kind = 'publish' AND (state = 'running' OR (state = 'ready' AND fence > 0)"
    " OR (state = 'waiting' AND fence > 0 AND not_before > 0)))"
)
"""It may have written the pointer: of an asset that stays it goes on to its end, so that what is public is known."""


def _cancel(tx: Session, which: str, values: dict[str, Any]) -> int:
    ended = tx.execute(
        "UPDATE steps SET state = 'cancelled', finished_at = :now WHERE asset = :asset"
        f" AND state IN ('waiting', 'ready') AND {which}",
        values,
    )
    hold_running(tx, values["asset"])
    told = tx.execute(
        f"UPDATE steps SET cancel = {CANCEL} WHERE asset = :asset AND state = 'running' AND {which}", values
    )
    return ended + told


def hold_running(tx: Session, asset: str) -> None:
    """Before several of an asset's running steps are written: they are this transaction's from now on, taken in the order in
    which a worker speaks for all of its own (`Pipeline.renew_all`)."""
    if tx.lock:
        tx.all(
            f"SELECT id FROM steps WHERE asset = :asset AND state = 'running' ORDER BY id{tx.lock}", {"asset": asset}
        )


def put_behind(tx: Session, asset: str, step: str, keys: Sequence[str]) -> None:
    """Steps `keys`, which have not begun, wait for `step` from now on, once they are settled."""
    for key in keys:
        values = {"asset": asset, "step": step, "key": key}
        tx.execute(
            "INSERT INTO step_after (step, after) SELECT s.id, a.id FROM steps s JOIN steps a ON a.asset = s.asset"
            " WHERE s.asset = :asset AND s.key = :key AND a.key = :step ON CONFLICT DO NOTHING",
            values,
        )
        tx.execute(
            "UPDATE steps SET state = 'waiting' WHERE asset = :asset AND key = :key AND state = 'ready'",
            {"asset": asset, "key": key},
        )


def running(tx: Session, *, expired_at: float | None = None) -> list[Row]:
    """Steps that run, or those among them whose lease has ended: id, asset, fence."""
    late = "" if expired_at is None else " AND lease_expires < :now"
    return tx.all(f"SELECT id, asset, fence FROM steps WHERE state = 'running'{late}", {"now": expired_at})


_AHEAD = "state = 'running' AND lease_expires > :far"


def are_ahead(tx: Session, now: float, lease: float) -> bool:
    """Whether a step runs with a lease that nobody gives now: the database's clock has been set back since."""
    return tx.one(f"SELECT 1 FROM steps WHERE {_AHEAD} LIMIT 1", {"far": now + FAR * lease}) is not None


def bring_back(tx: Session, now: float, lease: float) -> None:
    """They end as if they were given now."""
    tx.execute(
        f"UPDATE steps SET lease_expires = :soon WHERE {_AHEAD}", {"far": now + FAR * lease, "soon": now + lease}
    )


def under_way(tx: Session, asset: str) -> list[Row]:
    """Steps of the asset that are not finished, without purges. Cleanups too: one that is planned knows nothing of what comes
    to be made, and would take it away."""
    return tx.all(
        f"SELECT {COLUMNS} FROM steps WHERE asset = :asset AND {UNDER_WAY} ORDER BY created_at, id", {"asset": asset}
    )


def losers(tx: Session, asset: str) -> int:
    """How many attempts of an asset did not win, those that were folded away too; the cleanups themselves do not count."""
    found = tx.one(
        "SELECT count(*) AS n FROM attempts t JOIN steps s ON s.id = t.step WHERE s.asset = :asset"
        " AND s.kind <> 'cleanup' AND t.outcome NOT IN ('done', 'skipped')",
        {"asset": asset},
    )
    return folded.lost(tx, asset) + (int(found["n"]) if found else 0)


def winners(tx: Session, asset: str) -> list[str]:
    """The output prefixes named by what steps have given, those that were done once more too: players of old builds may still
    go on."""
    rows = tx.all(
        "SELECT result FROM steps WHERE asset = :asset AND state = 'done' UNION ALL SELECT t.result FROM attempts t"
        " JOIN steps s ON s.id = t.step WHERE s.asset = :asset AND t.result IS NOT NULL",
        {"asset": asset},
    )
    named = re.compile(rf"(?:(?:media|private)/{asset}/t|artifacts/{asset})/\w+/\d+/")
    texts = [found["result"] for found in rows]
    joined = {place for text in texts for place in _JOINED.findall(text)}
    trees = (f"{tree}/{asset}/t/{place}/" for tree in ("media", "private") for place in joined)
    return sorted({*(prefix for text in texts for prefix in named.findall(text)), *trees})


_JOINED = re.compile(r'"name":"(\w+/\d+)/')
"""Recipe and fence in the name of a segment: that of a track that was joined from several places, below what they share."""
