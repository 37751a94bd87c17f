"""Work that is not done twice: its name by the bytes it works on, and what becomes of a result that is copied. Pure.

A recipe names work within one asset; the name of the work itself holds across the assets of a tenant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rushes.engine.recipe import PLAIN, ingredients
from rushes.engine.rounds import plain
from rushes.keys import artifact_prefix, output_prefix, private_prefix, recipe_key
from rushes.model import (
    AnalysisResult,
    ImageArtifact,
    PosterResult,
    Result,
    StepSpec,
    StoryboardResult,
    TracksResult,
)
from rushes.options import Options
from rushes.profiles import Profile
from rushes.states import StepKind
from rushes.tracks import Track

SHARED = frozenset(
    {
        *(StepKind.ANALYZE, StepKind.ENCODE, StepKind.CORRECT, StepKind.AUDIO),
        *(StepKind.POSTER, StepKind.STORYBOARD),
    }
)
"""Kinds whose results follow from the source's bytes, the recipe and the tool alone. Transcripts and labels also follow
from models, which an operator may have changed meanwhile."""
CHECKSUM = "checksum"
_WAIT = frozenset({StepKind.ANALYZE, StepKind.ENCODE, StepKind.AUDIO})
_MEDIA = re.compile(r"^(?:media|private)/\w+/t/\w+/\d+/(.*)$")
_ARTIFACT = re.compile(r"^artifacts/\w+/\w+/\d+/(.*)$")
Place = tuple[str, str, int]
"""Asset, recipe and fence: where an attempt puts what it makes."""


def work_key(
    spec: tuple[StepKind, str],
    source: tuple[str | None, int],
    params: Mapping[str, Any],
    profile: Profile,
    *,
    tool: str,
    options: Options = PLAIN,
) -> str | None:
    """`source` is its SHA-256 and size. None for what is always done, or while the digest is not known yet."""
    kind, key = spec
    sha256, size = source
    if kind not in SHARED or sha256 is None:
        return None
    rest = ingredients((kind, plain(key)), params, profile, tool=tool, options=options)
    return recipe_key({"source": [sha256, size], **rest})


def awaiting(specs: Sequence[StepSpec], urgent: int) -> list[StepSpec]:
    """The same steps, those worth it after the checksum: until then nobody knows whether the work was done before. Steps of
    priority `urgent` and above, and what is only provisional, do not wait."""
    return [
        spec.model_copy(update={"after": (*spec.after, CHECKSUM)})
        if spec.kind in _WAIT and spec.priority < urgent and not spec.params.get("provisional")
        else spec
        for spec in specs
    ]


def objects(result: Result) -> Iterator[tuple[str, int | None]]:
    """Keys of the objects that a result names, with their sizes where it says them."""
    match result:
        case TracksResult():
            for track in result.tracks:
                yield from _of_track(track)
        case PosterResult():
            yield result.poster.key, None
        case StoryboardResult():
            yield result.sprite.key, None
            yield result.vtt_key, None
            yield from _of_track(result.track) if result.track else ()


def _of_track(track: Track) -> Iterator[tuple[str, int | None]]:
    if track.init:
        yield track.prefix + track.init, track.init_size
    yield from ((track.prefix + segment.name, segment.size) for segment in track.segments)


def moved(result: Result, place: Place, *, private: bool = False) -> Result | None:
    """A result as it is once its objects lie below `place`; None for one that cannot be moved. `private`: its tracks go where
    nobody but us can read them."""
    try:
        match result:
            case AnalysisResult():
                return result
            case TracksResult():
                tracks = tuple(_track(track, place, private=private) for track in result.tracks)
                return result.model_copy(update={"tracks": tracks})
            case PosterResult():
                return result.model_copy(update={"poster": _image(result.poster, place)})
            case StoryboardResult():
                fields = {"sprite": _image(result.sprite, place), "vtt_key": moved_key(result.vtt_key, place)}
                sheets = result.track and _track(result.track, place)
                return result.model_copy(update={**fields, "track": sheets})
    except ValueError:
        return None
    return None


def moved_key(key: str, place: Place, *, private: bool = False) -> str:
    """The same object below another attempt's place. Raises ValueError for a key that no attempt has written."""
    patterns: tuple[tuple[re.Pattern[str], Callable[[str, str, int], str]], ...] = (
        (_MEDIA, private_prefix if private else output_prefix),
        (_ARTIFACT, artifact_prefix),
    )
    for pattern, prefix in patterns:
        if found := pattern.match(key):
            return prefix(*place) + found[1]
    raise ValueError(f"{key} is not the output of an attempt")


def _track(track: Track, place: Place, *, private: bool = False) -> Track:
    return track.model_copy(update={"prefix": moved_key(track.prefix, place, private=private)})


def _image(image: ImageArtifact, place: Place) -> ImageArtifact:
    return image.model_copy(update={"key": moved_key(image.key, place)})
