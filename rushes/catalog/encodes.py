"""Encodes of an asset after the first, as rows: asked for, planned, given up."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from rushes.catalog import assets, steps
from rushes.catalog.change import Change
from rushes.catalog.database import Row, Session
from rushes.engine.lazy import is_lazy
from rushes.engine.outcome import Outcome, replaced
from rushes.engine.rounds import MARK, opening, plain, round_of
from rushes.errors import Conflict, NotFound
from rushes.model import Asset, Encode, PackageResult, PublishResult, Result
from rushes.noun import Reason, stored_as
from rushes.profiles import Profile
from rushes.states import AssetState

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def profile_of(tx: Session, found: Row, key: str) -> Profile:
    """The profile that a step of the asset `found` works by: as it was when the asset came, or when its encode was asked
    for."""
    number = round_of(key)
    if number == 1:
        return assets.profile(found["profile"])
    row = tx.one(
        "SELECT profile FROM encodes WHERE asset = :asset AND number = :number",
        {"asset": found["id"], "number": number},
    )
    if row is None:
        raise LookupError(f"{found['id']} has no encode {number}")
    return assets.profile(row["profile"])


MOST = 20
"""Encodes of one asset after the first, where nobody says another number."""


def begin(change: Change, asset: str, profile: Profile, most: int = MOST) -> Asset:
    """Plan another encode, once: while one by the same profile is under way, that is what is asked for.

    Raises NotFound, and Conflict `not_ready`, `source_deleted`, `encode_under_way` (by another profile), `too_many_encodes`.
    """
    found = assets.row(change.tx, asset)
    noun = assets.noun(found)
    if noun.state is not AssetState.READY or noun.source is None:
        raise Conflict("not_ready", "Only an asset that is ready can be encoded again.")
    if not found["original"]:
        raise Conflict("source_deleted", "The original of this asset has been deleted, so it cannot be encoded again.")
    under_way = _under_way(change.tx, noun)
    if under_way is not None:
        if under_way.profile == profile.ref:
            return noun
        raise Conflict(
            "encode_under_way",
            f"Encode {under_way.number} of this asset is still under way, by profile {under_way.profile}.",
        )
    if len(noun.encodes) >= most:
        raise Conflict("too_many_encodes", f"This asset has been encoded again {len(noun.encodes)} times: the limit.")
    number = max((encode.number for encode in noun.encodes), default=1) + 1
    change.tx.execute(
        "INSERT INTO encodes (asset, number, profile) VALUES (:asset, :number, :profile)",
        {"asset": asset, "number": number, "profile": profile.model_dump_json()},
    )
    encode = Encode(number=number, profile=profile.ref, requested_at=change.now)
    noun = change.save(Outcome(noun.model_copy(update={"encodes": (*noun.encodes, encode)}), ("asset.updated",)))
    change.add_steps(noun, [opening(number, [row["key"] for row in steps.under_way(change.tx, asset)])])
    return noun


def cancel(change: Change, asset: str, number: int) -> Asset:
    """What is left of one encode ends, and no retry takes it up again; what plays stays. Where its publication has begun
    already, that goes on. Again is harmless. Raises NotFound."""
    noun = assets.get(change.tx, asset)
    encode = next((encode for encode in noun.encodes if encode.number == number), None)
    if encode is None:
        raise NotFound("encode_not_found", "There is no such encode of this asset.")
    ended = steps.cancel_round(change.tx, asset, number, change.now)
    given_up = not (encode.build or any(round_of(row["key"]) == number for row in _under_way_rows(change.tx, asset)))
    if ended or given_up != encode.given_up:
        marked_so = encode.model_copy(update={"given_up": given_up})
        encodes = tuple(marked_so if one is encode else one for one in noun.encodes)
        noun = change.save(Outcome(noun.model_copy(update={"encodes": encodes}), ("asset.updated",)))
        change.settle(asset)
    return noun


def newest(asset: Asset) -> int:
    """The number of the encode that a retry takes up again: builds of earlier ones would replace its own."""
    return max((encode.number for encode in asset.encodes if encode.build or not encode.given_up), default=1)


def give_up(change: Change, asset: Asset, key: str, reason: Reason) -> None:
    """A step that a later encode cannot do without failed for good: the rest of it is not done, and the asset stays as it was."""
    number = round_of(key)
    steps.cancel_round(change.tx, asset.id, number, change.now)
    change.counted = True
    note = Reason(code=reason.code, message=f"encode {number} failed at {key}: {reason.message}")
    change.save(Outcome(asset.model_copy(update={"notes": (*asset.notes, note)}), ("asset.updated",)))


def published(tx: Session, asset: Asset, key: str, result: Result) -> Asset:
    """The asset when a publish step has ended: of a later encode, with what that one made. What the pointer names counts,
    whoever has written it: an attempt that was lost may have."""
    rows = tx.all(
        "SELECT key, result FROM steps WHERE asset = :asset AND state = 'done' AND key LIKE :later"
        " AND kind IN ('analyze', 'package', 'download')",
        {"asset": asset.id, "later": f"%{MARK}%"},
    )
    made = {row["key"]: stored_as(_RESULT, row["result"]) for row in rows}
    if isinstance(result, PublishResult):  # what the checker refused is newer
        made = {
            step: one for step, one in made.items() if not isinstance(one, PackageResult) or one.build <= result.build
        }
    number = _maker(made, result.build) if isinstance(result, PublishResult) else round_of(key)
    return replaced(asset, number, {plain(key): one for key, one in made.items() if round_of(key) == number})


def _maker(made: Mapping[str, Result], build: int) -> int:
    """Of which encode a build is; 1 where it is of none of the later ones."""
    keys = (key for key, result in made.items() if isinstance(result, PackageResult) and result.build == build)
    return next((round_of(key) for key in keys), 1)


def _under_way(tx: Session, asset: Asset) -> Encode | None:
    numbers = {round_of(row["key"]) for row in _under_way_rows(tx, asset.id)}
    return next((encode for encode in asset.encodes if encode.number in numbers), None)


def _under_way_rows(tx: Session, asset: str) -> list[Row]:
    """What was told to stop is not, and what is made on demand is no encode."""
    return [row for row in steps.under_way(tx, asset) if row["cancel"] != steps.CANCEL and not is_lazy(row["key"])]
