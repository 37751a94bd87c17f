"""What a check says: all rules, those that failed, the certificate as JSON, a table for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rushes.packaging.lint import (
    rules_cmaf,
    rules_groups,
    rules_http,
    rules_keys,
    rules_master,
    rules_mpd,
    rules_playlist,
    rules_rates,
    rules_segments,
    rules_trick,
)
from rushes.packaging.lint.rule import Outcome, Rule, Severity, applied
from rushes.packaging.lint.stream import Stream

RULES: tuple[Rule[Any], ...] = (
    *rules_playlist.RULES, *rules_master.RULES, *rules_groups.RULES, *rules_rates.RULES, *rules_segments.RULES,
    *rules_cmaf.RULES, *rules_trick.RULES, *rules_mpd.RULES, *rules_keys.RULES, *rules_http.RULES,
)  # fmt: skip
VERSION = 1
"""Of the certificate's form."""


@dataclass(frozen=True)
class Report:
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    growing: bool = False

    @property
    def checked(self) -> int:
        """Rules that had something to look at."""
        return sum(one.looked_at > 0 for one in self.outcomes)

    def failed(self, *severities: Severity) -> list[Outcome]:
        return [one for one in self.outcomes if one.failed and one.rule.severity in (severities or tuple(Severity))]

    def names(self, severity: Severity) -> tuple[str, ...]:
        return tuple(one.rule.identifier for one in self.failed(severity))

    @property
    def broken(self) -> tuple[str, ...]:
        """Rules that could not judge the stream, by a mistake of ours: nobody knows whether it keeps them."""
        return tuple(one.rule.identifier for one in self.outcomes if one.broken)

    @property
    def passed(self) -> bool:
        return not self.failed(Severity.MUST)


def report(stream: Stream, notes: Sequence[str] = ()) -> Report:
    """Every rule over a stream."""
    return Report(tuple(applied(one, stream) for one in RULES), (*stream.notes, *notes), stream.growing)


def certificate(found: Report, target: str) -> dict[str, Any]:
    """As it is stored beside a build, and as `--json` prints it."""
    return {
        "version": VERSION,
        "target": target,
        "growing": found.growing,
        "passed": found.passed,
        "rules": len(found.outcomes),
        "checked": [one.rule.identifier for one in found.outcomes if one.looked_at],
        "musts": list(found.names(Severity.MUST)),
        "shoulds": list(found.names(Severity.SHOULD)),
        "infos": list(found.names(Severity.INFO)),
        "broken": list(found.broken),
        "failures": [_failure(one) for one in found.failed()],
        "notes": list(found.notes),
    }


def _failure(one: Outcome) -> dict[str, Any]:
    return {
        "rule": one.rule.identifier,
        "severity": one.rule.severity.value,
        "clause": one.rule.clause,
        "says": one.rule.says,
        "count": one.count,
        "findings": [
            {"where": fault.where, "measured": fault.measured, "expected": fault.expected} for fault in one.faults
        ],
    }


def rows(found: Report) -> Iterator[tuple[str, str, str, str, str]]:
    """Rule, severity, clause, where, what is there and what was to be; musts first, three findings of each."""
    for severity in Severity:
        for one in found.failed(severity):
            for number, fault in enumerate(one.faults[:3]):
                more = f" (and {one.count - 3} more)" if number == 2 and one.count > 3 else ""
                head = (one.rule.identifier, severity.value, one.rule.clause) if not number else ("", "", "")
                yield (*head, fault.where, f"{fault.measured}; expected {fault.expected}{more}")


def summary(found: Report) -> str:
    counts = {severity: len(found.failed(severity)) for severity in Severity}
    verdict = "passed" if found.passed else "FAILED"
    said = f"{verdict}: {found.checked} of {len(found.outcomes)} rules had something to look at; failed: " + ", ".join(
        f"{count} {severity.value}" for severity, count in counts.items()
    )
    return said + (f"; not judged, by a mistake of ours: {', '.join(found.broken)}" if found.broken else "")
