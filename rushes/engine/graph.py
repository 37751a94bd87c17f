"""The steps of an asset, as one pure function of what is known about it.

Adding a kind of step touches this file and the module that does the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushes.engine.checking import checked
from rushes.engine.early import EARLY_PROBE, Pieces
from rushes.engine.effort import encode_cost
from rushes.engine.lane import lane, remux
from rushes.engine.rounds import round_of
from rushes.engine.specs import ENRICH, FAST, NORMAL
from rushes.engine.specs import step as _step
from rushes.facts import SourceFacts
from rushes.model import StepSpec
from rushes.options import Options
from rushes.plan import Chunk, Ladder, Plan
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import StepKind

BACK_CATALOGUE = -100
"""Added to all of them for assets that nobody waits for (`Asset.priority`)."""
PLAIN = Options()


def pull(url: str, upload: str) -> StepSpec:
    """The source is fetched from an address, into the upload. Intake follows when it is there."""
    return _step("pull", StepKind.PULL, priority=FAST, cost=1.0, url=url, upload=upload)


def early_probe(pieces: Pieces) -> StepSpec:
    """The probe of an upload that is not complete, by those bytes of it that are there."""
    return _step(EARLY_PROBE, StepKind.PROBE, priority=FAST, cost=0.2, required=False, **pieces.model_dump())


def intake(*, probed: bool = False, awaited: bool = False, plain: bool = False) -> list[StepSpec]:
    """What can be done before anything is known: find out. `probed`: it was found out before the last byte. `awaited`: the
    encodes wait for the checksum, since the same work may have been done before. `plain`: the source may be delivered as it
    is, so it is cut at once; whether it should have been, the probe will say."""
    priority = FAST - 2 if awaited else ENRICH  # behind what makes it playable
    checksum = _step("checksum", StepKind.CHECKSUM, priority=priority, cost=0.5, required=False)
    if probed:
        return [checksum]
    return [_step("probe", StepKind.PROBE, priority=FAST + 1, cost=0.2), *([remux()] if plain else []), checksum]


def plan(facts: SourceFacts, found: Plan, profile: Profile, policy: Policy, options: Options = PLAIN) -> list[StepSpec]:
    """Everything that follows the probe, in an order in which each step comes after those it waits for. `facts` are those of
    what is delivered (`engine.clip.shown`).

    Where the profile aims at a quality, what is encoded is known only after the analysis: `delivery` follows that.
    """
    fast = lane(facts, found, profile, policy, options, _sound(facts, found, profile))
    early = {step.key for step in fast}
    rest = [step for step in body(facts, found, profile, policy) if step.key not in early]
    return [*fast, *_behind(fast, [*_speech(facts, profile), *rest])]


def _behind(fast: Sequence[StepSpec], rest: list[StepSpec]) -> list[StepSpec]:
    """What works for long begins when the source is cut as it is, however that went: a copy of 20 min took twice as long
    beside it (docs/decisions/0020)."""
    copies = tuple(step.key for step in fast if step.kind is StepKind.REMUX)
    return [step if step.after else step.model_copy(update={"after": copies}) for step in rest]


def body(facts: SourceFacts, found: Plan, profile: Profile, policy: Policy) -> list[StepSpec]:
    """What leads to the whole ladder: the analysis where a quality is aimed at, else all of it."""
    if profile.video.quality is None:
        return delivery(facts, found, profile, policy)
    return [_analysis(facts, found)]


ENCODES_BY_ANALYSIS = 4.0
"""CPU seconds of the encodes that follow an analysis, by those that it is reckoned to take itself."""


def _analysis(facts: SourceFacts, found: Plan) -> StepSpec:
    """Its own end is no end of the asset: `found` is carried out then."""
    cost = max(1.0, _encode_cost(facts, found.ladders[0], 1.0) / ENCODES_BY_ANALYSIS)
    fixed = found.model_dump(mode="json")
    return _step("analyze", StepKind.ANALYZE, priority=NORMAL, cost=cost, required=False, plan=fixed)


def delivery(facts: SourceFacts, found: Plan, profile: Profile, policy: Policy) -> list[StepSpec]:
    """The encodes of a plan, and what follows from them."""
    steps = _ladder(facts, found, profile)
    steps += _enrichment(facts, profile)
    steps += _later_codecs(facts, found, {step.key for step in steps})
    return steps + _publication(steps, policy)


def _later_codecs(facts: SourceFacts, found: Plan, keys: set[str]) -> list[StepSpec]:
    """The plan's other codecs, and one build with everything. None of it keeps an asset from being ready."""
    steps = []
    for ladder in found.ladders[1:]:
        chunks = chunk_steps(facts, found, ladder, ENRICH, f"encode.{ladder.name}", required=False)
        steps += [*chunks, *corrected(ladder, chunks, f"correct.{ladder.name}")]
    if not steps:
        return []
    builds = [key for key in ("package.ready", "package.enriched") if key in keys]
    after = [*builds, *(step.key for step in steps)]
    return [*steps, _step("package.codecs", StepKind.PACKAGE, *after, phase="codecs", required=False)]


def _ladder(facts: SourceFacts, found: Plan, profile: Profile) -> list[StepSpec]:
    """What makes the asset ready: the first codec's chunks, and the sound."""
    chunks = chunk_steps(facts, found, found.ladders[0], NORMAL, "encode")
    steps = [*chunks, *corrected(found.ladders[0], chunks, "correct")]
    steps += _reused(found, [step.key for step in chunks])
    steps += _sound(facts, found, profile)
    keys = [step.key for step in steps]
    late = [rung.model_dump(mode="json") for ladder in found.lazy for rung in ladder.rungs]
    more: dict[str, Any] = {"lazy": late} if late else {}
    return [*steps, _step("package.ready", StepKind.PACKAGE, *keys, phase="ready", priority=NORMAL, cost=0.2, **more)]


def corrected(ladder: Ladder, chunks: Sequence[StepSpec], key: str) -> list[StepSpec]:
    """What was encoded is measured where the plan says what to expect of it; what is off is encoded once more."""
    if ladder.viewing is None:
        return []
    more: dict[str, Any] = {"ladder": ladder.model_dump(mode="json"), "chunk": Chunk().model_dump(mode="json")}
    after = [step.key for step in chunks]
    return [
        _step(key, StepKind.CORRECT, *after, priority=chunks[0].priority, cost=0.3, required=False, chunks=1, **more)
    ]


def _reused(found: Plan, chunks: Sequence[str]) -> list[StepSpec]:
    """The rung that the source itself is. It waits for the others, whose decoding says whether the source is whole."""
    if not found.reuse or found.top is None:
        return []
    ladder = Ladder(rungs=(found.top,), grid=found.grid).model_dump(mode="json")
    chunk = Chunk().model_dump(mode="json")
    more: dict[str, Any] = {"ladder": ladder, "chunk": chunk, "chunks": 1, "reuse": True}
    return [_step("encode.reuse", StepKind.ENCODE, *chunks, priority=NORMAL, cost=0.3, **more)]


def _sound(facts: SourceFacts, found: Plan, profile: Profile) -> list[StepSpec]:
    """Once and whole; none where there is nothing to hear."""
    if not facts.audio and not profile.audio.silence:
        return []
    cost, seconds = 0.02 * facts.duration, (facts.video.duration if facts.video else None) or facts.duration
    grid = found.grid.model_dump(mode="json")
    return [_step("audio", StepKind.AUDIO, priority=NORMAL, cost=cost, duration=seconds, grid=grid)]


def chunk_steps(
    facts: SourceFacts, found: Plan, ladder: Ladder, priority: int, name: str, *, required: bool = True
) -> list[StepSpec]:
    """A ladder's encodes, one for each chunk of the plan."""
    rungs = ladder.model_dump(mode="json")
    return [
        _step(
            f"{name}.{chunk.number}",
            StepKind.ENCODE,
            priority=priority,
            required=required,
            cost=_encode_cost(facts, ladder, _share(facts, ladder, chunk)),
            chunk=chunk.model_dump(mode="json"),
            chunks=len(found.chunks),
            ladder=rungs,
        )
        for chunk in found.chunks
    ]


def _share(facts: SourceFacts, ladder: Ladder, chunk: Chunk) -> float:
    """Of the whole length, that of the chunk."""
    whole = max(1.0, facts.duration * float(ladder.grid.fps))
    frames = chunk.frames if chunk.frames is not None else whole - chunk.first
    return min(1.0, max(0.0, frames / whole))


def _encode_cost(facts: SourceFacts, ladder: Ladder, share: float) -> float:
    """CPU seconds."""
    frames = facts.duration * float(ladder.grid.fps) * share
    return sum(encode_cost(rung, frames) for rung in ladder.rungs)


def _speech(facts: SourceFacts, profile: Profile) -> list[StepSpec]:
    if not profile.enrichment.transcript:
        return []
    return [_step("transcript", StepKind.TRANSCRIPT, priority=ENRICH, cost=facts.duration / 4, required=False)]


def _enrichment(facts: SourceFacts, profile: Profile) -> list[StepSpec]:
    wanted, steps = profile.enrichment, []
    if wanted.poster:
        steps.append(_step("poster", StepKind.POSTER, "package.ready", priority=NORMAL, required=False))
    if wanted.storyboard:
        steps.append(_step("storyboard", StepKind.STORYBOARD, "package.ready", priority=ENRICH, required=False))
    if profile.outputs.mp4:
        steps.append(_step("download", StepKind.DOWNLOAD, "package.ready", priority=ENRICH, required=False))
    more = [
        key for key, is_wanted in (("transcript", wanted.transcript), ("storyboard", wanted.storyboard)) if is_wanted
    ]
    if more:
        steps.append(
            _step("package.enriched", StepKind.PACKAGE, "package.ready", *more, phase="enriched", required=False)
        )
    if wanted.labels:
        steps.append(
            _step("labels", StepKind.LABELS, "package.ready", priority=ENRICH, cost=facts.duration / 20, required=False)
        )
    return steps


def _publication(steps: list[StepSpec], policy: Policy) -> list[StepSpec]:
    """Verdicts and pointers. Where labels come first the verdict waits for them; else it is looked at again when they come."""
    keys = {step.key for step in steps}
    labels = ["labels"] if "labels" in keys else []
    waits = labels if policy.publish_when == "labelled" else []
    more = [
        _step("verdict.ready", StepKind.VERDICT, "package.ready", *waits, phase="ready", priority=NORMAL),
        _step("publish.ready", StepKind.PUBLISH, "verdict.ready", "package.ready", phase="ready", priority=NORMAL),
    ]
    verdicts = ["verdict.ready"]
    if labels and not waits and policy.rules:
        more.append(
            _step("verdict.labels", StepKind.VERDICT, "package.ready", "labels", phase="labels", priority=NORMAL)
        )
        verdicts.append("verdict.labels")
    for phase in ("enriched", "codecs"):
        if f"package.{phase}" in keys:
            more += published_too(phase, verdicts)
    return checked(more)


def published_too(phase: str, verdicts: Sequence[str]) -> list[StepSpec]:
    """The publication of one build more, which no asset needs."""
    after = (f"package.{phase}", *verdicts)
    return checked([_step(f"publish.{phase}", StepKind.PUBLISH, *after, phase=phase, required=False)])


def review(number: int) -> list[StepSpec]:
    """A moderator's decision takes effect: a fresh verdict, and the pointer if it says so. `number` makes the keys unique."""
    verdict = f"verdict.review.{number}"
    return [
        _step(verdict, StepKind.VERDICT, "package.ready", phase="review", priority=FAST),
        _step(
            f"publish.review.{number}",
            StepKind.PUBLISH,
            verdict,
            "package.ready",
            "lint.ready",
            phase="review",
            priority=FAST,
        ),
    ]


def republication(number: int, keys: Sequence[str]) -> list[StepSpec]:
    """The pointer is written again, by the verdicts and for the newest build among the steps `keys`. That of a later encode is
    the asset's own by then, or not to be seen."""
    said = [key for key in keys if key.startswith(("verdict.", "package.", "lint.")) and round_of(key) == 1]
    return [_step(f"publish.retry.{number}", StepKind.PUBLISH, *said, phase="review", priority=NORMAL)]
