"""What makes an asset playable before its ladder: a copy of a standard source, or a first look at any other. Pure.

The first look is one low rung, cut into chunks that become longer: the first one is published as soon as it is there, in a
playlist that grows with the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from rushes.engine.checking import checked
from rushes.engine.specs import FAST, NORMAL, step
from rushes.engine.standard import not_standard
from rushes.facts import SourceFacts
from rushes.model import StepSpec
from rushes.options import Options
from rushes.plan import Chunk, Look, Plan
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import StepKind

MOST_OF_CAP = 2
"""Times the cap: what a segment may have whose length is that of the encoder's buffer."""
LOOK_END = "package.first.end"
"""The step that ends a look, whatever became of the others: a player must not wait for ever."""
SOUND_BITS = 256_000
"""Bits per second that are set aside for sound in what a first look is announced with."""


def remux() -> StepSpec:
    """Needs nothing that a probe finds, so it may run beside it. Without the probe it is of no use: that goes first."""
    return step("remux", StepKind.REMUX, priority=FAST, cost=0.2, required=False)


def lane(
    facts: SourceFacts, found: Plan, profile: Profile, policy: Policy, options: Options, audio: Sequence[StepSpec]
) -> list[StepSpec]:
    """`audio`: the step that makes the sound, if any; it becomes part of the lane where a first look needs it."""
    if not profile.fast_lane:
        return []
    if options.is_plain and not_standard(facts) is None:
        return [remux(), *_playable(("remux",), policy)]
    if found.look is None:
        return []
    return _first_look(facts, found.look, policy, audio)


def _playable(after: Sequence[str], policy: Policy, **params: object) -> list[StepSpec]:
    """The provisional build of what the steps `after` give, and its publication where the policy does not wait for more:
    whether a source is whole is known only when all of it has been decoded."""
    first = _urgent("package.first", StepKind.PACKAGE, *after, **params)
    if policy.publish_when != "playable" or policy.partial != "publish":
        return [first]
    verdict = _urgent("verdict.first", StepKind.VERDICT, first.key, *after)
    return checked([first, verdict, _urgent("publish.first", StepKind.PUBLISH, verdict.key, first.key)])


def _urgent(key: str, kind: StepKind, *after: str, **params: object) -> StepSpec:
    spec = step(key, kind, *after, priority=FAST, cost=0.1, required=False)
    return spec.model_copy(update={"params": {"phase": "first", **params}})


def _first_look(facts: SourceFacts, look: Look, policy: Policy, audio: Sequence[StepSpec]) -> list[StepSpec]:
    sound = [spec.model_copy(update={"priority": FAST}) for spec in audio]
    heard = [spec.key for spec in sound]
    growing = len(look.chunks) > 1
    chunks = [_chunk(facts, look, chunk) for chunk in look.chunks]
    rung, grid = look.ladder.rungs[0], look.ladder.grid
    about = {"segment": str(grid.segment_seconds)}
    bandwidth = MOST_OF_CAP * rung.max_bitrate + SOUND_BITS * len(sound)
    steps = [*sound, chunks[0]]
    steps += _playable(("first.0", *heard), policy, growing=growing, bandwidth=bandwidth, **about)
    for chunk in chunks[1:]:
        steps += [chunk, _growth(chunk, heard, len(chunks), about)]
    return [*steps, _end([spec.key for spec in steps if spec.key.startswith("package.first")])] if growing else steps


def _end(builds: Sequence[str]) -> StepSpec:
    spec = step(LOOK_END, StepKind.PACKAGE, *builds, priority=NORMAL, cost=0.1, required=False)
    return spec.model_copy(update={"params": {"phase": "end"}})


def _growth(chunk: StepSpec, heard: Sequence[str], count: int, about: dict[str, str]) -> StepSpec:
    """The build with this chunk more."""
    number = int(chunk.params["chunk"]["number"])
    before = "package.first" if number == 1 else f"package.first.{number - 1}"
    after = (before, chunk.key, *heard)
    spec = step(f"package.first.{number}", StepKind.PACKAGE, *after, priority=chunk.priority, cost=0.1, required=False)
    return spec.model_copy(update={"params": {"phase": "grow", "last": number == count - 1, **about}})


def _chunk(facts: SourceFacts, look: Look, chunk: Chunk) -> StepSpec:
    """The first one has the machine for itself; the others come in their order."""
    first = chunk.number == 0
    return step(
        f"first.{chunk.number}",
        StepKind.ENCODE,
        *(() if first else ("first.0",)),
        priority=FAST if first else max(NORMAL + 1, FAST - chunk.number),
        cost=_cost(facts, look, chunk),
        required=False,
        chunk=chunk.model_dump(mode="json"),
        chunks=len(look.chunks),
        ladder=look.ladder.model_dump(mode="json"),
        provisional=True,
    )


def _cost(facts: SourceFacts, look: Look, chunk: Chunk) -> float:
    """CPU seconds: nearly all of it is decoding (measured: 4.4 for 28 s of 1080p30, 2.5e-9 a pixel)."""
    if facts.video is None:
        return 1.0
    frames = chunk.frames if chunk.frames is not None else facts.duration * float(look.ladder.grid.fps) - chunk.first
    return 2.5e-9 * max(0.0, frames) * facts.video.width * facts.video.height
