from __future__ import annotations

import pytest

from rushes.plan import ProbePoint, Viewing
from rushes.settings import load_profile
from rushes.transcoder.grid import plan_grid
from rushes.transcoder.ladder import plan as fixed_plan
from rushes.transcoder.ladder import rung_sizes
from rushes.transcoder.quality_ladder import Content, build, fixed_receipts
from rushes.transcoder.surface import fit

BALANCED = load_profile("balanced")
VIEWING = Viewing(model="phone", width=1920, height=1080)


@pytest.fixture
def content(make_facts):
    def make(reused=None, **video):
        facts = make_facts(**video)
        sizes = tuple(rung_sizes(facts.video.display_size, [1080, 720, 540, 432, 360, 240]))
        viewing = Viewing(model="phone", width=sizes[0][0], height=sizes[0][1])
        return Content(
            facts, (BALANCED, BALANCED.video.codecs[0]), plan_grid(facts.video, BALANCED.video), viewing, sizes, reused
        )

    return make


def points(bitrate=2_500_000, vmaf=93.0):
    return [ProbePoint(width=1920, height=1080, crf=26, bitrate=bitrate, vmaf=vmaf)]


def surface(**content):
    return fit(points(**content), VIEWING, "h264")


def test_every_rung_has_one_crf_a_cap_and_a_receipt(content):
    built = build(surface(), points(), content())
    assert [receipt.rung for receipt in built.receipts] == [rung.name for rung in built.ladder.rungs]
    assert built.ladder.viewing == VIEWING
    for rung, receipt in zip(built.ladder.rungs, built.receipts, strict=True):
        assert rung.vmaf == receipt.predicted_vmaf
        assert receipt.predicted_bitrate <= rung.max_bitrate <= max(2.01 * receipt.predicted_bitrate, rung.max_bitrate)
        assert rung.buffer_bits == 2 * rung.max_bitrate
        assert receipt.why.endswith(".") and receipt.points == tuple(points())
    assert built.ladder.rungs[0].vmaf == pytest.approx(94, abs=0.6)


def test_portrait_sources_get_portrait_rungs(content):
    rungs = build(surface(), points(), content(width=1080, height=1920)).ladder.rungs
    assert all(rung.height > rung.width for rung in rungs)
    assert rungs[0].name == "1080p"


def test_a_source_of_few_bits_is_never_given_more(content):
    built = build(surface(), points(), content(bitrate=400_000))
    assert all(rung.max_bitrate <= 400_000 for rung in built.ladder.rungs)
    assert built.receipts[0].why == "No more than the source's own rate."


def test_a_source_that_already_is_the_top_rung_stays_it(content, make_facts):
    top = fixed_plan(make_facts(), BALANCED).ladders[0].rungs[0]
    built = build(surface(), points(), content(reused=top, bitrate=3_000_000))
    assert built.reuse
    assert top.name not in [rung.name for rung in built.ladder.rungs]
    assert built.receipts[0].rung == top.name and built.receipts[0].predicted_bitrate == 3_000_000


def test_unless_it_has_far_more_bits_than_it_needs(content, make_facts):
    top = fixed_plan(make_facts(), BALANCED).ladders[0].rungs[0]
    built = build(surface(bitrate=800_000, vmaf=95.0), points(), content(reused=top, bitrate=3_000_000))
    assert not built.reuse
    assert built.ladder.rungs[0].name == top.name


def test_a_fixed_ladder_says_so(content, make_facts):
    ladder = fixed_plan(make_facts(), BALANCED).ladders[0]
    receipts = fixed_receipts(ladder, "As in the fixed ladder: it is too short to be measured.")
    assert {receipt.predicted_vmaf for receipt in receipts} == {None}
    assert len(receipts) == len(ladder.rungs)
