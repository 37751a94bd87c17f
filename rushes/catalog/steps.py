"""Steps as rows: planned, claimed by compare-and-swap, renewed, ended. Each change is one conditional statement."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from rushes.catalog import queue
from rushes.catalog.database import Row, Session
from rushes.catalog.queue import COLUMNS, OPEN, UNDER_WAY
from rushes.engine.lane import LOOK_END
from rushes.engine.rounds import AGAIN, MARK, followers
from rushes.keys import new_id
from rushes.model import Asset, LintResult, StepSpec, StepView
from rushes.noun import Reason
from rushes.states import Pool, StepKind, StepState

FINISHED = "('done', 'skipped', 'failed', 'cancelled')"
WON = ("done", "skipped")
"""How attempts end whose outputs stay."""


def insert(tx: Session, asset: Asset, specs: Sequence[StepSpec], now: float) -> None:
    """Add planned steps, to be settled. A key that is there already stays."""
    version = asset.source.version if asset.source else 1
    queue.join(tx, asset.tenant)
    for spec in specs:
        values = {
            "id": new_id(now), "asset": asset.id, "tenant": asset.tenant, "version": version, "now": now,
            **spec.model_dump(mode="json", include={"key", "kind", "pool", "cost"}), "priority": _priority(asset, spec),
            "required": int(spec.required), "params": json.dumps(spec.params), "begin": now + spec.delay if spec.delay else 0.0,
        }  # fmt: skip
        added = tx.execute(
            "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost,"
            " state, waiting, created_at, not_before) VALUES (:id, :asset, :tenant, :version, :key, :kind, :pool, :params,"
            " :required, :priority, :cost, 'waiting', 0, :now, :begin) ON CONFLICT DO NOTHING",
            values,
        )
        if added:
            _link(tx, values["id"], asset.id, version, spec.after)
        if added and spec.kind is StepKind.PUBLISH:
            _after_cleanups(tx, asset.id, "s.kind = 'publish' AND s.state = 'waiting'")


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


def _after_cleanups(tx: Session, asset: str, which: str) -> None:
    """Steps of an asset wait for its cleanups under way, which would take away what they write. Purges do not."""
    tx.execute(
        "INSERT INTO step_after (step, after) SELECT s.id, c.id FROM steps s JOIN steps c ON c.asset = s.asset"
        f" WHERE s.asset = :asset AND {which} AND c.kind = 'cleanup' AND c.key NOT LIKE 'purge.%'"
        f" AND c.state IN {OPEN} ON CONFLICT DO NOTHING",
        {"asset": asset},
    )


def behind_cleanups(tx: Session, asset: str, part: str) -> None:
    """Steps that wait, with `part` in their keys, wait for the cleanups under way too."""
    _after_cleanups(tx, asset, f"s.key LIKE '%{part}%' AND s.state = 'waiting'")


def settle(tx: Session, asset: str, now: float) -> set[Pool]:
    """Count what each waiting step still waits for, and make ready those that wait for nothing. Gives their pools."""
    tx.execute(
        "UPDATE steps SET waiting = (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after"
        f" WHERE l.step = steps.id AND d.state NOT IN {FINISHED}) WHERE asset = :asset AND state = 'waiting'",
        {"asset": asset},
    )
    rows = tx.all(
        "UPDATE steps SET state = 'ready', ready_at = :now WHERE asset = :asset AND state = 'waiting' AND waiting = 0"
        " RETURNING pool",
        {"asset": asset, "now": now},
    )
    return {Pool(found["pool"]) for found in rows}


def get(tx: Session, step: str) -> Row | None:
    """In a transaction that writes, the step is from now on this transaction's alone; its asset has to be already."""
    return tx.one(f"SELECT {COLUMNS} FROM steps WHERE id = :id{tx.lock}", {"id": step})


def of_asset(tx: Session, asset: str) -> list[Row]:
    return tx.all(f"SELECT {COLUMNS} FROM steps WHERE asset = :asset ORDER BY created_at, id", {"asset": asset})


def view(found: Row) -> StepView:
    reason = Reason(code=found["reason_code"], message=found["reason_message"]) if found["reason_code"] else None
    return StepView(
        id=found["id"], key=found["key"], kind=StepKind(found["kind"]), pool=Pool(found["pool"]),
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
            "detail": _plain(values.get("detail")), "cpu": values.get("cpu_seconds", 0.0),
        },
    )  # fmt: skip
    if cpu := values.get("cpu_seconds", 0.0):
        tx.execute("UPDATE steps SET cpu_seconds = cpu_seconds + :cpu WHERE id = :id", {"id": step, "cpu": cpu})
    if outcome not in WON:  # somebody has to look for what it left behind
        tx.execute(
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


_PUBLISHING = "(kind = 'publish' AND (state = 'running' OR (state = 'ready' AND fence > 0)))"
"""It may have written the pointer: of an asset that stays it goes on to its end, so that what is public is known."""


def _cancel(tx: Session, which: str, values: dict[str, Any]) -> int:
    ended = tx.execute(
        "UPDATE steps SET state = 'cancelled', finished_at = :now WHERE asset = :asset"
        f" AND state IN ('waiting', 'ready') AND {which}",
        values,
    )
    told = tx.execute(f"UPDATE steps SET cancel = 1 WHERE asset = :asset AND state = 'running' AND {which}", values)
    return ended + told


def reopen(tx: Session, asset: Asset, newest: int = 1) -> int:
    """An operator's retry: failed and cancelled steps start again with their attempts forgiven, once they are settled,
    and so do checks that refused a build which is newer than what plays. Gives how many.

    A running step that was told to stop is to go on, or to start again if it stops all the same. Cleanups under way come
    first: one that was planned for the failed asset must not take away what the new attempts make. What makes builds is
    left as it is where it belongs to an earlier encode than the `newest`: its build would replace that one's.
    """
    return _reopen(tx, asset, f"asset = :asset AND kind <> 'cleanup'{_of_newest(newest)}")


def reopen_lazy(tx: Session, asset: Asset, number: int) -> int:
    """The same for what was planned on demand for one encode, and the builds that are made on it."""
    mark = f"LIKE '%{MARK}{number}'" if number > 1 else f"NOT LIKE '%{MARK}%'"
    kinds = "(key LIKE '%.lazy%' OR kind IN ('package', 'lint', 'publish'))"
    return _reopen(tx, asset, f"asset = :asset AND key {mark} AND {kinds}")


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


def _reopen(tx: Session, noun: Asset, which: str) -> int:
    asset, refusing = noun.id, _refusing(tx, noun, which)
    count = len(refusing) + tx.execute(
        f"UPDATE steps SET cancel = 0, attempts = 1 WHERE {which} AND state = 'running' AND cancel = 1",
        {"asset": asset},
    )
    followers = _followers(tx, asset, which, refusing)
    _after_cleanups(tx, asset, "s.state IN ('failed', 'cancelled') AND s.kind <> 'cleanup'")
    tx.execute(
        f"UPDATE steps SET priority = 30 WHERE asset = :asset AND kind = 'cleanup' AND state IN {OPEN}",
        {"asset": asset},
    )
    anew = (
        "UPDATE steps SET state = 'waiting', attempts = 0, not_before = 0, reason_code = NULL, reason_message = NULL,"
        " finished_at = NULL, progress = 0 WHERE"
    )
    count += tx.execute(f"{anew} {which} AND state IN ('failed', 'cancelled')", {"asset": asset})
    for step in followers:
        _keep_result(tx, step)
        tx.execute(f"{anew} id = :step", {"step": step})
        _after_cleanups(tx, asset, f"s.id = '{step}'")
    return count


def _keep_result(tx: Session, step: str) -> None:
    """What a step gave stands with its attempt, once it is to give something else: its build may still be played."""
    tx.execute(
        "UPDATE attempts SET result = (SELECT s.result FROM steps s WHERE s.id = :step) WHERE step = :step"
        " AND outcome = 'done' AND fence = (SELECT s.fence FROM steps s WHERE s.id = :step)",
        {"step": step},
    )


def _refusing(tx: Session, asset: Asset, which: str) -> list[str]:
    """Ids of the checks that found what keeps a build from being published. Not of those whose publication has still to end: it
    goes by what they found."""
    rows = tx.all(
        f"SELECT id, result FROM steps WHERE {which} AND kind = 'lint' AND state = 'done' AND NOT EXISTS (SELECT 1"
        f" FROM step_after l JOIN steps p ON p.id = l.step WHERE l.after = steps.id AND p.state IN {OPEN})"
        " ORDER BY created_at, id",
        {"asset": asset.id},
    )
    found = {row["id"]: LintResult.model_validate_json(row["result"]) for row in rows}
    return [step for step, lint in found.items() if not lint.passed and lint.build > asset.published_build]


def _followers(tx: Session, asset: str, which: str, refusing: Sequence[str]) -> list[str]:
    """Ids of the steps that make a build once more, because something that may come into it is made after all, check it
    once more, and publish it."""
    rows = tx.all(f"SELECT id, key, state FROM steps WHERE {which}", {"asset": asset})
    links = tx.all(
        "SELECT l.step, l.after FROM step_after l JOIN steps s ON s.id = l.step WHERE s.asset = :asset",
        {"asset": asset},
    )
    states = {row["id"]: (row["key"], StepState(row["state"])) for row in rows}
    return followers(states, [(link["step"], link["after"]) for link in links], refusing)


def _of_newest(number: int) -> str:
    """Steps that may start again beside the encode of this number."""
    if number == 1:
        return f" AND key NOT LIKE '%{MARK}%'"
    kinds = ", ".join(f"'{kind.value}'" for kind in sorted(AGAIN))
    first = f"key NOT LIKE '%{MARK}%' AND kind NOT IN ({kinds}) AND (kind <> 'publish' OR required = 1)"
    return f" AND (key LIKE '%{MARK}{number}' OR ({first}))"


def running(tx: Session, *, expired_at: float | None = None) -> list[Row]:
    """Steps that run, or those among them whose lease has ended: id, asset, fence."""
    late = "" if expired_at is None else " AND lease_expires < :now"
    return tx.all(f"SELECT id, asset, fence FROM steps WHERE state = 'running'{late}", {"now": expired_at})


def under_way(tx: Session, asset: str) -> list[Row]:
    """Steps of the asset that are not finished, without purges. Cleanups too: one that is planned knows nothing of what comes
    to be made, and would take it away."""
    return tx.all(
        f"SELECT {COLUMNS} FROM steps WHERE asset = :asset AND {UNDER_WAY} ORDER BY created_at, id", {"asset": asset}
    )


def losers(tx: Session, asset: str) -> int:
    """How many attempts of an asset did not win; the cleanups themselves do not count."""
    found = tx.one(
        "SELECT count(*) AS n FROM attempts t JOIN steps s ON s.id = t.step WHERE s.asset = :asset"
        " AND s.kind <> 'cleanup' AND t.outcome NOT IN ('done', 'skipped')",
        {"asset": asset},
    )
    return int(found["n"]) if found else 0


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
