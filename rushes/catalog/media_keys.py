"""Versions of an asset's media keys, as rows: a new one, the end of the older ones."""

from __future__ import annotations

from pydantic import TypeAdapter

from rushes.catalog import assets, steps
from rushes.catalog.change import Change
from rushes.engine.outcome import Outcome
from rushes.engine.rekey import NAME, rekey
from rushes.errors import Conflict
from rushes.model import Asset, PackageResult, Result
from rushes.noun import stored_as
from rushes.states import AssetState

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def rotate(change: Change, asset: str) -> Asset:
    """Plan a build under the next key, once: while one is made, that is what is asked for.

    Raises NotFound, and Conflict `not_ready`, `not_protected`, `work_under_way`.
    """
    noun = assets.noun(assets.row(change.tx, asset))
    if noun.state is not AssetState.READY:
        raise Conflict("not_ready", "Only the key of an asset that is ready can be changed.")
    if not any(track.protection for track in noun.tracks):
        raise Conflict("not_protected", "Nothing of this asset is encrypted, so there is no key to change.")
    rows = steps.of_asset(change.tx, asset)
    under_way = [row["key"] for row in steps.under_way(change.tx, asset)]
    if any(key.startswith(NAME) for key in under_way):
        return noun
    if under_way:
        raise Conflict("work_under_way", "This asset is still being worked on. Try again when that has ended.")
    verdicts = [row["key"] for row in rows if row["key"].startswith("verdict.")]
    changed = noun.model_copy(update={"key_version": noun.key_version + 1})
    saved = change.save(Outcome(changed, ("asset.updated",)))
    change.add_steps(saved, rekey(saved.key_version, _maker(change, noun), verdicts))
    return saved


def retire(change: Change, asset: str, version: int) -> Asset:
    """Keys before `version` are given out no more. Again is harmless. Raises NotFound."""
    noun = assets.noun(assets.row(change.tx, asset))
    if noun.oldest_key >= version:
        return noun
    return change.save(Outcome(noun.model_copy(update={"oldest_key": version}), ("asset.updated",)))


def _maker(change: Change, asset: Asset) -> str:
    """The key of the step that made the asset's build."""
    rows = change.tx.all(
        "SELECT key, result FROM steps WHERE asset = :asset AND state = 'done' AND kind = 'package'",
        {"asset": asset.id},
    )
    made = {row["key"]: stored_as(_RESULT, row["result"]) for row in rows}
    for key, result in made.items():
        if isinstance(result, PackageResult) and result.build == asset.build and not result.growing:
            return str(key)
    raise Conflict("not_ready", "The build of this asset is not complete.")
