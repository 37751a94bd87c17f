"""Fleets in simulated time: the same seed gives the same run, everything ends, and what-ifs go the way they must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import pytest

from rushes.engine.fair import Share
from rushes.engine.graph import BACK_CATALOGUE
from rushes.engine.simulate.arrivals import Arrival
from rushes.engine.simulate.fleet import Group, Rules, parse_group
from rushes.engine.simulate.report import Report, percentile
from rushes.engine.simulate.run import Run
from rushes.engine.simulate.shape import Shape
from rushes.engine.simulate.videos import VIDEOS, facts_of
from rushes.rehearsal import Crowd, Terms, shape_of, typical
from rushes.settings import load_policy, load_profile
from rushes.states import Pool
from rushes.workers.slots import shares

ALONE = (parse_group("all=1x4"),)
USUAL = Rules()


@cache
def terms(profile: str = "fast") -> Terms:
    return Terms(load_profile(profile), load_policy("development"))


@cache
def clip(seconds: float = 15.0, priority: int = 0) -> Shape:
    return shape_of("clip", facts_of(VIDEOS[0], seconds), terms(), priority)


def played(
    arrivals: Sequence[Arrival],
    groups: Sequence[Group] = ALONE,
    rules: Rules = USUAL,
    share: Callable[[str], Share] = lambda _: Share(),
    seed: int = 1,
) -> Report:
    return Run(groups, rules, share, seed).play(iter(arrivals)).report(1.0)


def burst(count: int, tenant: str = "flood", at: float = 0.0, shape: Shape | None = None) -> list[Arrival]:
    return [Arrival(at, tenant, shape or clip()) for _ in range(count)]


def test_alone_an_upload_takes_its_longest_way_through_the_graph():
    report = played(burst(1))
    chunk = next(task for task in clip().tasks if task.key == "encode.0")
    assert report.playable.p50 < 1.0 < chunk.wall < report.ready.p50 < chunk.wall + 2.0
    assert (report.unfinished, report.groups[0].steps) == (0, len(clip().tasks))


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    crowd = Crowd(0.05, 3600.0, 5, typical(terms(), 0.1))
    fleet = [parse_group("all=0..20x8")]
    rules = Rules(loss=0.5)
    first, second = (played(list(crowd.arrivals(3)), fleet, rules, seed=4) for _ in range(2))
    assert first == second
    assert first != played(list(crowd.arrivals(4)), fleet, rules, seed=4)
    assert first.uploads > 100
    assert first.unfinished == 0


def test_every_profile_has_its_steps():
    with_analysis = shape_of("x", facts_of(VIDEOS[0], 15.0), terms("balanced"))
    keys = [task.key for task in with_analysis.tasks]
    assert keys.index("analyze") < keys.index("encode.0")
    assert played(burst(1, shape=with_analysis)).ready.count == 1


def test_a_fresh_upload_does_not_wait_behind_a_flood_of_another_tenant():
    idle = played(burst(1, "one")).playable.p50
    report = played([*burst(300), *burst(1, "one", 30.0, replace(clip(), name="one"))])
    assert report.by_label["one"].p50 < report.by_label["clip"].p50 / 4
    log = Run(ALONE, Rules(), lambda _: Share(), 1).play(iter([*burst(300), *burst(1, "one", 30.0)]))
    assert log.playable_of(300) < 4 * idle


def test_who_has_a_greater_weight_is_done_sooner():
    def names(tenant: str) -> Shape:
        return replace(clip(), name=tenant)

    arrivals = [*burst(40, "a", shape=names("a")), *burst(40, "b", shape=names("b"))]
    report = played(arrivals, share=lambda tenant: Share(weight=4.0) if tenant == "b" else Share())
    assert report.by_label["b"].p50 < 0.7 * report.by_label["a"].p50


def test_what_nobody_waits_for_comes_last():
    bulk = replace(clip(priority=BACK_CATALOGUE), name="bulk")
    report = played([*burst(20, shape=bulk), *burst(20)])
    assert report.by_label["clip"].worst < report.by_label["bulk"].p50


@pytest.mark.parametrize("notice", [0.0, 30.0])
def test_lost_workers_cost_work_and_no_upload(notice: float):
    groups, rules = [parse_group("all=10x4")], Rules(loss=0.99, notice=notice, drain=1.0)
    report = played(burst(500), groups, rules)
    assert (report.unfinished, report.ready.count) == (0, 500)
    assert report.wasted > 0


def test_a_group_that_follows_the_work_comes_from_nothing_and_goes_again():
    groups = [parse_group("io+publish=1x4"), parse_group("video+audio+image+speech+moderation=0..50x8")]
    calm = Rules(startup=30.0)
    few, many = played(burst(2), groups, calm), played(burst(200), groups, calm)
    assert 1 <= few.groups[1].most < many.groups[1].most <= 50
    later = played([*burst(200), *burst(1, at=7200.0)], groups, calm)
    assert later.groups[1].core_hours < many.groups[1].most * 8 * 2 / 2


def test_the_slots_are_those_of_a_worker():
    for text in ("all=1x4:3", "io+publish=1", "video=2x8", "pull=1", "audio+image+speech=1x16:2"):
        group = parse_group(text)
        real = shares([Pool(pool) for pool in group.pools], group.slots or int(group.cores), group.pulls, {})
        assert sorted(group.shares) == sorted((tuple(one.pools), one.slots, one.express) for one in real)


@pytest.mark.parametrize("text", ["", "video", "video=", "video=x", "film=3", "video=3x0", "video=-1"])
def test_what_is_no_group_of_workers_is_said_so(text: str):
    with pytest.raises(ValueError, match=r"no group|no pool|at least one core"):
        parse_group(text)


def test_percentiles_are_by_nearest_rank():
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, point) for point in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) == 0.0
