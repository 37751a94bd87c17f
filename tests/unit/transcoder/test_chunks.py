from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from rushes.engine.effort import encode_cost
from rushes.plan import Chunk
from rushes.transcoder.chunks import can_cut, plan_chunks, plan_lazy_chunks
from rushes.transcoder.ladder import plan
from rushes.transcoder.verify import declared_seconds


@pytest.fixture
def make_long(make_facts):
    """A source with an index and a key picture every two seconds."""

    def build(duration: float = 600.0, **fields):
        facts = make_facts(duration=duration, **fields)
        keys = tuple(2.0 * number for number in range(int(min(duration, 9000) // 2)))
        return facts.model_copy(update={"indexed": True, "keyframes": keys})

    return build


def chunks_of(facts, profile, grid=None) -> tuple[Chunk, ...]:
    ladder = plan(facts, profile).ladders[0]
    return plan_chunks(facts, ladder if grid is None else ladder.model_copy(update={"grid": grid}))


def test_a_long_source_is_cut_into_chunks_that_each_cost_some_20_cpu_seconds(make_long, profile):
    facts = make_long()
    ladder = plan(facts, profile).ladders[0]
    found = plan_chunks(facts, ladder)
    per_frame = sum(encode_cost(rung, 1) for rung in ladder.rungs)
    assert len(found) > 10
    assert all(13 < chunk.frames * per_frame < 31 for chunk in found[:-1])


@pytest.mark.parametrize("duration", [61.0, 100.2, 333.3, 3599.9])
@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(60)])
def test_chunks_follow_each_other_from_segment_to_segment(make_long, profile, duration, fps):
    facts = make_long(duration, fps=fps)
    grid = plan(facts, profile).grid
    found = chunks_of(facts, profile)
    assert [chunk.number for chunk in found] == list(range(len(found)))
    assert found[0].first == 0
    assert all(chunk.first % grid.segment_frames == 0 for chunk in found)
    assert all(one.first + one.frames == two.first for one, two in pairwise(found))
    # And the last one goes on to whatever end there is, and is not much shorter than the others
    assert found[-1].frames is None
    lengths = [chunk.frames for chunk in found[:-1]] + [round(declared_seconds(facts) * grid.fps) - found[-1].first]
    assert max(lengths) - min(lengths) < 3 * grid.segment_frames


def test_short_and_small_sources_are_one_chunk(make_long, profile):
    assert chunks_of(make_long(20.0, width=640, height=360), profile) == (Chunk(),)
    assert chunks_of(make_long(3.0), profile) == (Chunk(),)


def test_a_long_source_that_costs_little_is_cut_all_the_same(make_long, profile):
    facts = make_long(7200.0, width=160, height=90)
    found = chunks_of(facts, profile)
    assert len(found) == 12
    assert all(chunk.frames / 30 < 610 for chunk in found[:-1])


def test_what_may_not_be_read_from_its_middle_is_one_chunk(make_long, profile):
    facts = make_long()
    assert can_cut(facts) and len(chunks_of(facts, profile)) > 1
    assert chunks_of(facts.model_copy(update={"indexed": False}), profile) == (Chunk(),)
    assert len(chunks_of(make_long(interlaced=True), profile)) > 1
    assert chunks_of(make_long(interlaced=True, vfr=True), profile) == (Chunk(),)
    assert chunks_of(make_long(fps=Fraction(4)), profile) == (Chunk(),)


def test_rare_key_pictures_make_fewer_chunks(make_long, profile):
    facts = make_long()
    assert len(chunks_of(facts.model_copy(update={"keyframes": (0.0, 90.0, 180.0)}), profile)) == 3
    assert chunks_of(facts.model_copy(update={"keyframes": (0.0,)}), profile) == (Chunk(),)
    # And where nothing is known of them the index is believed
    assert chunks_of(facts.model_copy(update={"keyframes": ()}), profile) == chunks_of(facts, profile)


def test_the_dearest_codec_decides(make_long, profile):
    facts = make_long()
    cheap = plan(facts, profile).ladders[0]
    dear = cheap.model_copy(update={"rungs": tuple(r.model_copy(update={"preset": "slow"}) for r in cheap.rungs)})
    assert plan_chunks(facts, cheap, dear) == plan_chunks(facts, dear, cheap) == plan_chunks(facts, dear)
    assert len(plan_chunks(facts, dear)) > 1.5 * len(plan_chunks(facts, cheap))


def test_a_grid_of_the_sources_own_is_cut_at_its_segments(make_long, profile):
    facts = make_long()
    grid = plan(facts, profile).grid
    own = grid.model_copy(update={"starts": tuple(range(0, 18000, 97))})
    found = chunks_of(facts, profile, own)
    assert len(found) > 10
    assert {chunk.first for chunk in found} <= set(own.starts)


def test_a_week_of_video_has_a_bounded_plan(make_long, profile):
    assert len(chunks_of(make_long(7 * 86400.0), profile)) <= 1000


def test_what_somebody_waits_for_is_cut_shorter_even_between_rare_key_pictures(make_long, profile):
    facts = make_long(30.0)
    ladder = plan(facts, profile).ladders[0]
    rare = facts.model_copy(update={"keyframes": (0.0, 8.0, 16.0, 24.0)})
    assert len(plan_lazy_chunks(facts, ladder)) > len(plan_chunks(facts, ladder))
    assert (len(plan_chunks(rare, ladder)), len(plan_lazy_chunks(rare, ladder))) == (1, 7)
    assert plan_lazy_chunks(facts.model_copy(update={"indexed": False}), ladder) == (Chunk(),)
