"""Encodes of an asset after the first: the same graph once more, beside what plays, under keys of its own. Pure.

The steps of the second encode are called `encode.0~2`, `package.ready~2`. A step sees the results of those it waits for
without that mark, so no step knows in which encode it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rushes.engine.checking import CHECKED, LINT
from rushes.engine.kinds import KINDS
from rushes.model import StepSpec
from rushes.states import StepKind, StepState

MARK = "~"
AGAIN = frozenset(
    {
        *(StepKind.ANALYZE, StepKind.ENCODE, StepKind.CORRECT, StepKind.AUDIO),
        *(StepKind.REMUX, StepKind.PACKAGE, StepKind.LINT, StepKind.DOWNLOAD),
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
    lints = [names[spec.key] for spec in kept if spec.kind is StepKind.LINT]
    files = [names[spec.key] for spec in kept if spec.kind is StepKind.DOWNLOAD]
    publish = next((spec for spec in specs if spec.kind is StepKind.PUBLISH), None)
    if publish is None or not packages:
        return steps
    verdicts = [spec.key for spec in specs if spec.kind is StepKind.VERDICT]
    last = {
        "key": marked("publish.ready", number),
        "params": {"phase": "ready", CHECKED: True} if lints else {"phase": "ready"},
        "after": (*verdicts, *packages, *lints, *files),
    }
    return [*steps, publish.model_copy(update={**last, "priority": PATIENT})]


def followers(
    steps: Mapping[str, tuple[str, StepState]], links: Iterable[tuple[str, str]], refusing: Collection[str] = ()
) -> list[str]:
    """Of `steps`, key and state by id, those that have ended well and have to be done once more when what failed or was
    cancelled is taken up again: builds that had to do without it, and their publication. `links`: a step and one that it
    waits for. `refusing`: checks that refused their builds, which are looked at again, for rules change too.
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
    enriched = set(following("package.enriched", _WELL, anew))  # one that is done may have one of two things
    again: set[str] = set()
    for _ in _LATER:  # a build on demand is made on some of the others, and some are made on it
        again |= {*enriched, *(step for name in _LATER[1:] for step in following(name, _WELL, anew | again | enriched))}
        enriched |= set(following(_LATER[0], _WELL, _named(steps, again, "package.lazy")))
    builds = again | enriched | {step for step in anew if steps[step][0].startswith(_LATER)}
    last = {
        step for step in builds if not any(steps[one][1] is StepState.DONE for one in again & _behind(before, step))
    }
    published = following(f"publish.ready{MARK}", _WELL, builds)
    for name in reversed(_LATER):  # where a later one is there, viewers would lose what they have for a moment
        published += following(name.replace("package", "publish"), _WELL, _named(steps, last, name))
    checks = following(LINT, _WELL, anew | again | enriched)
    same = [step for step in refusing if step not in checks]  # of builds that are not made again
    lost = {*(step for step in anew if steps[step][0].startswith(LINT)), *same}
    published += [step for step in following("publish.", _WELL, lost) if step not in published]
    made = [step for name in _LATER for step in sorted(_named(steps, again | enriched, name))]
    return [*made, *checks, *same, *published]


_WELL = (StepState.DONE, StepState.SKIPPED)
_LATER = ("package.enriched", "package.lazy", "package.codecs")
"""Builds that are made on another one."""


def _named(steps: Mapping[str, tuple[str, StepState]], which: Collection[str], name: str) -> set[str]:
    return {step for step in which if steps[step][0].startswith(name)}


def _behind(before: Mapping[str, set[str]], step: str) -> set[str]:
    """Those that wait for a step."""
    return {other for other, waits in before.items() if step in waits}


def _renamed(spec: StepSpec, names: dict[str, str]) -> StepSpec:
    """What it waits for in vain here (a transcript) is that of the first encode."""
    after = tuple(names.get(key, key) for key in spec.after)
    return spec.model_copy(update={"key": names[spec.key], "after": after, "priority": min(spec.priority, PATIENT)})
