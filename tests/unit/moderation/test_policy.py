from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.model import CoverageEntry, Label, Partial
from rushes.moderation.capabilities import blind_spots, provided
from rushes.moderation.policy import SEVERITY, decide
from rushes.moderation.taxonomy import NUDENET, Name, below, known
from rushes.policies import Policy, Rule
from rushes.settings import load_policy
from rushes.states import Action, Coverage

STRICT = load_policy("strict")
DEVELOPMENT = load_policy("development")
SEEN = (CoverageEntry(detector="nudenet", version="3", state=Coverage.EVALUATED, frames=9), *blind_spots())
DAMAGE = Partial(missing_seconds=1.5, decode_errors=3)


def label(name: Name, score: float = 0.9) -> Label:
    return Label(name=name.name, parents=name.parents, score=score, start=1, end=2, detector="nudenet", version="3")


GENITALS = below("Exposed Female Genitalia", "Explicit Nudity")
CHEST = below("Exposed Male Nipple", "Non-Explicit Nudity")
PISTOL = below("Pistol", "Weapons")

TABLE = [
    # policy, labels, coverage, partial, phase -> action, rules
    (STRICT, [], SEEN, None, "ready", Action.PUBLISH, ("default",)),
    (STRICT, [label(GENITALS, 0.85)], SEEN, None, "ready", Action.BLOCK, ("explicit-block", "explicit-hold")),
    (STRICT, [label(GENITALS, 0.84)], SEEN, None, "ready", Action.HOLD, ("explicit-hold",)),
    (STRICT, [label(GENITALS, 0.49)], SEEN, None, "ready", Action.PUBLISH, ("default",)),
    (STRICT, [label(GENITALS, math.nan)], SEEN, None, "ready", Action.BLOCK, ("explicit-block", "explicit-hold")),
    (STRICT, [label(CHEST, 0.99)], SEEN, None, "ready", Action.HOLD, ("non-explicit-nudity-hold",)),
    (STRICT, [label(PISTOL, 0.99)], SEEN, None, "ready", Action.PUBLISH, ("default",)),
    (STRICT, [label(Name("explicit", ()))], SEEN, None, "ready", Action.BLOCK, ("explicit-block", "explicit-hold")),
    (STRICT, [], (), None, "ready", Action.HOLD, ("coverage:visual",)),
    (STRICT, [], blind_spots(), None, "ready", Action.HOLD, ("coverage:visual",)),
    (
        STRICT,
        [label(GENITALS)],
        (),
        None,
        "ready",
        Action.BLOCK,
        ("explicit-block", "explicit-hold", "coverage:visual"),
    ),
    (STRICT, [], SEEN, DAMAGE, "ready", Action.BLOCK, ("partial:refuse",)),
    (STRICT, [], SEEN, None, "first", Action.HOLD, ("labels:pending",)),
    (DEVELOPMENT, [], (), None, "first", Action.PUBLISH, ("default",)),
    (DEVELOPMENT, [], (), DAMAGE, "ready", Action.PUBLISH, ("default",)),
    (DEVELOPMENT, [label(GENITALS)], SEEN, None, "labels", Action.PUBLISH, ("default",)),
]


@pytest.mark.parametrize(("policy", "labels", "coverage", "partial", "phase", "action", "rules"), TABLE)
def test_table(policy, labels, coverage, partial, phase, action, rules):
    verdict = decide(policy, labels, coverage, partial, phase=phase)
    assert (verdict.action, verdict.rules, verdict.policy) == (action, rules, policy.ref)


@pytest.mark.parametrize("state", [Coverage.PARTIAL, Coverage.NOT_EVALUATED])
def test_coverage_counts_only_when_everything_was_looked_at(state: Coverage):
    entry = CoverageEntry(detector="nudenet", state=state, frames=5)
    assert provided(entry) == ()
    assert decide(STRICT, [], [entry], None, phase="ready").rules == ("coverage:visual",)


def test_a_capability_that_nobody_has_holds_everything():
    policy = STRICT.model_copy(update={"require_coverage": ("visual", "violence", "anything")})
    verdict = decide(policy, [], SEEN, None, phase="ready")
    assert (verdict.action, verdict.rules) == (Action.HOLD, ("coverage:violence", "coverage:anything"))


def test_publishing_first_does_not_wait_for_coverage_but_the_labels_phase_asks_for_it():
    policy = STRICT.model_copy(update={"publish_when": "playable"})
    for phase in ("first", "ready", "review"):
        assert decide(policy, [], (), None, phase=phase).action is Action.PUBLISH
    assert decide(policy, [], (), None, phase="labels").rules == ("coverage:visual",)
    assert decide(policy, [label(GENITALS)], (), None, phase="first").action is Action.BLOCK


@pytest.mark.parametrize(
    ("partial", "action", "rules"),
    [
        ("publish", Action.PUBLISH, ("default",)),
        ("hold", Action.HOLD, ("partial:hold",)),
        ("refuse", Action.BLOCK, ("partial:refuse",)),
    ],
)
def test_damaged_sources(partial, action, rules):
    policy = DEVELOPMENT.model_copy(update={"partial": partial})
    verdict = decide(policy, [], (), DAMAGE, phase="first")
    assert (verdict.action, verdict.rules) == (action, rules)
    assert decide(policy, [], (), None, phase="first").action is Action.PUBLISH


def test_the_default_is_a_floor_that_no_rule_lowers():
    allow = Rule(id="allow", label="Explicit", score=0.1, action=Action.PUBLISH)
    policy = DEVELOPMENT.model_copy(update={"default": Action.HOLD, "rules": (allow,)})
    verdict = decide(policy, [label(GENITALS)], (), None, phase="ready")
    assert (verdict.action, verdict.rules) == (Action.HOLD, ("default",))


NAMES = [GENITALS, CHEST, PISTOL, Name("Explicit", ()), Name("Unheard-of", ())]
LABELS = st.builds(label, st.sampled_from(NAMES), st.floats(0, 1))
ACTIONS = st.sampled_from(list(Action))
RULES = st.lists(
    st.builds(
        Rule,
        id=st.sampled_from(["a", "b", "c"]),
        label=st.sampled_from(["Explicit", "Explicit Nudity", "Weapons", "Violence", "Exposed Male Nipple", "Other"]),
        score=st.floats(0, 1),
        action=ACTIONS,
    ),
    max_size=5,
)
POLICIES = st.builds(
    Policy,
    name=st.just("p"),
    version=st.just(1),
    publish_when=st.sampled_from(["playable", "labelled"]),
    require_coverage=st.sampled_from([(), ("visual",), ("violence",)]),
    partial=st.sampled_from(["publish", "hold", "refuse"]),
    default=ACTIONS,
    rules=RULES.map(tuple),
)
PHASES = st.sampled_from(["first", "ready", "labels", "review"])
PARTIALS = st.sampled_from([None, DAMAGE])


@given(POLICIES, st.lists(LABELS, max_size=4), LABELS, PARTIALS, PHASES)
def test_one_more_label_never_makes_it_milder(policy, labels, more, partial, phase):
    before = decide(policy, labels, SEEN, partial, phase=phase)
    after = decide(policy, [*labels, more], SEEN, partial, phase=phase)
    assert SEVERITY[after.action] >= SEVERITY[before.action]


@given(POLICIES, st.lists(LABELS, min_size=1, max_size=4), st.floats(0, 1), PHASES)
def test_a_higher_score_never_makes_it_milder(policy, labels, score, phase):
    worse = labels[0].model_copy(update={"score": max(score, labels[0].score)})
    before = decide(policy, labels, SEEN, None, phase=phase)
    after = decide(policy, [worse, *labels[1:]], SEEN, None, phase=phase)
    assert SEVERITY[after.action] >= SEVERITY[before.action]


@given(POLICIES, st.lists(LABELS, max_size=4), PARTIALS, PHASES)
def test_less_coverage_or_more_damage_never_makes_it_milder(policy, labels, partial, phase):
    good = decide(policy, labels, SEEN, None, phase=phase)
    assert SEVERITY[decide(policy, labels, (), None, phase=phase).action] >= SEVERITY[good.action]
    assert SEVERITY[decide(policy, labels, SEEN, partial, phase=phase).action] >= SEVERITY[good.action]


@given(POLICIES, st.lists(LABELS, max_size=4), PARTIALS, PHASES)
def test_a_verdict_always_says_why_and_order_does_not_matter(policy, labels, partial, phase):
    verdict = decide(policy, labels, SEEN, partial, phase=phase)
    assert verdict.rules
    assert len(set(verdict.rules)) == len(verdict.rules)
    assert decide(policy, labels[::-1], SEEN, partial, phase=phase) == verdict


def test_shipped_policies_name_labels_that_exist():
    for policy in (STRICT, DEVELOPMENT):
        assert all(known(rule.label) for rule in policy.rules)
        assert len({rule.id for rule in policy.rules}) == len(policy.rules)
    assert not known("Explicit nudity of intimate parts")


def test_nudenet_classes_fall_under_the_shipped_rules():
    mapped = {name.parents[-1] for name in NUDENET.values() if name}
    assert mapped == {"Explicit", "Non-Explicit Nudity of Intimate Parts and Kissing"}
    with pytest.raises(KeyError):
        below("x", "No such level")
