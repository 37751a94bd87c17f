"""What is planned when a step has found something out: the graph of the asset, with its options and in its encode."""

from __future__ import annotations

from rushes.catalog import assets, avoidance
from rushes.catalog.change import Change
from rushes.engine import graph
from rushes.engine.clip import shown
from rushes.engine.rounds import again, round_of
from rushes.engine.specs import FAST
from rushes.engine.work import awaiting
from rushes.facts import SourceFacts
from rushes.model import Asset, StepSpec
from rushes.plan import Plan
from rushes.policies import Policy
from rushes.profiles import Profile

Terms = tuple[Profile, Policy]
"""What a step works by."""


def after_intake(change: Change, asset: Asset, *, probed: bool) -> None:
    """The source is there. Its digest is needed soon where the same bytes may have been worked on before."""
    profile, _ = assets.terms(change.tx, asset.id)
    plain = profile.fast_lane and asset.options.is_plain
    change.add_steps(asset, graph.intake(probed=probed, awaited=avoidance.is_likely(change.tx, asset), plain=plain))


def after_probe(change: Change, asset: Asset, key: str, found: Plan, terms: Terms) -> None:
    facts = _facts(asset)
    number = round_of(key)
    if number > 1:
        _add(change, asset, again(graph.body(facts, _all_of(asset, found), *terms), number))
    else:
        if asset.priority < 0:  # nobody waits for it
            found = found.model_copy(update={"look": None})
        _add(change, asset, graph.plan(facts, found, *terms, options=asset.options))


def after_analysis(change: Change, asset: Asset, key: str, found: Plan, terms: Terms) -> None:
    number = round_of(key)
    specs = graph.delivery(_facts(asset), _all_of(asset, found) if number > 1 else found, *terms)
    _add(change, asset, again(specs, number) if number > 1 else specs)


def _all_of(asset: Asset, found: Plan) -> Plan:
    """For a later encode. What has been wanted is not put off again: its viewers would lose rungs."""
    return found.whole if asset.demand.requested_at is not None else found


def _facts(asset: Asset) -> SourceFacts:
    """Of what is delivered."""
    if asset.facts is None:
        raise ValueError(f"{asset.id} has not been probed")
    return shown(asset.facts, asset.options)


def _add(change: Change, asset: Asset, specs: list[StepSpec]) -> None:
    unknown = asset.source is not None and asset.source.sha256 is None
    if unknown and avoidance.is_likely(change.tx, asset):
        specs = awaiting(specs, FAST)
    change.add_steps(asset, specs)
