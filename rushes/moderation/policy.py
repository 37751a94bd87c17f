"""From labels to a decision. Pure: the same evidence under the same policy always gives the same verdict."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.model import CoverageEntry, Label, Partial, Verdict
from rushes.moderation.capabilities import provided
from rushes.policies import Policy, Rule
from rushes.states import Action

Finding = tuple[Action, str]
"""An action that something calls for, and the identifier of the rule that says so."""

SEVERITY = {Action.PUBLISH: 0, Action.HOLD: 1, Action.BLOCK: 2}
DEFAULT = "default"


def decide(
    policy: Policy,
    labels: Sequence[Label],
    coverage: Sequence[CoverageEntry],
    partial: Partial | None,
    *,
    phase: str,
) -> Verdict:
    """The strictest of what the rules, the coverage, the source's damage and the policy's default call for.

    A rule can only tighten: more evidence never makes a verdict milder. `phase` is the build that is judged: `first`,
    `ready`, `labels` (they have come after the publication) or `review`. `rules` of the verdict begins with the
    decisive rule; milder ones that were met too follow. Missing coverage is `coverage:NAME`, damage `partial:hold` or
    `partial:refuse`, a build that is before its labels `labels:pending`, and nothing at all `default`.
    """
    findings = [
        *_by_rules(policy.rules, labels),
        *_by_coverage(policy, coverage, phase),
        *_by_damage(policy, partial),
        *_by_order(policy, phase),
        (policy.default, DEFAULT),
    ]
    findings.sort(key=lambda finding: -SEVERITY[finding[0]])
    action, decisive = findings[0]
    met = [rule for finding, rule in findings if finding is not Action.PUBLISH]
    return Verdict(action=action, policy=policy.ref, rules=tuple(dict.fromkeys(met or [decisive])))


def milder(one: Verdict, other: Verdict) -> bool:
    return SEVERITY[one.action] < SEVERITY[other.action]


def _by_rules(rules: Sequence[Rule], labels: Sequence[Label]) -> list[Finding]:
    return [(rule.action, rule.id) for rule in rules if any(_meets(label, rule) for label in labels)]


def _meets(label: Label, rule: Rule) -> bool:
    name = rule.label.casefold()
    named = name == label.name.casefold() or name in (parent.casefold() for parent in label.parents)
    return named and not label.score < rule.score  # a score that is no number counts as reached


def _by_coverage(policy: Policy, coverage: Sequence[CoverageEntry], phase: str) -> list[Finding]:
    """Where publication does not wait for labels, their absence matters only once they should be there."""
    if policy.publish_when == "playable" and phase != "labels":
        return []
    there = {capability for entry in coverage for capability in provided(entry)}
    return [(Action.HOLD, f"coverage:{name}") for name in policy.require_coverage if name not in there]


def _by_damage(policy: Policy, partial: Partial | None) -> list[Finding]:
    if partial is None or policy.partial == "publish":
        return []
    action = Action.HOLD if policy.partial == "hold" else Action.BLOCK
    return [(action, f"partial:{policy.partial}")]


def _by_order(policy: Policy, phase: str) -> list[Finding]:
    return [(Action.HOLD, "labels:pending")] if policy.publish_when == "labelled" and phase == "first" else []
