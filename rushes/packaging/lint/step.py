"""The step LINT: a build is checked as it lies in the object store, and its certificate is put beside it."""

from __future__ import annotations

import json

from rushes.engine.job import Job
from rushes.keys import build_prefix, media_prefix
from rushes.model import LintResult, PackageResult, Skipped
from rushes.noun import Reason
from rushes.packaging.dash import MANIFEST
from rushes.packaging.hls import MASTER
from rushes.packaging.lint.gather import Depth, gather
from rushes.packaging.lint.reach import BASE, StoreReach, Unreachable
from rushes.packaging.lint.report import Report, certificate, report
from rushes.packaging.lint.rule import Severity
from rushes.storage.store import ObjectMissing
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import has_dash

CERTIFICATE = "lint.json"
DEPTH = Depth(sizes=1_000_000)
"""Sizes come from listings, so all of them are looked at; boxes of a few segments of each track."""
HASTY = Depth(sizes=1_000_000, boxes=3, few=3)
"""Of a provisional build, for which somebody waits; the same segments are looked at again in the complete one, or replaced."""


def run(job: Job, workspace: Workspace) -> LintResult | Skipped:
    """Check the build of the package step. What it finds is a result, not a failure. Raises StoreError, and ObjectMissing
    where the build itself is gone."""
    package = max(
        (result for result in job.inputs.values() if isinstance(result, PackageResult)),
        key=lambda result: result.build,
        default=None,
    )
    if package is None:
        return Skipped(reason=Reason(code="no_build", message="There is no build that could be checked."))
    place = build_prefix(job.asset, package.build)
    found = _checked(workspace, job.asset, package)
    key = place + CERTIFICATE
    text = json.dumps(certificate(found, place), indent=1, ensure_ascii=False)
    workspace.publish_bytes(key, text.encode(), content_type(key))
    return LintResult(
        build=package.build,
        certificate=key,
        checked=found.checked,
        musts=found.names(Severity.MUST),
        shoulds=found.names(Severity.SHOULD),
    )


def _checked(workspace: Workspace, asset: str, package: PackageResult) -> Report:
    place, growing = build_prefix(asset, package.build), package.growing
    depth = DEPTH if package.complete else HASTY
    entries = [place + MASTER]
    if not growing and has_dash(package.tracks):
        entries.append(place + MANIFEST)
    reach = StoreReach(workspace.store, media_prefix(asset))
    try:
        stream = gather([BASE + key for key in entries], reach, depth, growing=growing, watch=workspace.progress)
    except Unreachable as error:
        raise ObjectMissing(str(error)) from error
    return report(stream)
