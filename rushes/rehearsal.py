"""What a simulated fleet is given: uploads, planned as the catalog plans them, and what their steps take.

A trace is lines of JSON: the first with what steps were seen to take, each other one an upload.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic import Field, ValidationError

from rushes.engine import graph
from rushes.engine.cost import Learned
from rushes.engine.fair import Share
from rushes.engine.simulate.arrivals import SWING, Arrival, Mix, drawn
from rushes.engine.simulate.fitting import Walls, fitted
from rushes.engine.simulate.fleet import LIGHT, Group, Rules
from rushes.engine.simulate.run import Run
from rushes.engine.simulate.shape import TRACE, Costs, Pace, Shape, shape
from rushes.engine.simulate.videos import VIDEOS, facts_of
from rushes.errors import Refused
from rushes.facts import SourceFacts
from rushes.model import StepSpec
from rushes.noun import Noun
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.settings import SettingsError, load_profile
from rushes.states import Pool, StepKind
from rushes.transcoder.ladder import plan
from rushes.transcoder.lazy import put_off

AT_PEAK = 0.75
"""Use of the cores at the busiest time of the day, where the number of workers is ours to choose."""
CORES = 4
RULES = Rules()
NIGHT = 0.1
"""Share of a group's workers that stay when there is nothing to do."""


class Line(Noun):
    """An upload of a trace."""

    at: float
    """When its last byte came, in seconds of any origin."""
    tenant: str
    priority: int = 0
    profile: str = ""
    facts: SourceFacts
    """Of what is delivered."""


class Heading(Noun):
    trace: int
    learned: dict[str, Learned] = Field(default_factory=dict)
    paces: dict[str, Pace] = Field(default_factory=dict)
    together: float = Field(default=0.0, ge=0.0, le=1.0)


@dataclass(frozen=True)
class Terms:
    """What uploads are made by."""

    profile: Profile
    policy: Policy
    costs: Costs = field(default_factory=lambda: Costs({}, {}))


def shape_of(name: str, facts: SourceFacts, terms: Terms, priority: int = 0) -> Shape:
    """The steps of an upload, by the functions that the catalog calls when it comes and when it was probed."""
    profile, policy = terms.profile, terms.policy
    found = put_off(plan(facts, profile), facts, profile)
    if priority < 0:  # nobody waits for it
        found = found.model_copy(update={"look": None})
    phases = [graph.intake(plain=profile.fast_lane), graph.plan(facts, found, profile, policy)]
    if any(spec.kind is StepKind.ANALYZE for spec in phases[1]):
        phases.append(_without(phases[1], graph.delivery(facts, found, profile, policy)))
    return shape(name, phases, terms.costs, priority)


def _without(known: Sequence[StepSpec], specs: Sequence[StepSpec]) -> list[StepSpec]:
    keys = {spec.key for spec in known}
    return [spec for spec in specs if spec.key not in keys]


def typical(terms: Terms, bulk: float) -> list[Mix]:
    """The mix of `engine.simulate.videos`; `bulk` is the share of uploads that nobody waits for."""
    found = []
    for video in VIDEOS:
        for seconds in video.lengths:
            facts, share = facts_of(video, seconds), video.share / len(video.lengths)
            found.append(Mix(shape_of(video.name, facts, terms), share * (1 - bulk)))
            if bulk:
                found.append(Mix(shape_of("bulk", facts, terms, graph.BACK_CATALOGUE), share * bulk))
    return found


@dataclass(frozen=True)
class Crowd:
    """Uploads to be drawn."""

    rate: float
    """A second."""
    seconds: float
    tenants: int
    mix: Sequence[Mix]

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        random = Random(seed)  # noqa: S311 - a simulation has to be repeatable
        return drawn(self.rate, self.seconds, self.mix, self.tenants, random)

    @classmethod
    def of(cls, arrivals: Sequence[Arrival]) -> Crowd:
        """As those that were recorded, on the mean."""
        counts = Counter(one.shape for one in arrivals)
        seconds = max(1.0, arrivals[-1].at - arrivals[0].at)
        mix = [Mix(shape, count) for shape, count in counts.items()]
        return cls(len(arrivals) / seconds, seconds, len({one.tenant for one in arrivals}), mix)

    def cpu(self, pools: Sequence[str], engine: float = RULES.engine) -> float:
        """CPU seconds a second that these pools have to do, on the mean; `engine` is what each step costs beside its own."""
        shares = sum(one.share for one in self.mix)
        return self.rate * sum(one.share * one.shape.cpu(pools, engine) for one in self.mix) / shares


GROUPS = (LIGHT, (Pool.VIDEO.value,), (Pool.AUDIO.value, Pool.IMAGE.value), (Pool.SPEECH.value, Pool.MODERATION.value))


def fitting(crowd: Crowd) -> list[Group]:
    """Workers that are enough for the busiest time, and go when there is less to do."""
    most = 1 + SWING if crowd.seconds >= 86_400 else 1.0
    groups = []
    for pools in GROUPS:
        slots = Group(pools, 1, CORES).light if pools == LIGHT else CORES
        count = max(2, math.ceil(most * crowd.cpu(pools) / (AT_PEAK * min(CORES, slots))))
        groups.append(Group(pools, count, CORES, least=max(1, math.ceil(NIGHT * count))))
    return groups


# -- traces -----------------------------------------------------------------------------------------------------------


def read_trace(lines: Iterable[str], terms: Terms) -> tuple[list[Arrival], Costs]:
    """Uploads in the order of their times, which begin at 0. Raises Refused with the line that is wrong."""
    heading, found = _read(lines)
    costs = Costs(heading.learned, heading.paces)
    return _arrivals(found, Terms(terms.profile, terms.policy, costs)), costs


def read_fitted(
    lines: Iterable[str], terms: Terms, groups: Sequence[Group], rules: Rules
) -> tuple[list[Arrival], Costs]:
    """The same, with what steps take when nothing runs beside them found out by playing the trace again on the workers it was
    recorded on (`engine.simulate.fitting`)."""
    heading, found = _read(lines)
    if not any(pace.seen for pace in heading.paces.values()):
        raise Refused("trace_invalid", "The trace does not say how long its steps took: record it anew.")

    def replay(costs: Costs) -> Walls:
        walls, run = Walls(), Run(groups, rules, lambda _: Share(), seed=1)
        run.watch = lambda number, task, wall: walls.add(number, task.classes, wall / task.planned)
        run.play(_arrivals(found, Terms(terms.profile, terms.policy, costs)))
        return walls

    costs = fitted(Costs(heading.learned, heading.paces, heading.together), replay)
    return _arrivals(found, Terms(terms.profile, terms.policy, costs)), costs


def arrivals_of(lines: Iterable[str], terms: Terms) -> list[Arrival]:
    """The uploads of a trace, by other costs than its own."""
    return _arrivals(_read(lines)[1], terms)


def _read(lines: Iterable[str]) -> tuple[Heading, list[Line]]:
    """Lines by their times. Raises Refused."""
    read = [_parsed(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not read or read[0].get("trace") != TRACE:
        raise Refused("trace_invalid", f'The first line of a trace is {{"trace": {TRACE}, ...}}.')
    heading: Heading = _valid(Heading, read[0], 1)
    found = sorted((_valid(Line, values, number) for number, values in enumerate(read[1:], 2)), key=lambda one: one.at)
    if not found:
        raise Refused("trace_invalid", "There is no upload in the trace.")
    return heading, found


def _arrivals(found: Sequence[Line], terms: Terms) -> list[Arrival]:
    known: dict[str, Shape] = {}
    return [Arrival(one.at - found[0].at, one.tenant, _known_shape(one, terms, known)) for one in found]


def _known_shape(line: Line, terms: Terms, known: dict[str, Shape]) -> Shape:
    key = line.model_dump_json(include={"profile", "priority", "facts"})
    if key not in known:
        named = Terms(_profile(line.profile) or terms.profile, terms.policy, terms.costs)
        known[key] = shape_of("bulk" if line.priority < 0 else "upload", line.facts, named, line.priority)
    return known[key]


def _profile(name: str) -> Profile | None:
    try:
        return load_profile(name.partition("@")[0]) if name else None
    except SettingsError:
        return None  # one of theirs


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise Refused("trace_invalid", f"Line {number} of the trace is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise Refused("trace_invalid", f"Line {number} of the trace is no object.")
    return found


def _valid(noun: type[Any], values: Mapping[str, Any], number: int) -> Any:  # noqa: ANN401 - an instance of `noun`
    try:
        return noun.model_validate(dict(values))
    except ValidationError as error:
        issue = error.errors()[0]
        place = ".".join(str(part) for part in issue["loc"])
        raise Refused("trace_invalid", f"Line {number} of the trace, {place}: {issue['msg']}.") from error
