"""The steps of an asset, as one pure function of what is known about it.

Adding a kind of step touches this file and the module that does the step.
"""

from __future__ import annotations

from collections.abc import Sequence

from rushes.engine.early import EARLY_PROBE, Pieces
from rushes.engine.kinds import KINDS
from rushes.engine.standard import not_standard
from rushes.facts import SourceFacts
from rushes.model import Ladder, StepSpec
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import StepKind

FAST, NORMAL, ENRICH = 20, 10, 0
"""Priority classes: what makes an asset playable goes before what completes it, and that before what adorns it."""
BACK_CATALOGUE = -100
"""Added to all of them for assets that nobody waits for (`Asset.priority`)."""


def pull(url: str, upload: str) -> StepSpec:
    """The source is fetched from an address, into the upload. Intake follows when it is there."""
    return _step("pull", StepKind.PULL, priority=FAST, cost=1.0, url=url, upload=upload)


def early_probe(pieces: Pieces) -> StepSpec:
    """The probe of an upload that is not complete, by those bytes of it that are there."""
    return _step(EARLY_PROBE, StepKind.PROBE, priority=FAST, cost=0.2, required=False, **pieces.model_dump())


def intake(*, probed: bool = False) -> list[StepSpec]:
    """What can be done before anything is known: find out. `probed`: it was found out before the last byte."""
    checksum = _step("checksum", StepKind.CHECKSUM, priority=ENRICH, cost=0.5, required=False)
    return [checksum] if probed else [_step("probe", StepKind.PROBE, priority=FAST, cost=0.2), checksum]


def plan(facts: SourceFacts, ladder: Ladder, profile: Profile, policy: Policy) -> list[StepSpec]:
    """Everything that follows the probe, in an order in which each step comes after those it waits for."""
    steps = _fast_lane(policy) if profile.fast_lane and not_standard(facts) is None else []
    steps += _ladder(facts, ladder, profile)
    steps += _enrichment(facts, profile)
    return steps + _publication(steps, policy)


def _fast_lane(policy: Policy) -> list[StepSpec]:
    steps = [
        _step("remux", StepKind.REMUX, priority=FAST, cost=0.2, required=False),
        _step("package.first", StepKind.PACKAGE, "remux", phase="first", priority=FAST, cost=0.1, required=False),
    ]
    if policy.publish_when == "playable":
        steps += [
            _step(
                "verdict.first",
                StepKind.VERDICT,
                "package.first",
                "remux",
                phase="first",
                priority=FAST,
                required=False,
            ),
            _step(
                "publish.first",
                StepKind.PUBLISH,
                "verdict.first",
                "package.first",
                phase="first",
                priority=FAST,
                required=False,
            ),
        ]
    return steps


def _ladder(facts: SourceFacts, ladder: Ladder, profile: Profile) -> list[StepSpec]:
    plan_of_rungs = ladder.model_dump(mode="json")
    steps = [
        _step(
            "encode.0",
            StepKind.ENCODE,
            priority=NORMAL,
            cost=_encode_cost(facts, ladder),
            chunk=0,
            chunks=1,
            ladder=plan_of_rungs,
        )
    ]
    if facts.audio:
        cost = 0.02 * facts.duration
        duration = facts.video.duration if facts.video else None
        grid = ladder.grid.model_dump(mode="json")
        steps.append(
            _step("audio", StepKind.AUDIO, priority=NORMAL, cost=cost, duration=duration or facts.duration, grid=grid)
        )
    keys = [step.key for step in steps]
    return [*steps, _step("package.ready", StepKind.PACKAGE, *keys, phase="ready", priority=NORMAL, cost=0.2)]


def _encode_cost(facts: SourceFacts, ladder: Ladder) -> float:
    """CPU seconds, from megapixels: x264 veryfast 1080p takes 27 CPU-s for 28 s of 30 fps (measured: 1.55e-8 s a pixel)."""
    frames = facts.duration * float(ladder.grid.fps)
    return 1.55e-8 * frames * sum(rung.width * rung.height for rung in ladder.rungs)


def _enrichment(facts: SourceFacts, profile: Profile) -> list[StepSpec]:
    wanted, steps = profile.enrichment, []
    if wanted.poster:
        steps.append(_step("poster", StepKind.POSTER, "encode.0", priority=NORMAL, required=False))
    if wanted.storyboard:
        steps.append(_step("storyboard", StepKind.STORYBOARD, "encode.0", priority=ENRICH, required=False))
    if wanted.transcript:
        steps.append(_step("transcript", StepKind.TRANSCRIPT, priority=ENRICH, cost=facts.duration / 4, required=False))
        steps.append(
            _step("package.enriched", StepKind.PACKAGE, "package.ready", "transcript", phase="enriched", required=False)
        )
    if wanted.labels:
        steps.append(
            _step("labels", StepKind.LABELS, "encode.0", priority=ENRICH, cost=facts.duration / 20, required=False)
        )
    return steps


def _publication(steps: list[StepSpec], policy: Policy) -> list[StepSpec]:
    """Verdicts and pointers. Where labels come first the verdict waits for them; else it is looked at again when they come."""
    keys = {step.key for step in steps}
    labels = ["labels"] if "labels" in keys else []
    waits = labels if policy.publish_when == "labelled" else []
    more = [
        _step("verdict.ready", StepKind.VERDICT, "package.ready", "encode.0", *waits, phase="ready", priority=NORMAL),
        _step("publish.ready", StepKind.PUBLISH, "verdict.ready", "package.ready", phase="ready", priority=NORMAL),
    ]
    verdicts = ["verdict.ready"]
    if labels and not waits and policy.rules:
        more.append(
            _step(
                "verdict.labels",
                StepKind.VERDICT,
                "package.ready",
                "encode.0",
                "labels",
                phase="labels",
                priority=NORMAL,
            )
        )
        verdicts.append("verdict.labels")
    if "package.enriched" in keys:
        after = ("package.enriched", *verdicts)
        more.append(_step("publish.enriched", StepKind.PUBLISH, *after, phase="enriched", required=False))
    return more


def review(number: int) -> list[StepSpec]:
    """A moderator's decision takes effect: a fresh verdict, and the pointer if it says so. `number` makes the keys unique."""
    verdict = f"verdict.review.{number}"
    return [
        _step(verdict, StepKind.VERDICT, "package.ready", "encode.0", phase="review", priority=FAST),
        _step(f"publish.review.{number}", StepKind.PUBLISH, verdict, "package.ready", phase="review", priority=FAST),
    ]


def republication(number: int, keys: Sequence[str]) -> list[StepSpec]:
    """The pointer is written again, by the verdicts and for the newest build among the steps `keys`."""
    said = [key for key in keys if key.startswith(("verdict.", "package."))]
    return [_step(f"publish.retry.{number}", StepKind.PUBLISH, *said, phase="review", priority=NORMAL)]


def _step(
    key: str, kind: StepKind, *after: str, priority: int = 0, cost: float = 0.3, required: bool = True, **params: object
) -> StepSpec:
    return StepSpec(
        key=key,
        kind=kind,
        pool=KINDS[kind].pool,
        params=params,
        after=after,
        required=required,
        priority=priority,
        cost=max(0.05, cost),
    )
