"""What is known of an asset while it is still uploaded, and the probe that ran ahead of the last byte."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from rushes.catalog import assets
from rushes.catalog.change import Change
from rushes.catalog.database import Session
from rushes.engine.early import EARLY_PROBE, Pieces
from rushes.engine.graph import early_probe
from rushes.engine.outcome import Outcome
from rushes.facts import EarlyFacts
from rushes.model import ProbeResult, Result
from rushes.noun import stored_as
from rushes.states import AssetState

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def recognise(change: Change, asset: str, facts: EarlyFacts, pieces: Pieces | None) -> bool:
    """Note what the first bytes say; with `pieces`, plan the early probe. False where that comes too late."""
    noun = assets.get(change.tx, asset)
    if noun.state is not AssetState.UPLOADING:
        return False
    noun = change.save(Outcome(noun.model_copy(update={"early": facts}), ("asset.updated",)))
    if pieces is not None:
        change.add_steps(noun, [early_probe(pieces)])
    return True


def pieces(tx: Session, asset: str) -> Pieces | None:
    """What a finished early probe was shown; None where there is none."""
    row = _done(tx, asset)
    return Pieces.model_validate(json.loads(row[0])) if row else None


def result(tx: Session, asset: str, size: int, seen: str | None) -> ProbeResult | None:
    """What the early probe found, if it is done and was shown the bytes `seen` (a hash) of a source of `size` bytes."""
    row = _done(tx, asset)
    if row is None or seen is None:
        return None
    shown, found = Pieces.model_validate(json.loads(row[0])), stored_as(_RESULT, row[1])
    same = shown.sha256 == seen and shown.length == size
    return found if same and isinstance(found, ProbeResult) and found.facts.size == size else None


def close(tx: Session, asset: str, now: float) -> None:
    """Nobody needs an early probe any more that has not begun. One that runs ends by itself, and changes nothing."""
    tx.execute(
        "UPDATE steps SET state = 'skipped', finished_at = :now WHERE asset = :asset AND key = :key"
        " AND state IN ('waiting', 'ready')",
        {"asset": asset, "key": EARLY_PROBE, "now": now},
    )


def _done(tx: Session, asset: str) -> tuple[str, str] | None:
    """(parameters, result)."""
    row = tx.one(
        "SELECT params, result FROM steps WHERE asset = :asset AND key = :key AND state = 'done'",
        {"asset": asset, "key": EARLY_PROBE},
    )
    return (row["params"], row["result"]) if row else None
