"""The name of a step's work, made of all its inputs and the tools' versions: the same name means the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from rushes.engine.kinds import KINDS
from rushes.facts import SourceRef
from rushes.keys import recipe_key
from rushes.options import Options
from rushes.profiles import Profile
from rushes.states import StepKind

PLAIN = Options()
_SEEN = ("audio.tracks", "limits.duration")
"""What every decoding looks at: the streams that share a time zero, and where it is cut off."""
_PROFILE_PART: dict[StepKind, tuple[str, ...]] = {
    StepKind.ENCODE: _SEEN,
    StepKind.CORRECT: _SEEN,
    StepKind.ANALYZE: ("video", *_SEEN),
    StepKind.AUDIO: ("audio", "video"),
    StepKind.REMUX: (),
}
"""The parts of a profile a step looks at; all of it where nothing is said."""


def recipe(
    spec: tuple[StepKind, str],
    source: SourceRef,
    params: Mapping[str, Any],
    profile: Profile,
    *,
    tool: str,
    options: Options = PLAIN,
) -> str:
    """`spec` is the step's kind and key; `tool` the version of the media tool.

    Of the source, its version counts and not its place: the name is used below one asset only, and the same video has the
    same recipes wherever it is stored.
    """
    rest = ingredients(spec, params, profile, tool=tool, options=options)
    return recipe_key({"source": [source.version, source.size], **rest})


def ingredients(
    spec: tuple[StepKind, str], params: Mapping[str, Any], profile: Profile, *, tool: str, options: Options
) -> dict[str, Any]:
    """Everything but the source that a step's result depends on; what the probe finds in it follows from the source, the tool
    and the probe's version."""
    kind, key = spec
    parts = _PROFILE_PART.get(kind)
    whole = profile.model_dump(mode="json")
    found = {
        "step": [key, kind.value, KINDS[kind].version],
        "params": dict(params),
        "profile": whole if parts is None else {part: _part(whole, part) for part in parts},
        "tool": [tool, KINDS[StepKind.PROBE].version],
    }
    return found if options.is_plain else {**found, "options": options.model_dump(mode="json", exclude={"playback"})}


def _part(whole: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - whatever is there
    """`audio.tracks`: of the part `audio`, that."""
    return reduce(lambda part, name: part[name], path.split("."), whole)
