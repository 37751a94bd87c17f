"""What is made because a player has asked our own origin for it: which step makes it, and how far that is."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter

from rushes.catalog import assets
from rushes.catalog.change import Change
from rushes.catalog.database import Session
from rushes.engine import lazy
from rushes.engine.classes import class_of, deadline_of
from rushes.engine.outcome import shown_encode
from rushes.engine.rounds import MARK
from rushes.model import Asset, Result, TracksResult
from rushes.noun import stored_as
from rushes.plan import Chunk, Grid, Rung
from rushes.states import AssetState, StepState
from rushes.tracks import Track

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_GONE = (AssetState.DELETED.value, AssetState.FAILED.value)


@dataclass(frozen=True)
class Offer:
    """An asset and what it could have besides."""

    asset: Asset
    rungs: tuple[Rung, ...]
    """Missing, and their source is there to make them of."""
    codecs: dict[str, str]
    """Of those among them of which a chunk is there already, by name."""


@dataclass(frozen=True)
class Chunks:
    """The steps that make one ladder, by where in the video each begins, in seconds."""

    starts: tuple[Fraction, ...]
    keys: tuple[str, ...]

    def at(self, start: Fraction) -> str:
        return self.keys[max(0, bisect_right(self.starts, start) - 1)]


@dataclass(frozen=True)
class Progress:
    is_over: bool
    track: Track | None = None
    """None while it is not there; where it is over, it never will be."""


def offer(tx: Session, asset: str) -> Offer:
    """Raises NotFound."""
    found = assets.row(tx, asset)
    noun = assets.noun(found)
    rungs = noun.lazy if found["original"] and noun.state is AssetState.READY else ()
    made = [_first(tx, noun, rung.name) for rung in rungs]
    return Offer(noun, rungs, {track.name: track.codecs for track in made if track})


def _first(tx: Session, asset: Asset, rung: str) -> Track | None:
    """Some chunk of a rung that is done: they all have the same init segment."""
    row = tx.one(
        f"SELECT result FROM steps WHERE asset = :asset AND {_OF_LADDER} AND state = 'done' AND result LIKE :named"
        " ORDER BY id LIMIT 1",
        {**_ladder(asset, rung), "named": f'%"name":"{rung}"%'},
    )
    return _track(row["result"], rung) if row else None


def initial(tx: Session, asset: Asset, rung: str) -> Track | None:
    """Where the init segment of a rung can be read, if anywhere."""
    return _first(tx, asset, rung)


def chunks(tx: Session, asset: Asset, rung: str) -> Chunks | None:
    """None where they are not planned."""
    rows = tx.all(f"SELECT key, params FROM steps WHERE asset = :asset AND {_OF_LADDER}", _ladder(asset, rung))
    planned = [(json.loads(row["params"]), row["key"]) for row in rows]
    found = sorted((_start(params), key) for params, key in planned if _makes(params, rung))
    return Chunks(tuple(start for start, _ in found), tuple(key for _, key in found)) if found else None


def progress(tx: Session, asset: str, key: str, rung: str) -> Progress:
    row = tx.one(
        "SELECT s.state, s.result, a.state AS asset_state FROM steps s JOIN assets a ON a.id = s.asset"
        " WHERE s.asset = :asset AND s.key = :key",
        {"asset": asset, "key": key},
    )
    if row is None or row["asset_state"] in _GONE:
        return Progress(is_over=True)
    done = row["state"] == StepState.DONE
    return Progress(StepState(row["state"]).is_final, _track(row["result"], rung) if done else None)


def hasten(change: Change, asset: str, key: str) -> None:
    """A player waits for what this step makes: it goes with what makes uploads playable. Raises NotFound."""
    assets.row(change.tx, asset)
    at_once = {"priority": lazy.AT_ONCE, "class": int(class_of(lazy.AT_ONCE)), "due": deadline_of(lazy.AT_ONCE, 0.0)}
    moved = change.tx.execute(
        "UPDATE steps SET priority = :priority, class = :class, deadline = created_at + :due, state = 'waiting'"
        " WHERE asset = :asset AND key = :key AND priority < :priority AND state IN ('waiting', 'ready')",
        {"asset": asset, "key": key, **at_once},
    )
    if moved:
        change.settle(asset)


_OF_LADDER = "key LIKE :like AND (key LIKE :mark OR (:first = 1 AND key NOT LIKE :any))"


def _ladder(asset: Asset, rung: str) -> dict[str, object]:
    number = shown_encode(asset)
    like = f"{lazy.PREFIX}{lazy.ladder_of(rung)}.%"
    return {"asset": asset.id, "like": like, "mark": f"%{MARK}{number}", "first": int(number == 1), "any": f"%{MARK}%"}


def _makes(params: dict[str, Any], rung: str) -> bool:
    return any(one["name"] == rung for one in params["ladder"]["rungs"])


def _start(params: dict[str, Any]) -> Fraction:
    return Chunk.model_validate(params["chunk"]).first / Grid.model_validate(params["ladder"]["grid"]).fps


def _track(result: str, rung: str) -> Track | None:
    found = stored_as(_RESULT, result)
    tracks = found.tracks if isinstance(found, TracksResult) else ()
    return next((track for track in tracks if track.name == rung), None)
