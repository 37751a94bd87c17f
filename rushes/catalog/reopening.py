"""Steps that start again: what failed or was cancelled, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.catalog.database import Session
from rushes.catalog.queue import OPEN
from rushes.catalog.steps import CANCEL, WON, after_cleanups, hold_running
from rushes.engine.anew import PLANNING, from_here, is_apart
from rushes.engine.classes import class_of
from rushes.engine.rounds import AGAIN, MARK, followers, round_of
from rushes.errors import Conflict, NotFound
from rushes.model import Asset, LintResult
from rushes.noun import stored
from rushes.states import StepState


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


def reopen_from(tx: Session, asset: Asset, key: str, newest: int) -> int:
    """The step `key` and all that rest on it start again, done or not; what they gave may still be played until then. Gives how
    many. Raises NotFound `step_not_found`, Conflict `not_from_here`, `under_way`."""
    rows = tx.all("SELECT id, key, kind, state FROM steps WHERE asset = :asset", {"asset": asset.id})
    start = next((row for row in rows if row["key"] == key), None)
    if start is None:
        raise NotFound("step_not_found", f"This asset has no step {key!r}.")
    planned = start["kind"] in PLANNING and start["state"] in WON
    if planned or is_apart(key, start["kind"]) or round_of(key) != newest:
        raise Conflict("not_from_here", f"Nothing would come of doing {key!r} again: encode the asset again instead.")
    steps, links = {row["id"]: (row["key"], row["kind"]) for row in rows}, _links(tx, asset.id)
    anew = from_here(steps, links, start["id"])
    states = {row["id"]: row["state"] for row in rows}
    beside = {step for step, after in links if after in anew}  # they wait for it too, though they are not done again
    if under_way := sorted(steps[step][0] for step in {*anew, *beside} if states[step] == StepState.RUNNING):
        raise Conflict("under_way", f"Of what rests on this step something is running: {', '.join(under_way)}.")
    hold_running(tx, asset.id)
    _settle_first(tx, asset.id)
    for step in sorted(beside):
        tx.execute("UPDATE steps SET state = 'waiting' WHERE id = :step AND state = 'ready'", {"step": step})
    for step in anew:
        _again(tx, asset.id, step)
    return len(anew)


def _reopen(tx: Session, noun: Asset, which: str) -> int:
    asset, refusing = noun.id, _refusing(tx, noun, which)
    hold_running(tx, asset)
    count = len(refusing) + tx.execute(
        f"UPDATE steps SET cancel = 0, attempts = 1 WHERE {which} AND state = 'running' AND cancel = {CANCEL}",
        {"asset": asset},
    )
    followers = _followers(tx, asset, which, refusing)
    after_cleanups(tx, asset, "s.state IN ('failed', 'cancelled') AND s.kind <> 'cleanup'")
    _settle_first(tx, asset)
    count += tx.execute(f"{_ANEW} {which} AND state IN ('failed', 'cancelled')", {"asset": asset})
    for step in followers:
        _again(tx, asset, step)
    return count


_ANEW = (
    "UPDATE steps SET state = 'waiting', attempts = 0, not_before = 0, reason_code = NULL, reason_message = NULL,"
    " finished_at = NULL, progress = 0 WHERE"
)


def _again(tx: Session, asset: str, step: str) -> None:
    _keep_result(tx, step)
    tx.execute(f"{_ANEW} id = :step", {"step": step})
    after_cleanups(tx, asset, f"s.id = '{step}'")


def _settle_first(tx: Session, asset: str) -> None:
    """The cleanups under way, which what starts again waits for, go before everything; once they are settled, in the lane of
    that."""
    tx.execute(
        "UPDATE steps SET priority = 30, class = :class, state = CASE WHEN state = 'ready' THEN 'waiting' ELSE state END"
        f" WHERE asset = :asset AND kind = 'cleanup' AND state IN {OPEN}",
        {"asset": asset, "class": int(class_of(30))},
    )


def _keep_result(tx: Session, step: str) -> None:
    """What a step gave stands with its attempt, once it is to give something else: its build may still be played. An attempt that
    was folded away (`catalog.history`) is there again for that."""
    tx.execute(
        "UPDATE attempts SET result = (SELECT s.result FROM steps s WHERE s.id = :step) WHERE step = :step"
        " AND outcome = 'done' AND fence = (SELECT s.fence FROM steps s WHERE s.id = :step)",
        {"step": step},
    )
    tx.execute(
        "INSERT INTO attempts (step, fence, worker, started_at, finished_at, outcome, result)"
        " SELECT id, fence, '', coalesce(started_at, created_at), finished_at, 'done', result FROM steps"
        " WHERE id = :step AND state = 'done' AND result IS NOT NULL ON CONFLICT (step, fence) DO NOTHING",
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
    found = {row["id"]: stored(LintResult, row["result"]) for row in rows}
    return [step for step, lint in found.items() if not lint.passed and lint.build > asset.published_build]


def _followers(tx: Session, asset: str, which: str, refusing: Sequence[str]) -> list[str]:
    """Ids of the steps that make a build once more, because something that may come into it is made after all, check it
    once more, and publish it."""
    rows = tx.all(f"SELECT id, key, state FROM steps WHERE {which}", {"asset": asset})
    states = {row["id"]: (row["key"], StepState(row["state"])) for row in rows}
    return followers(states, _links(tx, asset), refusing)


def _links(tx: Session, asset: str) -> list[tuple[str, str]]:
    """Steps, each with one that it waits for."""
    rows = tx.all(
        "SELECT l.step, l.after FROM step_after l JOIN steps s ON s.id = l.step WHERE s.asset = :asset",
        {"asset": asset},
    )
    return [(row["step"], row["after"]) for row in rows]


def _of_newest(number: int) -> str:
    """Steps that may start again beside the encode of this number."""
    if number == 1:
        return f" AND key NOT LIKE '%{MARK}%'"
    kinds = ", ".join(f"'{kind.value}'" for kind in sorted(AGAIN))
    first = f"key NOT LIKE '%{MARK}%' AND kind NOT IN ({kinds}) AND (kind <> 'publish' OR required = 1)"
    return f" AND (key LIKE '%{MARK}{number}' OR ({first}))"
