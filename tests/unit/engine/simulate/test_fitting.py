"""What steps take alone is found from what they took beside others."""

from __future__ import annotations

import json
import math
from random import Random

import pytest

from rushes.engine.fair import Share
from rushes.engine.simulate.arrivals import Arrival
from rushes.engine.simulate.fitting import Walls, fitted
from rushes.engine.simulate.fleet import Rules, parse_group
from rushes.engine.simulate.run import Run
from rushes.engine.simulate.shape import Costs, Pace
from rushes.engine.simulate.videos import VIDEOS, facts_of
from rushes.errors import Refused
from rushes.rehearsal import Terms, read_fitted, shape_of
from rushes.settings import load_policy, load_profile

TERMS = Terms(load_profile("fast"), load_policy("development"))
FACTS = facts_of(VIDEOS[0], 15.0)
SMALL = parse_group("all=1x2:4")
RULES = Rules(engine=0.0, bell=0.0, child=0.0)


def alone(wobble: float = 0.3) -> Costs:
    """A fleet whose truth is known: every kind of step takes one and a half times what was reckoned."""
    kinds = {task.kind for task in shape_of("x", FACTS, TERMS).tasks}
    return Costs({}, {kind: Pace(n=100, cpu=1.0, spread=0.0, wall=1.5, wobble=wobble) for kind in kinds}, 0.3)


def arrivals(costs: Costs, count: int = 150, apart: float = 20.0) -> list[Arrival]:
    shape = shape_of("x", FACTS, Terms(TERMS.profile, TERMS.policy, costs))
    return [Arrival(apart * number, "a", shape) for number in range(count)]


def walls(costs: Costs, seed: int = 1) -> Walls:
    found, run = Walls(), Run([SMALL], RULES, lambda _: Share(), seed)
    run.watch = lambda number, task, wall: found.add(number, task.classes, wall / task.planned)
    run.play(arrivals(costs))
    return found


def recorded(truth: Costs) -> Costs:
    """As `rushes simulate record` would have seen it, with the lower quartile far off."""
    seen = walls(truth, seed=2)
    paces = {
        kind: Pace(
            n=100, cpu=1.0, spread=0.0, wall=seen.mean(kind), seen=seen.mean(kind), seen_wobble=seen.wobble(kind)
        )
        for kind in truth.paces
    }
    return Costs({}, paces, seen.together())


def test_played_again_steps_take_what_they_took():
    costs = recorded(alone())
    found = fitted(costs, walls)
    again = walls(found)
    for kind in ("encode", "audio", "package", "transcript"):
        assert again.mean(kind) == pytest.approx(costs.paces[kind].seen, rel=0.1)
        assert found.paces[kind].wall == pytest.approx(1.5, rel=0.07)
        assert costs.paces[kind].seen > 1.1 * 1.5
    assert found.together == pytest.approx(0.3, abs=0.1)


def test_what_is_not_known_stays():
    pace = Pace(n=9, cpu=1.0, spread=0.1, wall=2.0)
    assert fitted(Costs({}, {"x": pace}), lambda _: Walls()).paces == {"x": pace}


def test_steps_of_one_asset_go_together_as_far_as_they_do():
    random = Random(3)
    for shared in (0.0, 0.5):
        seen = Walls()
        for asset in range(400):
            mood = random.gauss(0, 1)
            for key in "abcde":
                chance = math.sqrt(shared) * mood + math.sqrt(1 - shared) * random.gauss(0, 1)
                seen.add(asset, (key,), math.exp(0.4 * chance))
        assert seen.together() == pytest.approx(shared, abs=0.08)
        assert seen.mean("a") == pytest.approx(1.0, rel=0.1)
        assert seen.wobble("a") == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_one_that_is_slow_is_slow_in_all_of_its_steps(shared: float):
    found, run = Walls(), Run([parse_group("all=1x64:64")], RULES, lambda _: Share(), 1)
    run.watch = lambda number, task, wall: found.add(number, task.classes, wall / task.planned)
    run.play(arrivals(Costs({}, alone().paces, shared), 200, 100.0))
    assert found.together() == pytest.approx(shared, abs=0.08)


def test_a_trace_of_an_older_release_does_not_say_enough():
    upload = json.dumps({"at": 5.0, "tenant": "a", "facts": FACTS.model_dump(mode="json")})
    pace = Pace(n=9, cpu=1.0, spread=0.1, wall=2.0).model_dump(exclude_defaults=True)
    heading = json.dumps({"trace": 1, "paces": {"encode": pace}})
    with pytest.raises(Refused, match="record it anew"):
        read_fitted([heading, upload], TERMS, [SMALL], RULES)
