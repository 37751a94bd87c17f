"""Which renditions a step's work was for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rushes.engine.effort import encode_cost
from rushes.plan import Ladder

SOUND = "audio"


def shares(kind: str, params: Mapping[str, Any]) -> dict[str, float]:
    """Rendition -> its share of the step, together 1. The empty name is for what is done for the asset as a whole.

    An encode makes several rungs of one decode: its cost is divided as it was estimated, by pixels and preset.
    """
    if kind == SOUND:
        return {SOUND: 1.0}
    rungs = _rungs(params)
    whole = sum(rungs.values())
    return {name: cost / whole for name, cost in rungs.items()} if whole > 0 else {"": 1.0}


def _rungs(params: Mapping[str, Any]) -> dict[str, float]:
    try:
        ladder = Ladder.model_validate(params["ladder"]) if "ladder" in params else None
    except ValidationError:  # of another version
        return {}
    return {rung.name: encode_cost(rung, 1.0) for rung in ladder.rungs} if ladder else {}
