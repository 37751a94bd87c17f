"""What an asset waits for: in a sentence, by the exact blocker, and until when."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.catalog import assets, standing, steps
from rushes.catalog.database import Row, Session
from rushes.engine.blocker import Blocker, blocker
from rushes.engine.eta import Eta, eta, longest
from rushes.model import Asset
from rushes.noun import Noun
from rushes.states import AssetState, Publication, StepKind, StepState

READY = "package.ready"
"""The step whose end makes an asset ready (`engine.outcome`)."""


class Explanation(Noun):
    why: str
    """All of it in words."""
    blocker: Blocker
    until: str = ""
    """What the ETA is of: `ready`, or `complete` where it is that already. Empty: there is nothing to wait for."""
    eta: Eta | None = None
    """None where nobody works on it, or where its work is not known yet."""


def explanation(tx: Session, asset: str, now: float) -> Explanation:
    """Raises NotFound."""
    noun = assets.get(tx, asset)
    rows = steps.of_asset(tx, asset)
    at_rest = _at_rest(noun, rows)
    if at_rest is not None:
        return Explanation(why=at_rest.message, blocker=at_rest)
    scene = standing.scene(tx, rows, asset, now)
    until, wanted = _goal(noun, scene)
    way = longest(scene.tasks, wanted)
    first = scene.stand(way.keys[0])
    found = blocker(first)
    known = scene.is_planned and scene.is_served(way.keys)
    guess = eta(scene.tasks, wanted, scene.cores) if known else None
    text = scene.running if found.code == "running" else found.message
    return Explanation(why=" ".join([text, *_told(until, guess)]), blocker=found, until=until, eta=guess)


def _goal(asset: Asset, scene: standing.Scene) -> tuple[str, list[str]]:
    """What it is on its way to, and the steps that this takes; none: all of them. It is ready when its build is there: the
    verdict and the publication follow."""
    required = [task.key for task in scene.tasks if task.key in scene.required]
    if asset.ready_at is not None or not required:
        return "complete", []
    return "ready", [READY] if READY in required and not scene.to_come else required


def _told(until: str, guess: Eta | None) -> list[str]:
    if guess is None:
        return []
    between = f"{span(guess.earliest)} to {span(guess.latest)}, confidence {guess.confidence}"
    return [f"It will be {until} in about {span(guess.seconds)} ({between})."]


def span(seconds: float) -> str:
    """`90` -> `1.5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _at_rest(asset: Asset, rows: Sequence[Row]) -> Blocker | None:
    """What holds for an asset as a whole; None while one of its steps is to be looked at."""
    match asset.state:
        case AssetState.UPLOADING if pull := next((row for row in rows if row["kind"] == StepKind.PULL), None):
            return _pulled(pull)
        case AssetState.UPLOADING:
            text = "The upload is not complete: it waits for the client to send the remaining bytes."
            return Blocker(code="upload", message=text)
        case AssetState.FAILED if asset.reason:
            return Blocker(code="failed", message=f"It failed ({asset.reason.code}): {asset.reason.message}")
        case AssetState.DELETED:
            return Blocker(code="deleted", message="It was deleted.")
    return None if any(not StepState(row["state"]).is_final for row in rows) else _finished(asset)


def _pulled(pull: Row) -> Blocker:
    if pull["state"] == StepState.RUNNING:
        text = f"It is being fetched from the address that was given ({pull['progress']:.0%})."
        return Blocker(code="running", message=text, step=pull["key"], pool=pull["pool"])
    again = f" It was tried {pull['attempts']} times so far." if pull["attempts"] else ""
    text = f"It waits to be fetched from the address that was given.{again}"
    return Blocker(code="pull", message=text, step=pull["key"], pool=pull["pool"])


def _finished(asset: Asset) -> Blocker:
    rules = ", ".join(asset.verdict.rules) if asset.verdict else "none"
    match asset.publication:
        case Publication.PUBLISHED if asset.lazy:
            missing = ", ".join(rung.name for rung in asset.lazy)
            text = f"Somebody to watch it: it is published, and {missing} is made on demand."
            return Blocker(code="on_demand", message=text)
        case Publication.PUBLISHED:
            return Blocker(code="nothing", message="Nothing: it is published and all its steps have ended.")
        case Publication.HELD:
            return Blocker(code="held", message=f"A decision: it is held by policy (rules: {rules}).")
        case Publication.BLOCKED:
            return Blocker(code="blocked", message=f"Nothing: it is blocked by policy (rules: {rules}).")
        case _:
            return Blocker(code="nothing", message="Nothing is running and nothing is ready.")
