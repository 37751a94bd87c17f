"""Checks in the graph: before every publication, and again where a build is made again."""

from __future__ import annotations

from rushes.engine.checking import CHECKED, checked, lint_key, refused
from rushes.engine.rounds import followers
from rushes.engine.specs import step
from rushes.model import LintResult
from rushes.states import StepKind, StepState

PUBLISH = step("publish.ready", StepKind.PUBLISH, "verdict.ready", "package.ready", priority=7, phase="ready")


def test_a_publication_waits_for_the_check_of_its_build() -> None:
    lint, publish = checked([PUBLISH])
    assert (lint.key, lint.kind, lint.after) == ("lint.ready", StepKind.LINT, ("package.ready",))
    assert (lint.required, lint.priority) == (True, 7)
    assert publish.after == ("verdict.ready", "package.ready", "lint.ready")
    assert publish.params == {"phase": "ready", CHECKED: True}


def test_what_is_checked_is_not_checked_twice() -> None:
    once = checked([PUBLISH])
    assert checked(once) == once
    assert checked([step("package.ready", StepKind.PACKAGE)]) == [step("package.ready", StepKind.PACKAGE)]


def test_a_check_of_a_later_encode_has_its_mark() -> None:
    assert lint_key("package.ready~2") == "lint.ready~2"


def test_the_refusal_names_the_rules() -> None:
    reason = refused(LintResult(build=3, musts=("hls.codecs", "dash.tfdt")))
    assert reason.code == "lint_failed"
    assert "Build 3" in reason.message and "hls.codecs, dash.tfdt" in reason.message


AFTER = {
    "package.enriched": ("package.ready", "transcript"), "lint.enriched": ("package.enriched",),
    "publish.enriched": ("package.enriched", "lint.enriched"),
}  # fmt: skip


def again(*refusing: str, **states: str) -> list[str]:
    known = {
        key: (key, StepState(states.get(key.replace(".", "_"), "done")))
        for key in ("transcript", "package.ready", *AFTER)
    }
    return followers(known, [(key, before) for key, befores in AFTER.items() for before in befores], refusing)


def test_a_build_that_is_made_again_is_checked_again() -> None:
    assert again(transcript="failed") == ["package.enriched", "lint.enriched", "publish.enriched"]


def test_a_check_that_could_not_be_done_is_followed_by_its_publication() -> None:
    assert again(lint_enriched="failed", publish_enriched="skipped") == ["publish.enriched"]


def test_a_check_that_refused_its_build_is_done_again_and_followed_by_its_publication() -> None:
    assert again("lint.enriched", publish_enriched="skipped") == ["lint.enriched", "publish.enriched"]
    assert again("lint.enriched") == ["lint.enriched", "publish.enriched"]  # of an older build than this one


def test_where_its_build_is_made_again_it_is_checked_once() -> None:
    after = AFTER | {"package.codecs": ("package.enriched",), "publish.codecs": ("package.codecs",)}
    known = {key: (key, StepState.DONE) for key in ("package.ready", *after)} | {
        "transcript": ("transcript", StepState.FAILED)
    }
    links = [(key, before) for key, befores in after.items() for before in befores]
    found = followers(known, links, ["lint.enriched"])
    assert found == ["package.enriched", "package.codecs", "lint.enriched", "publish.codecs"]
