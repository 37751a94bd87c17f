"""The name of a step's work, made of all its inputs and the tools' versions: the same name means the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushes.engine.kinds import KINDS
from rushes.facts import SourceRef
from rushes.keys import recipe_key
from rushes.profiles import Profile
from rushes.states import StepKind

_PROFILE_PART: dict[StepKind, tuple[str, ...]] = {
    StepKind.ENCODE: ("video",),
    StepKind.AUDIO: ("audio", "video"),
    StepKind.REMUX: (),
}
"""The parts of a profile a step looks at; all of it where nothing is said."""


def recipe(
    spec: tuple[StepKind, str], source: SourceRef, params: Mapping[str, Any], profile: Profile, *, tool: str
) -> str:
    """`spec` is the step's kind and key; `tool` the version of the media tool.

    Of the source, its version counts and not its place: the name is used below one asset only, and the same video has the
    same recipes wherever it is stored.
    """
    kind, key = spec
    parts = _PROFILE_PART.get(kind)
    whole = profile.model_dump(mode="json")
    return recipe_key(
        {
            "source": [source.version, source.size],
            "step": [key, kind.value, KINDS[kind].version],
            "params": dict(params),
            "profile": whole if parts is None else {part: whole[part] for part in parts},
            "tool": tool,
        }
    )
