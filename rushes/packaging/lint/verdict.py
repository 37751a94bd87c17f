"""Which build may be published, by what the checker said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rushes.engine.checking import refusal
from rushes.engine.job import Job
from rushes.keys import build_prefix
from rushes.model import LintResult
from rushes.packaging.lint.step import CERTIFICATE
from rushes.storage.store import ObjectMissing, ObjectStore

NOT_CHECKED = "not_checked"


class Unfit(Exception):
    """No build may be published; `code` and a sentence that says why."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def fit(builds: Sequence[int], job: Job, store: ObjectStore, *, checked: bool) -> int | None:
    """The first of `builds` of which no `must` has failed; None where there are none. `checked`: each has to have been checked;
    else those of older assets need not, but what is as new as a check that the step waited for may still be looked at.
    Raises Unfit, StoreError."""
    refused: Unfit | None = None
    checks = [result.build for result in job.inputs.values() if isinstance(result, LintResult)]
    for build in builds:
        musts = _musts(job, store, build)
        if musts is None and (checked or (checks and build >= min(checks))):
            refused = refused or Unfit(NOT_CHECKED, f"Build {build} was not checked.")
        elif musts:
            reason = refusal(build, musts)
            refused = refused or Unfit(reason.code, reason.message)
        else:
            return build
    if refused:
        raise refused
    return None


def _musts(job: Job, store: ObjectStore, build: int) -> Sequence[str] | None:
    """By the check that the step waited for, else by the certificate beside the build; None where there is neither."""
    for result in job.inputs.values():
        if isinstance(result, LintResult) and result.build == build:
            return result.musts
    try:
        found = json.loads(store.read(build_prefix(job.asset, build) + CERTIFICATE))
    except (ObjectMissing, ValueError):
        return None
    musts = found.get("musts") if isinstance(found, dict) else None
    return [str(one) for one in musts] if isinstance(musts, list) else None
