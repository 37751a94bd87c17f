"""The steps of one kind of upload as the simulator needs them: the graph of `engine.graph`, with what each step takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rushes.engine.classes import Class, class_of, deadline_of
from rushes.engine.cost import Learned, classes_of, estimate
from rushes.engine.kinds import KINDS
from rushes.engine.simulate.household import BRISK, BULK, PATIENT
from rushes.engine.specs import NORMAL
from rushes.model import StepSpec
from rushes.noun import Noun
from rushes.states import StepKind

PLAYABLE, READY = "package.first", "package.ready"
"""Steps whose ends make an asset what they are called here (`engine.outcome`)."""
TRIGGERS = ("", "probe", "analyze")
"""What is planned comes in three phases: with the source, and at the ends of these steps."""
SEEN_ENOUGH = 4
TRACE = 1
"""Version of the form of traces."""


class Pace(Noun):
    """What steps of one class of work were seen to take, in times of what the graph reckons, skipped ones included."""

    n: int
    cpu: float
    spread: float
    """Standard deviation of it."""
    wall: float
    """On a machine that has nothing else to do: its median."""
    wobble: float = 0.0
    """Standard deviation of the logarithm of it. 0: the wall follows the CPU seconds."""
    seen: float = 0.0
    """The wall as it was, whatever ran beside it: its geometric mean. 0: an older trace, which does not say."""
    seen_wobble: float = 0.0


@dataclass(frozen=True)
class Costs:
    """`learned` is what the scheduler goes by (`engine.cost`); `paces`, where they are known, are what steps really take."""

    learned: Mapping[str, Learned]
    paces: Mapping[str, Pace]
    together: float = 0.0
    """How far the walls of one asset's steps go together, 0 to 1: a video that is hard is so in all of its steps, and a moment at
    which the machine was slow concerns several."""


@dataclass(frozen=True, slots=True)
class Task:
    """A step of every asset of a shape. Times in seconds, CPU in core seconds."""

    key: str
    kind: str
    pool: str
    level: int
    within: float
    """From its planning to its deadline."""
    phase: int
    estimate: float
    """What its tenant is charged."""
    cpu: float
    spread: float
    """Standard deviation of the CPU, as a share of it."""
    wall: float
    wobble: float
    rank: int
    """Before which others it goes on a busy machine (`household`); an urgent one's is known when it begins."""
    inline: bool
    """Needs no child."""
    then: tuple[int, ...]
    """Places of those that wait for it."""
    triggers: int
    """The phase that its end plans; 0: none."""
    classes: tuple[str, ...]
    """Keys of paces, the one that tells most first."""
    planned: float
    """CPU seconds by the graph alone."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Uploads of one kind: same facts, same profile, same priority."""

    name: str
    tasks: tuple[Task, ...]
    waits: tuple[int, ...]
    """For how many others each waits."""
    playable: int
    ready: int
    """Places of the steps; -1: there is none."""
    together: float = 0.0
    """`Costs.together`"""

    @property
    def first(self) -> list[int]:
        return [place for place, count in enumerate(self.waits) if not count]

    @property
    def pools(self) -> set[str]:
        return {task.pool for task in self.tasks}

    def cpu(self, pools: Sequence[str], engine: float = 0.0) -> float:
        """CPU seconds of its steps in these pools; `engine`: for each beside its own."""
        return sum(task.cpu + engine for task in self.tasks if task.pool in pools)


def shape(name: str, phases: Sequence[Sequence[StepSpec]], costs: Costs, priority: int = 0) -> Shape:
    """`phases` are the steps that are planned with the source, after the probe, after the analysis. `priority` is the asset's
    (`Asset.priority`)."""
    steps: dict[str, tuple[int, StepSpec]] = {}
    for phase, specs in enumerate(phases):
        for spec in specs:
            steps.setdefault(spec.key, (phase, spec))  # a key that is there already stays
    places = {key: place for place, key in enumerate(steps)}
    before = [_before(phase, spec, steps) for phase, spec in steps.values()]
    tasks = tuple(
        _task(spec, phase, costs, priority, tuple(at for at, keys in enumerate(before) if spec.key in keys))
        for phase, spec in steps.values()
    )
    waits = tuple(len(keys) for keys in before)
    return Shape(name, tasks, waits, places.get(PLAYABLE, -1), places.get(READY, -1), costs.together)


def _before(phase: int, spec: StepSpec, steps: Mapping[str, tuple[int, StepSpec]]) -> set[str]:
    """Keys of the steps that a step waits for: those that are planned, and the one at whose end it is itself."""
    known = {key for key in spec.after if key in steps}
    same = any(steps[key][0] == phase for key in known)
    return known if phase == 0 or same else known | {TRIGGERS[phase]}


def _task(spec: StepSpec, phase: int, costs: Costs, priority: int, then: tuple[int, ...]) -> Task:
    urgency = spec.priority + priority
    guess = estimate(spec.kind, spec.params, costs.learned, spec.cost)
    keys = paces_of(spec.kind, spec.params, spec.cost, urgency)
    pace = next((costs.paces[key] for key in keys if key in costs.paces and costs.paces[key].n >= SEEN_ENOUGH), None)
    cpu, wall = (spec.cost * pace.cpu, spec.cost * pace.wall) if pace else (guess.cpu, guess.wall)
    spread = pace.spread / pace.cpu if pace and pace.cpu else (guess.spread / guess.cpu if guess.n else 0.0)
    return Task(
        key=spec.key, kind=spec.kind.value, pool=spec.pool.value, level=int(class_of(urgency)),
        within=deadline_of(urgency, 0.0), phase=phase, estimate=guess.cpu, cpu=cpu, spread=spread,
        wall=max(wall, 0.001), wobble=pace.wobble if pace else 0.0, rank=_rank(urgency), inline=KINDS[spec.kind].inline,
        then=then, triggers=TRIGGERS.index(spec.key) if spec.kind in (StepKind.PROBE, StepKind.ANALYZE) else 0,
        classes=keys, planned=spec.cost,
    )  # fmt: skip


def _rank(urgency: int) -> int:
    """As `workers.attempting` chooses a step's children."""
    if urgency > NORMAL:
        return BRISK
    return BULK if class_of(urgency) is Class.BULK else PATIENT


def paces_of(kind: StepKind, params: Mapping[str, Any], planned: float, urgency: int) -> tuple[str, ...]:
    """Classes of work with their urgency first, as `package/c1@fast`: the same work takes longer where it gives way."""
    wide = classes_of(kind, params, planned)
    return (*(f"{key}@{class_of(urgency).name.lower()}" for key in wide), *wide)
