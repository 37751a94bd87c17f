"""What was left out of a build until somebody wants to see the video: asked for, planned, once for each build."""

from __future__ import annotations

from typing import Literal

from pydantic import TypeAdapter

from rushes.catalog import assets, encodes, reopening, steps
from rushes.catalog.change import Change
from rushes.catalog.database import Session
from rushes.engine import lazy
from rushes.engine.clip import shown
from rushes.engine.cost import weighed
from rushes.engine.early import EARLY_PROBE
from rushes.engine.outcome import Outcome, shown_encode
from rushes.engine.rounds import marked, round_of
from rushes.errors import Conflict
from rushes.model import AnalysisResult, Asset, Demand, ProbeResult, Result
from rushes.noun import stored_as
from rushes.plan import Plan
from rushes.states import AssetState, StepState

By = Literal["api", "play", "origin", "segment"]
_RESULT: TypeAdapter[Result] = TypeAdapter(Result)
_GONE = (AssetState.FAILED, AssetState.DELETED)


def want(change: Change, asset: str, by: By, plays: int = 1) -> Asset:
    """Somebody wants to see the video. `plays` of them are a demand, and so is a call or a segment that was asked for. It
    counts once: after that, and where nothing is missing, nothing is written. A call also starts again what failed.

    Raises NotFound, and Conflict `not_ready` for what failed or was deleted.
    """
    found = assets.row(change.tx, asset)
    noun = assets.noun(found)
    if noun.state in _GONE:
        raise Conflict("not_ready", "This asset has failed or was deleted, so nothing more is made of it.")
    old = _demand(noun)
    if old.requested_at is not None:
        _again(change, noun, by)
        return assets.get(change.tx, asset)
    whole = noun.ready_at is not None
    if not (noun.lazy if whole else encodes.profile_of(change.tx, found, "").video.has_lazy):
        return noun
    demand = old.model_copy(update={"plays": old.plays + (by in ("play", "origin"))})
    if by in ("api", "segment") or demand.plays >= plays:
        demand = demand.model_copy(update={"requested_at": change.now, "by": by})
        change.tx.execute("UPDATE assets SET wanted = 1 WHERE id = :id", {"id": asset})
    events = ("asset.demanded",) if demand.requested_at is not None else ()
    noun = change.save(Outcome(noun.model_copy(update={"demand": demand}), events))
    carry_on(change, noun)
    return noun


def _demand(asset: Asset) -> Demand:
    """That for the encode which plays now; a fresh one where there was none."""
    number = shown_encode(asset)
    return asset.demand if asset.demand.encode == number else Demand(encode=number)


def _again(change: Change, asset: Asset, by: By) -> None:
    """Planned if that was not possible before. What failed starts again only where somebody asks for it by name: else each
    viewer of a broken video would start it."""
    carry_on(change, asset)
    number = shown_encode(asset)
    states = _states(change.tx, asset.id, number)
    lost = lazy.state(asset.lazy, states, wanted=True) == "available"
    if by == "api" and lost:
        reopening.reopen_lazy(change.tx, asset, number)
        change.settle(asset.id)


def carry_on(change: Change, asset: Asset) -> None:
    """Plan what is wanted, if the time has come: the build is there to which it is added, and no later encode is on its way to
    replace that. Again is harmless."""
    found = assets.row(change.tx, asset.id)
    if not found["wanted"] or asset.state is not AssetState.READY:
        return
    number = shown_encode(asset)
    states = {row["key"]: StepState(row["state"]) for row in steps.of_asset(change.tx, asset.id)}
    if lazy.is_under_way(states, number):
        return
    change.tx.execute("UPDATE assets SET wanted = 0 WHERE id = :id", {"id": asset.id})
    if asset.demand.encode != number:
        demand = asset.demand.model_copy(update={"encode": number})
        asset = change.save(Outcome(asset.model_copy(update={"demand": demand})))
    of_round = {key: state for key, state in states.items() if round_of(key) == number}
    if found["original"] and not any(map(lazy.is_lazy, of_round)):
        _plan(change, asset, number, of_round)


def _plan(change: Change, asset: Asset, number: int, states: dict[str, StepState]) -> None:
    found = plan_of(change.tx, asset.id, number)
    if found is None or asset.facts is None:
        return
    specs = lazy.lazy_steps(shown(asset.facts, asset.options), found, number, lazy.builds_before(states, number))
    if not specs:
        return
    # Somebody is waiting, though nobody may have waited for the asset itself
    soon = [spec.model_copy(update={"priority": spec.priority - asset.priority}) for spec in specs]
    steps.insert(change.tx, asset, weighed(soon, change.learned), change.now)
    # A cleanup that is planned knows nothing of what comes to be made, and would take it away
    steps.behind_cleanups(change.tx, asset.id, ".lazy")
    package = marked(lazy.PACKAGE, number) if number > 1 else lazy.PACKAGE
    steps.put_behind(change.tx, asset.id, package, lazy.builds_behind(states, number))
    change.settle(asset.id)


def plan_of(tx: Session, asset: str, number: int) -> Plan | None:
    """What an encode was made by: the analysis's plan where there is one, else that of the probe."""
    keys = [key if number == 1 else marked(key, number) for key in ("analyze", "probe")]
    results = {
        row["key"]: stored_as(_RESULT, row["result"])
        for row in tx.all(
            "SELECT key, result FROM steps WHERE asset = :asset AND state = 'done' AND key IN (:first, :second, :early)",
            {"asset": asset, "first": keys[0], "second": keys[1], "early": EARLY_PROBE},
        )
    }
    early = results.get(EARLY_PROBE) if number == 1 else None
    for found in (results.get(keys[0]), results.get(keys[1]), early):
        if isinstance(found, AnalysisResult | ProbeResult):
            return found.plan
    return None


def _states(tx: Session, asset: str, number: int) -> dict[str, StepState]:
    rows = steps.of_asset(tx, asset)
    return {row["key"]: StepState(row["state"]) for row in rows if round_of(row["key"]) == number}


def waiting(tx: Session) -> list[str]:
    """Assets of which more is wanted than could be planned so far; not those that are not ready, or never will be."""
    rows = tx.all("SELECT id FROM assets WHERE wanted = 1 AND state = 'ready' ORDER BY id LIMIT 100")
    return [row["id"] for row in rows]
