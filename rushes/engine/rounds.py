"""Encodes of an asset after the first: the same graph once more, beside what plays, under keys of its own. Pure.

The steps of the second encode are called `encode.0~2`, `package.ready~2`. A step sees the results of those it waits for
without that mark, so no step knows in which encode it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rushes.engine.kinds import KINDS
from rushes.model import StepSpec
from rushes.states import StepKind, StepState

MARK = "~"
AGAIN = frozenset(
    {
        *(StepKind.ANALYZE, StepKind.ENCODE, StepKind.CORRECT, StepKind.AUDIO),
        *(StepKind.REMUX, StepKind.PACKAGE, StepKind.DOWNLOAD),
    }
)
"""What depends on the profile. Poster, transcript, labels and verdict are those of the asset, whatever it is encoded as."""
PATIENT = -10
"""Priority: below everything that a first encode needs, for the asset plays already."""


def plain(key: str) -> str:
    """`encode.0~2` -> `encode.0`."""
    return key.partition(MARK)[0]


def round_of(key: str) -> int:
    """Which encode a step belongs to; 1 is the first."""
    number = key.partition(MARK)[2]
    return int(number) if number.isdecimal() else 1


def marked(key: str, number: int) -> str:
    return f"{key}{MARK}{number}"


def opening(number: int, after: Sequence[str]) -> StepSpec:
    """The first step of an encode: the source is looked at again, and the plan for its profile made. It comes after what
    is still being done to the asset, so that builds follow each other."""
    return StepSpec(
        key=marked("probe", number),
        kind=StepKind.PROBE,
        pool=KINDS[StepKind.PROBE].pool,
        after=tuple(after),
        priority=PATIENT,
        cost=0.2,
    )


def again(specs: Sequence[StepSpec], number: int) -> list[StepSpec]:
    """The steps of encode `number` among those of a first one. Those that are required are so for this encode, not for the
    asset. Its pointer is written once, when everything of it is there: until then it may be given up without a trace."""
    kept = [spec for spec in specs if spec.kind in AGAIN]
    names = {spec.key: marked(spec.key, number) for spec in kept}
    steps = [_renamed(spec, names) for spec in kept]
    packages = [names[spec.key] for spec in kept if spec.kind is StepKind.PACKAGE]
    files = [names[spec.key] for spec in kept if spec.kind is StepKind.DOWNLOAD]
    publish = next((spec for spec in specs if spec.kind is StepKind.PUBLISH), None)
    if publish is None or not packages:
        return steps
    verdicts = [spec.key for spec in specs if spec.kind is StepKind.VERDICT]
    last = {
        "key": marked("publish.ready", number),
        "params": {"phase": "ready"},
        "after": (*verdicts, *packages, *files),
    }
    return [*steps, publish.model_copy(update={**last, "priority": PATIENT})]


def followers(steps: Mapping[str, tuple[str, StepState]], links: Iterable[tuple[str, str]]) -> list[str]:
    """Of `steps`, key and state by id, those that have ended well and have to be done once more when what failed or was
    cancelled is taken up again: builds that had to do without it, and their publication. `links`: a step and one that it
    waits for.
    """
    before: dict[str, set[str]] = {}
    for step, after in links:
        before.setdefault(step, set()).add(after)

    def following(prefix: str, ended: Collection[StepState], those: set[str]) -> list[str]:
        return [
            step
            for step, (key, state) in steps.items()
            if key.startswith(prefix) and state in ended and before.get(step, set()) & those
        ]

    anew = {step for step, (_, state) in steps.items() if state in (StepState.FAILED, StepState.CANCELLED)}
    enriched = following("package.enriched", (StepState.SKIPPED,), anew)  # one that is done has all it could have
    codecs = following("package.codecs", _WELL, anew | set(enriched))
    builds = {step for step in anew if steps[step][0].startswith(("package.enriched", "package.codecs"))}
    builds |= {*enriched, *codecs}
    published = following("publish.codecs", _WELL, builds) + following(f"publish.ready{MARK}", _WELL, builds)
    if not any(
        steps[step][1] is StepState.DONE for step in codecs
    ):  # else viewers would lose what they have for a moment
        published += following("publish.enriched", _WELL, builds)
    return [*enriched, *codecs, *published]


_WELL = (StepState.DONE, StepState.SKIPPED)


def _renamed(spec: StepSpec, names: dict[str, str]) -> StepSpec:
    """What it waits for in vain here (a transcript) is that of the first encode."""
    after = tuple(names.get(key, key) for key in spec.after)
    return spec.model_copy(update={"key": names[spec.key], "after": after, "priority": min(spec.priority, PATIENT)})
