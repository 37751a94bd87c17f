"""What is made once somebody wants to see the video: the rungs and codecs that a build was published without. Pure.

The steps of encode 2 carry its mark, as all of its steps do (`rushes.engine.rounds`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rushes.engine.graph import chunk_steps, corrected, published_too
from rushes.engine.rounds import marked, plain, round_of
from rushes.engine.specs import FAST, NORMAL, step
from rushes.facts import SourceFacts
from rushes.model import StepSpec
from rushes.plan import Ladder, Plan
from rushes.states import StepKind, StepState

PACKAGE, PUBLISH = "package.lazy", "publish.lazy"
AT_ONCE = FAST
"""Priority of a chunk for which a player is waiting: never above what makes an upload playable, for anybody may ask."""
_LATER_CODEC = 4
"""Chunks of the first codec that go before the first one of the next: every device plays those."""
PREFIX = "encode.lazy."
_KINDS = (PREFIX, "correct.lazy.", PACKAGE, "lint.lazy", PUBLISH)


def is_lazy(key: str) -> bool:
    """Whether a step, by its key, was planned on demand."""
    return plain(key).startswith(_KINDS)


def name_of(ladder: Ladder) -> str:
    return PREFIX + ladder.name


def ladder_of(rung: str) -> str:
    """The name of the ladder that a rung is of, by its own: `720p` -> `h264`, `720p-hevc-hdr` -> `hevc-hdr`."""
    return rung.partition("-")[2] or "h264"


def lazy_steps(facts: SourceFacts, found: Plan, number: int, builds: Sequence[str]) -> list[StepSpec]:
    """Of encode `number`: the chunks of what the plan puts off, the first ones first, and one build with all of it.

    `builds` are the keys of what it is added to: steps that package, done or running. None of this is required of the asset.
    """
    steps: list[StepSpec] = []
    short = found.model_copy(update={"chunks": found.lazy_chunks or found.chunks})
    for place, ladder in enumerate(found.lazy):
        cut = short if ladder.name == found.ladders[0].name else found
        chunks = [
            spec.model_copy(update={"priority": max(NORMAL + 1, FAST - 1 - at - _LATER_CODEC * place)})
            for at, spec in enumerate(chunk_steps(facts, cut, ladder, FAST, name_of(ladder), required=False))
        ]
        steps += [*chunks, *corrected(ladder, chunks, f"correct.lazy.{ladder.name}")]
    if not steps:
        return []
    keys = [spec.key for spec in steps]
    steps.append(step(PACKAGE, StepKind.PACKAGE, *keys, phase="lazy", priority=NORMAL + 1, required=False))
    soon = {"priority": NORMAL + 1}
    steps += [spec.model_copy(update=soon) for spec in published_too("lazy", ["verdict.ready"])]
    names = {spec.key: marked(spec.key, number) if number > 1 else spec.key for spec in steps}
    return [_renamed(spec, names, builds if spec.kind is StepKind.PACKAGE else ()) for spec in steps]


def _renamed(spec: StepSpec, names: Mapping[str, str], more: Sequence[str]) -> StepSpec:
    after = (*(names.get(key, key) for key in spec.after), *more)
    return spec.model_copy(update={"key": names[spec.key], "after": after})


def builds_before(steps: Mapping[str, StepState], number: int) -> list[str]:
    """Of the steps of encode `number`, by key: those whose builds the lazy one is made on."""
    return [key for key, state in _builds(steps, number) if state.is_final or state is StepState.RUNNING]


def builds_behind(steps: Mapping[str, StepState], number: int) -> list[str]:
    """Those that have not begun: they are made on the lazy one, so that nothing is missing from them."""
    return [key for key, state in _builds(steps, number) if not state.is_final and state is not StepState.RUNNING]


def _builds(steps: Mapping[str, StepState], number: int) -> list[tuple[str, StepState]]:
    names = ("package.ready", "package.enriched", "package.codecs", "package.rekey")
    return [(key, state) for key, state in steps.items() if key.startswith(names) and round_of(key) == number]


def is_under_way(steps: Mapping[str, StepState], number: int) -> bool:
    """Another encode is being made, which the next build has to follow."""
    return any(round_of(key) > number and not state.is_final for key, state in steps.items())


def state(missing: Collection[object], steps: Mapping[str, StepState], *, wanted: bool) -> str:
    """In a word, how it is with what was put off: none, available, wanted, making, made. `steps`: those of the encode that
    plays, by key."""
    own = [found for key, found in steps.items() if is_lazy(key)]
    if any(not found.is_final for found in own):
        return "making"
    if own and not missing:
        return "made"
    if wanted and not own:
        return "wanted"
    return "available" if missing else "none"
