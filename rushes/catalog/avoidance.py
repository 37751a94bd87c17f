"""Work that was done before for the same tenant: looked for at the claim of a step, known by its name from its end on."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from rushes.catalog import encodes
from rushes.catalog.database import Row, Session
from rushes.engine.job import Twin
from rushes.engine.kinds import BY_NAME
from rushes.engine.work import work_key
from rushes.model import Asset, Result
from rushes.noun import stored_as
from rushes.states import StepKind

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_NOT_IT = "('deleted', 'failed')"
"""States of assets that nothing is copied from: their objects go, or are in doubt."""


def name(tx: Session, asset: tuple[Row, Asset], step: Row, *, tool: str) -> str | None:
    """The name of a step's work; None where it has none that we know, or while the source's digest is not known."""
    found, noun = asset
    if noun.source is None or noun.source.sha256 is None or step["kind"] not in BY_NAME:
        return None
    spec, params = (StepKind(step["kind"]), step["key"]), json.loads(step["params"])
    source, profile = (noun.source.sha256, noun.source.size), encodes.profile_of(tx, found, step["key"])
    return work_key(spec, source, params, profile, tool=tool, options=noun.options)


def twin(tx: Session, tenant: str, work: str | None) -> Twin | None:
    """The newest step that did this work for this tenant and nobody else. Whether its objects are still there, the store
    will say."""
    if work is None:
        return None
    row = tx.one(
        "SELECT s.asset, s.result, s.cpu_seconds + s.avoided AS cost FROM steps s JOIN assets a ON a.id = s.asset"
        " WHERE s.tenant = :tenant AND s.work = :work AND s.state = 'done'"
        f" AND a.state NOT IN {_NOT_IT} ORDER BY s.finished_at DESC, s.id LIMIT 1",
        {"tenant": tenant, "work": work},
    )
    if row is None:
        return None
    return Twin(asset=row["asset"], result=stored_as(_RESULT, row["result"]), cpu_seconds=row["cost"])


def remember(tx: Session, asset: tuple[Row, Asset], *, tool: str) -> None:
    """The digest of the source is known now: steps that were done before it was get the names of their work."""
    rows = tx.all(
        "SELECT id, key, kind, params FROM steps WHERE asset = :asset AND state = 'done' AND work IS NULL",
        {"asset": asset[1].id},
    )
    for row in rows:
        if work := name(tx, asset, row, tool=tool):
            tx.execute("UPDATE steps SET work = :work WHERE id = :id", {"work": work, "id": row["id"]})


def is_likely(tx: Session, asset: Asset) -> bool:
    """Whether the tenant has another source of this very size, so that it is worth while to wait for the digest."""
    if asset.source is None:
        return False
    row = tx.one(
        "SELECT 1 FROM assets WHERE tenant = :tenant AND source_size = :size AND id <> :id"
        f" AND state NOT IN {_NOT_IT} LIMIT 1",
        {"tenant": asset.tenant, "size": asset.source.size, "id": asset.id},
    )
    return row is not None
