from __future__ import annotations

import pytest

from rushes.engine.job import Job, ToolSettings
from rushes.errors import StepFailure
from rushes.facts import SourceRef
from rushes.media_keys import DerivedKeys
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.workers.media_key import with_key

KEYS = DerivedKeys(b"what the keys of these tests are made of")


def job(kind: StepKind, protection: str = "cbcs") -> Job:
    profile = load_profile("fast")
    outputs = profile.outputs.model_copy(update={"protection": protection})
    return Job(
        step_id="s", key="k", kind=kind, asset="a", tenant="t", fence=1, recipe="r", source=SourceRef(key="x", size=1),
        profile=profile.model_copy(update={"outputs": outputs}), policy=load_policy("development"), key_version=2,
    )  # fmt: skip


def test_only_the_step_that_encrypts_is_told_the_key_and_only_that_of_its_asset() -> None:
    assert with_key(job(StepKind.PACKAGE), ToolSettings(), KEYS).key == KEYS.key("a", 2)
    for kind in set(StepKind) - {StepKind.PACKAGE}:
        assert with_key(job(kind), ToolSettings(), KEYS).key is None
    assert with_key(job(StepKind.PACKAGE, "none"), ToolSettings(), None).key is None


def test_the_job_that_the_catalog_knows_has_no_key_in_it() -> None:
    assert KEYS.key("a", 2).key not in job(StepKind.PACKAGE).model_dump_json()


def test_without_a_key_server_the_step_fails_by_name() -> None:
    with pytest.raises(StepFailure, match="keys_not_configured"):
        with_key(job(StepKind.PACKAGE), ToolSettings(), None)
