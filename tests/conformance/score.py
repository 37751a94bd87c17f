"""Runs clauses against a server, and counts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from rushes.clock import pause
from tests.conformance import (
    beyond,
    hostile,
    ietf_create,
    ietf_limits,
    ietf_resume,
    tus_checksum,
    tus_concatenation,
    tus_core,
    tus_creation,
    tus_endings,
    tus_http,
)
from tests.conformance.clause import Clause, Level, Unseen, Violated, clauses_in
from tests.conformance.session import Ietf, Session, Target, Tus
from tests.conformance.wire import Broken

RETURN = 10.0
"""Seconds that a server has to come back, if a check made it die."""


class Outcome(StrEnum):
    """UNSEEN: the server gives no occasion. ABSENT: it does not claim the extension, or the version."""

    PASSED = "passed"
    FAILED = "failed"
    UNSEEN = "not seen"
    ABSENT = "not offered"


@dataclass(frozen=True)
class Verdict:
    clause: Clause
    outcome: Outcome
    why: str = ""
    exchange: str = ""
    """What was said, for a failure."""
    seconds: float = 0.0


def every_clause() -> list[Clause]:
    return clauses_in(
        tus_core,
        tus_http,
        tus_creation,
        tus_endings,
        tus_checksum,
        tus_concatenation,
        ietf_create,
        ietf_limits,
        ietf_resume,
        beyond,
        hostile,
    )


def offered(clause: Clause, target: Target) -> bool:
    """Whether the server claims all that the clause is about."""
    if clause.protocol == "ietf":
        return clause.versions[0] in target.interop
    own = {clause.extension} if clause.protocol == "tus" and clause.extension not in ("core", "http") else set()
    return own | set(clause.needs) <= target.extensions


def session(clause: Clause, target: Target) -> Session:
    return Ietf(target, interop=clause.versions[0]) if clause.protocol == "ietf" else Tus(target)


def judge(clause: Clause, target: Target) -> Verdict:
    if not offered(clause, target):
        return Verdict(clause, Outcome.ABSENT)
    talk, started = session(clause, target), time.monotonic()
    outcome, why = Outcome.PASSED, ""
    try:
        clause.check(talk)
    except Unseen as reason:
        outcome, why = Outcome.UNSEEN, str(reason)
    except (Violated, Broken, OSError, ValueError) as reason:
        # A connection that breaks or a value that cannot be parsed is the server's doing as much as a wrong answer.
        outcome, why = Outcome.FAILED, str(reason)
    seconds, said = time.monotonic() - started, "\n".join(talk.log) if outcome is Outcome.FAILED else ""
    talk.tidy()
    return Verdict(clause, outcome, why, said, seconds)


def judge_all(clauses: Iterable[Clause], target: Target, jobs: int = 1) -> list[Verdict]:
    """In the order of the clauses, so many beside each other. Those beyond the text run alone: they measure time."""
    crowd = [one for one in clauses if one.protocol != "beyond"]
    alone = [one for one in clauses if one.protocol == "beyond"]
    with ThreadPoolExecutor(jobs) as pool:
        verdicts = list(pool.map(lambda one: _judge_when_up(one, target), crowd))
    return verdicts + [_judge_when_up(one, target) for one in alone]


def _judge_when_up(one: Clause, target: Target) -> Verdict:
    """A server that an earlier check has killed gets the time to be started again: each clause is judged by itself."""
    deadline = time.monotonic() + RETURN
    while not _answers(target) and time.monotonic() < deadline:
        pause(0.05)
    return judge(one, target)


def _answers(target: Target) -> bool:
    try:
        Tus(replace(target, patience=1.0)).options()
    except (Broken, OSError):
        return False
    return True


# -- what a server says of itself -------------------------------------------------------------------------------------


def discover(plain: Target) -> Target:
    """Ask OPTIONS for the extensions of tus, and try every interop version of the IETF protocol."""
    said = Tus(plain).options()
    size = said.get("Tus-Max-Size")
    return replace(
        plain,
        extensions=frozenset(_list(said.get("Tus-Extension"))),
        algorithms=tuple(_list(said.get("Tus-Checksum-Algorithm"))),
        max_size=int(size) if size and size.isdigit() else None,
        interop=tuple(version for version in range(3, 9) if _speaks(plain, version)),
    )


def _speaks(target: Target, interop: int) -> bool:
    """Whether a creation without content gives an address, and HEAD there tells the completeness."""
    talk = Ietf(target, interop=interop)
    try:
        talk.completed(talk.head(talk.create()))
    except (Violated, Broken, OSError):
        return False
    finally:
        talk.tidy()
    return True


def _list(value: str | None) -> list[str]:
    return [part.strip() for part in (value or "").split(",") if part.strip()]


# -- tables -----------------------------------------------------------------------------------------------------------

Scores = dict[str, list[Verdict]]
"""By the name of the server."""


def rows_of(verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    """Protocol and extension, in the order of their clauses."""
    return list(dict.fromkeys((each.clause.protocol, each.clause.extension) for each in verdicts))


def cell(verdicts: Iterable[Verdict], level: Level | None = None) -> str:
    """`passed/looked at`, and how many could not be seen; `-` where nothing is offered."""
    chosen = [each for each in verdicts if level is None or each.clause.level is level]
    counted = {kind: sum(each.outcome is kind for each in chosen) for kind in Outcome}
    looked = counted[Outcome.PASSED] + counted[Outcome.FAILED]
    if not chosen or counted[Outcome.ABSENT] == len(chosen):
        return "-"
    unseen = f" ({counted[Outcome.UNSEEN]} not seen)" if counted[Outcome.UNSEEN] else ""
    return f"{counted[Outcome.PASSED]}/{looked}{unseen}"


def table(scores: Scores) -> str:
    """Markdown: one row for each extension, three columns for each server."""
    levels = (Level.MUST, Level.SHOULD, Level.MAY)
    names = [f"{name} {level}" for name in scores for level in levels]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    first = next(iter(scores.values()))
    for protocol, extension in rows_of([each for each in first if each.clause.protocol != "beyond"]):
        cells = [
            cell([each for each in verdicts if _is(each, protocol, extension)], level)
            for verdicts in scores.values()
            for level in levels
        ]
        lines.append(f"| {protocol} {extension} | " + " | ".join(cells) + " |")
    total = [
        cell([each for each in verdicts if each.clause.protocol != "beyond"], level)
        for verdicts in scores.values()
        for level in levels
    ]
    return "\n".join([*lines, "| **all** | " + " | ".join(total) + " |"])


def wishes(scores: Scores) -> str:
    """Markdown: what is beyond the text, one column for each server."""
    lines = ["| beyond the text | " + " | ".join(scores) + " |", "|---" * (len(scores) + 1) + "|"]
    first = next(iter(scores.values()))
    for protocol, extension in rows_of([each for each in first if each.clause.protocol == "beyond"]):
        cells = [cell([each for each in verdicts if _is(each, protocol, extension)]) for verdicts in scores.values()]
        lines.append(f"| {extension} | " + " | ".join(cells) + " |")
    total = [cell([each for each in verdicts if each.clause.protocol == "beyond"]) for verdicts in scores.values()]
    return "\n".join([*lines, "| **all** | " + " | ".join(total) + " |"])


def failures(verdicts: Iterable[Verdict], *, exchanges: bool = False) -> str:
    """Each failed clause with its place in the specification; one line for all versions that fail alike."""
    alike: dict[tuple[str, str], list[Verdict]] = {}
    for each in verdicts:
        if each.outcome is Outcome.FAILED:
            alike.setdefault((each.clause.name, each.why), []).append(each)
    lines = []
    for found in alike.values():
        one, names = found[0].clause, ", ".join(each.clause.extension for each in found)
        lines.append(
            f"- {one.level} {one.protocol} {names}: {one.name} ({one.source}): {one.says} But: {found[0].why}."
        )
        if exchanges:
            lines += [f"      {line}" for line in found[0].exchange.splitlines()]
    return "\n".join(lines)


def record(verdict: Verdict) -> dict[str, Any]:
    """For JSON."""
    one = verdict.clause
    return {
        "clause": one.key, "says": one.says, "source": one.source, "level": str(one.level),
        "outcome": str(verdict.outcome), "why": verdict.why, "exchange": verdict.exchange,
        "seconds": round(verdict.seconds, 3),
    }  # fmt: skip


def _is(verdict: Verdict, protocol: str, extension: str) -> bool:
    return (verdict.clause.protocol, verdict.clause.extension) == (protocol, extension)
