"""Attempts at a step that have ended: what they say of it, and the bundle that is kept of one that is set aside."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from rushes.catalog import jobs
from rushes.catalog.database import Row, Session
from rushes.engine.bundle import DETAIL, Bundle, Trial, without_secrets
from rushes.engine.job import Job
from rushes.engine.kinds import BY_NAME
from rushes.engine.retry import LOST, Past
from rushes.errors import Blame


def history(tx: Session, row: Row) -> list[Past]:
    """Of a step whose last attempt has just ended: those that count since it was begun, or begun anew, oldest first.

    Its `attempts` are those that were not forgiven, so it is the newest ones that they are.
    """
    found = tx.all(
        "SELECT outcome, blame, reason_code FROM attempts WHERE step = :step AND outcome IN ('failed', 'lost')"
        " ORDER BY fence DESC LIMIT :most",
        {"step": row["id"], "most": max(1, row["attempts"])},
    )
    return [Past(_blame(one), one["reason_code"] or "") for one in reversed(found)]


def _blame(attempt: Row) -> Blame:
    """Releases before 0012 did not write it down."""
    if attempt["blame"]:
        return Blame(attempt["blame"])
    return Blame.POISON if attempt["reason_code"] == LOST else Blame.TRANSIENT


def handed_back(tx: Session, step: str) -> int:
    """How often an attempt ended without having failed or won."""
    found = tx.one("SELECT count(*) AS n FROM attempts WHERE step = :step AND outcome = 'released'", {"step": step})
    return int(found["n"]) if found else 0


def is_newer(tx: Session, row: Row, graph: int) -> bool:
    """Whether a step, or what else there is of its asset, may have been written by a release that knows more than `graph`."""
    if row["version"] > graph or row["kind"] not in BY_NAME:
        return True
    values = {"asset": row["asset"], "graph": graph}
    beside = tx.one("SELECT 1 FROM steps WHERE asset = :asset AND version > :graph LIMIT 1", values)
    return bool(beside or tx.one("SELECT 1 FROM workers WHERE graph > :graph LIMIT 1", values))


def bundle(tx: Session, row: Row, *, tool: str) -> Bundle:
    """Of a step, as it is now. `tool`: the media tool's version."""
    try:
        read = jobs.read(tx, row, tool=tool, numbered=False)
        job, raw = read.model_copy(update={"params": without_secrets(read.params)}), {}
    except jobs.UNREADABLE as error:
        job, raw = None, {"kind": row["kind"], "params": _readable(row["params"]), "error": str(error)}
    return _bundle(row, job, raw, tool, _trials(tx, row["id"]))


def _readable(params: str) -> object:
    try:
        return without_secrets(json.loads(params))
    except (ValueError, AttributeError):  # no JSON, or of another form
        return params


def _bundle(row: Row, job: Job | None, raw: dict[str, Any], tool: str, found: tuple[Trial, ...]) -> Bundle:
    return Bundle(
        step=row["id"], asset=row["asset"], key=row["key"], kind=row["kind"], release=version("rushes"), graph=row["version"],
        tool=tool, job=job, raw=raw, trials=found,
    )  # fmt: skip


def _trials(tx: Session, step: str) -> tuple[Trial, ...]:
    rows = tx.all(
        "SELECT fence, worker, host, started_at, finished_at, outcome, reason_code, blame, detail, cpu_seconds"
        " FROM attempts WHERE step = :step ORDER BY fence",
        {"step": step},
    )
    return tuple(
        Trial(
            fence=row["fence"], worker=row["worker"], host=row["host"] or "", started_at=row["started_at"],
            finished_at=row["finished_at"], outcome=row["outcome"] or "", reason_code=row["reason_code"] or "",
            blame=row["blame"], detail=(row["detail"] or "")[-DETAIL:], cpu_seconds=row["cpu_seconds"],
        )
        for row in rows
    )  # fmt: skip
