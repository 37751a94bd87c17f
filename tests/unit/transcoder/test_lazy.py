from __future__ import annotations

import pytest

from rushes.plan import Plan
from rushes.settings import load_profile
from rushes.transcoder.chunks import plan_lazy_chunks
from rushes.transcoder.ladder import plan, rung
from rushes.transcoder.lazy import put_off


def names(ladders) -> list[list[str]]:
    return [[rung.name for rung in ladder.rungs] for ladder in ladders]


@pytest.fixture
def long_facts(make_facts):
    facts = make_facts(duration=60.0)
    return facts.model_copy(update={"indexed": True, "keyframes": tuple(2.0 * number for number in range(30))})


def test_the_dear_rungs_and_the_other_codec_wait(long_facts):
    profile = load_profile("lazy")
    whole = plan(long_facts, profile)
    found = put_off(whole, long_facts, profile)
    assert names(found.ladders) == [["540p", "360p", "240p"]]
    assert names(found.lazy) == [["1080p", "720p"], ["1080p-av1", "720p-av1", "540p-av1"]]
    # What is wanted soon is cut into shorter chunks, by the same grid, and what is cheap into fewer
    assert len(found.chunks) < len(whole.chunks) < len(found.lazy_chunks)
    assert all(chunk.first % found.grid.segment_frames == 0 for chunk in found.lazy_chunks)
    assert found.lazy_chunks == plan_lazy_chunks(long_facts, found.lazy[0])
    # And nothing is lost
    assert found.whole.ladders == whole.ladders
    assert (found.whole.lazy, found.whole.lazy_chunks) == ((), ())


def test_nothing_is_put_off_unless_the_profile_says_so(long_facts, profile):
    found = plan(long_facts, profile)
    assert put_off(found, long_facts, profile) is found


def test_what_is_small_already_is_made_at_once_in_the_first_codec(make_facts):
    facts, profile = make_facts(width=640, height=360), load_profile("lazy")
    found = put_off(plan(facts, profile), facts, profile)
    assert names(found.ladders) == [["360p", "240p"]]
    assert names(found.lazy) == [["360p-av1"]]
    assert found.lazy_chunks == ()  # nobody waits for the other codec


def test_a_rung_is_what_the_nearest_of_the_table_is(make_facts):
    profile = load_profile("lazy")
    for height, lazy in ((700, [["700p"]]), (600, [])):
        facts = make_facts(width=height * 16 // 9, height=height)
        found = put_off(plan(facts, profile), facts, profile)
        assert names(ladder for ladder in found.lazy if ladder.codec == "h264") == lazy


def test_the_lowest_rung_of_the_first_codec_is_never_put_off(make_facts):
    # Given a ladder for the content that has nothing but large rungs
    facts, profile = make_facts(), load_profile("lazy")
    whole = plan(facts, profile)
    large = whole.ladders[0].model_copy(update={"rungs": whole.ladders[0].rungs[:2]})
    found = put_off(Plan(ladders=(large,)), facts, profile)
    assert (names(found.ladders), names(found.lazy)) == ([["720p"]], [["1080p"]])


def test_the_source_as_its_own_rung_costs_nothing_and_is_there_at_once(make_facts):
    facts, profile = make_facts(), load_profile("lazy")
    whole = plan(facts, profile)
    top = rung((1920, 1080), profile.video.codecs[0], facts, (23, 5_000_000))
    below = whole.ladders[0].model_copy(update={"rungs": whole.ladders[0].rungs[1:]})
    reused = whole.model_copy(update={"ladders": (below, *whole.ladders[1:]), "reuse": True, "top": top})
    found = put_off(reused, facts, profile)
    assert found.reuse and found.top == top
    assert names(found.lazy)[0] == ["720p"]
    assert found.whole.ladders == reused.ladders
