"""The step: a certificate beside the build, and no pointer to what breaks a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.model import LintResult, PackageResult, PublishResult, Skipped, Verdict, VerdictResult
from rushes.packaging import publish
from rushes.packaging.lint import step
from rushes.settings import load_policy, load_profile
from rushes.states import Action, StepKind
from rushes.storage.store import ObjectMissing
from rushes.storage.workspace import Workspace
from tests.unit.packaging.lint.conftest import ASSET, BUILD, Good

GO = VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=()))


def job(kind: StepKind, inputs: dict[str, Any], **more: Any) -> Job:
    return Job(
        step_id="s", key=str(kind), kind=kind, asset=ASSET, tenant="t", fence=7, recipe="r",
        source=SourceRef(key="s", size=1), profile=load_profile("fast"), policy=load_policy("development"), inputs=inputs,
        **more,
    )  # fmt: skip


@pytest.fixture
def package(stream: Good) -> PackageResult:
    return PackageResult(build=1, tracks=tuple(stream.tracks), complete=True, bytes=1)


@pytest.fixture
def workspace(stream: Good, tmp_path: Path) -> Workspace:
    return Workspace(stream.store, tmp_path)


def checked(package: PackageResult, workspace: Workspace) -> LintResult:
    found = step.run(job(StepKind.LINT, {"package.ready": package}), workspace)
    assert isinstance(found, LintResult)
    return found


def published(workspace: Workspace, *results: Any, **more: Any) -> PublishResult | Skipped:
    inputs = {f"step.{number}": result for number, result in enumerate((GO, *results))}
    return publish.run(job(StepKind.PUBLISH, inputs, params={"phase": "ready", "checked": True}, **more), workspace)


def test_a_good_build_has_a_certificate_and_is_published(package: PackageResult, workspace: Workspace) -> None:
    found = checked(package, workspace)
    assert (found.build, found.passed, found.shoulds, found.certificate) == (1, True, (), f"{BUILD}lint.json")
    text = json.loads(workspace.store.read(found.certificate))
    assert text["passed"] is True and len(text["checked"]) == found.checked > 115
    assert published(workspace, package, found) == PublishResult(build=1)


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd"])
def test_a_build_without_one_of_its_manifests_does_not_pass(
    stream: Good, package: PackageResult, workspace: Workspace, name: str
) -> None:
    stream.store.delete(f"{BUILD}{name}")
    found = checked(package, workspace)
    assert not found.passed
    assert any(name in str(failure) for failure in json.loads(workspace.store.read(found.certificate))["failures"])


def test_a_bad_build_is_not_published_and_says_why(stream: Good, package: PackageResult, workspace: Workspace) -> None:
    stream.store.delete(stream.key("360p", "00002.m4s"))
    found = checked(package, workspace)
    assert "segment.exists" in found.musts
    failure, *_ = json.loads(workspace.store.read(found.certificate))["failures"]
    assert (failure["rule"], failure["severity"]) == ("segment.exists", "must")
    assert "00002.m4s" in failure["findings"][0]["where"]
    skipped = published(workspace, package, found)
    assert isinstance(skipped, Skipped) and skipped.reason.code == "lint_failed"
    assert "segment.exists" in skipped.reason.message
    # And not by a later decision, which knows the certificate only
    assert published(workspace, package) == skipped


def test_the_newest_build_that_is_fit_is_published(package: PackageResult, workspace: Workspace) -> None:
    newer = package.model_copy(update={"build": 2})
    bad = LintResult(build=2, musts=("hls.codecs",))
    assert published(workspace, package, newer, LintResult(build=1), bad) == PublishResult(build=1)


def test_what_was_not_checked_is_published_only_where_nobody_was_to_check(
    package: PackageResult, workspace: Workspace
) -> None:
    skipped = published(workspace, package)
    assert isinstance(skipped, Skipped) and skipped.reason.code == "not_checked"
    older = job(StepKind.PUBLISH, {"package.ready": package, "verdict.ready": GO}, params={"phase": "ready"})
    assert publish.run(older, workspace) == PublishResult(build=1)


def test_without_a_build_there_is_nothing_to_check(workspace: Workspace) -> None:
    assert isinstance(step.run(job(StepKind.LINT, {}), workspace), Skipped)


def test_a_build_that_is_gone_is_no_finding(package: PackageResult, workspace: Workspace) -> None:
    for name in ("master.m3u8", "manifest.mpd"):
        workspace.store.delete(BUILD + name)
    with pytest.raises(ObjectMissing):
        checked(package, workspace)
