"""What an attempt at a step is given, read together from the rows of its asset, its encode and its dependencies."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from rushes.catalog import assets, avoidance, encodes, steps
from rushes.catalog.database import Row, Session
from rushes.engine.job import Job, Needs
from rushes.engine.recipe import recipe
from rushes.engine.rounds import plain
from rushes.facts import SourceRef
from rushes.model import Result
from rushes.noun import stored, stored_as
from rushes.states import Action, StepKind

RESULT: TypeAdapter[Result] = TypeAdapter(Result)
UNREADABLE = (ValueError, LookupError, TypeError)
"""What `read` raises of rows that this release cannot make sense of."""


def read(tx: Session, row: Row, *, tool: str, numbered: bool = True, linked: bool = True) -> Job:
    """The job of a claimed step. `tool` is the media tool's version, which is part of every recipe; not `numbered`: no number
    is taken for a build, as nothing is to come of it; not `linked`: it waited for no other. Raises one of UNREADABLE."""
    found = assets.row(tx, row["asset"])
    asset = assets.noun(found)
    profile = encodes.profile_of(tx, found, row["key"])
    kind, params = StepKind(row["kind"]), json.loads(row["params"])
    source = asset.source or SourceRef(key="", version=0, size=0)
    build = assets.take_build_number(tx, found) if numbered and kind is StepKind.PACKAGE else asset.build
    return Job(
        step_id=row["id"], key=row["key"], kind=kind, asset=asset.id, tenant=asset.tenant, fence=row["fence"],
        priority=row["priority"],
        recipe=recipe((kind, row["key"]), source, params, profile, tool=tool, options=asset.options),
        params=params, source=source, facts=asset.facts, inputs=_inputs(tx, row["id"]) if linked else {}, profile=profile,
        policy=assets.policy(found["policy"]), options=asset.options,
        twin=avoidance.twin(tx, asset.tenant, avoidance.name(tx, (found, asset), row, tool=tool)),
        build=build, verdict=asset.verdict, key_version=asset.key_version,
        verdict_override=Action(found["verdict_override"]) if found["verdict_override"] else None,
        needs=stored(Needs, row["needs"]), estimate=row["cost"],
    )  # fmt: skip


def _inputs(tx: Session, step: str) -> dict[str, Result]:
    """Results by plain step key; a dependency that failed or was cancelled is absent."""
    return {
        plain(row["key"]): stored_as(RESULT, row["result"])
        for row in steps.dependencies(tx, step)
        if row["result"] is not None
    }
