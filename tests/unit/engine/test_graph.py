from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine import graph
from rushes.engine.kinds import KINDS
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.model import Grid, Ladder, Rung, StepSpec
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind

LADDER = Ladder(
    rungs=(Rung(name="360p", width=640, height=360, crf=23, max_bitrate=800_000, buffer_bits=1_600_000),),
    grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=120),
)


def facts(codec: str = "h264", *, audio: bool = True) -> SourceFacts:
    video = VideoFacts(index=0, codec=codec, profile="High", width=640, height=360, fps=Fraction(30), duration=10.0)
    tracks = (AudioFacts(index=1, codec="aac", profile="LC", channels=2, sample_rate=48000),) if audio else ()
    return SourceFacts(
        container="mp4", demuxer="mov", size=1000, duration=10.0, video=video, audio=tracks, streams=2,
        keyframes=(0.0, 2.0, 4.0, 6.0, 8.0), bitrate=1_000_000,
    )  # fmt: skip


def plan(found: SourceFacts, policy: str = "development") -> dict[str, StepSpec]:
    steps = graph.plan(found, LADDER, load_profile("default"), load_policy(policy))
    assert len({step.key for step in steps}) == len(steps)
    return {step.key: step for step in steps}


@pytest.mark.parametrize("policy", ["development", "strict"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("audio", [True, False])
def test_every_step_waits_only_for_steps_planned_before_it(policy: str, codec: str, audio: bool) -> None:
    seen: set[str] = set()
    for step in plan(facts(codec, audio=audio), policy).values():
        assert set(step.after) <= seen, step.key
        seen.add(step.key)


def test_standard_input_takes_the_fast_lane_before_the_ladder() -> None:
    steps = plan(facts())
    assert steps["remux"].priority > steps["encode.0"].priority
    assert steps["publish.first"].after == ("verdict.first", "package.first")
    assert not steps["remux"].required  # what goes wrong there only costs the short cut


def test_other_input_does_not() -> None:
    assert "remux" not in plan(facts("hevc"))


def test_without_audio_there_is_no_audio_step() -> None:
    steps = plan(facts(audio=False))
    assert "audio" not in steps
    assert steps["package.ready"].after == ("encode.0",)


def test_strict_waits_for_labels_and_never_publishes_first() -> None:
    steps = plan(facts(), "strict")
    assert "labels" in steps["verdict.ready"].after
    assert "publish.first" not in steps
    assert "remux" in steps  # its owner may look at it in private


def test_what_makes_an_asset_ready_is_required_and_what_adorns_it_is_not() -> None:
    steps = plan(facts())
    required = {key for key, step in steps.items() if step.required}
    assert required == {"encode.0", "audio", "package.ready", "verdict.ready", "publish.ready"}


def test_an_enriched_build_is_published_only_by_every_verdict_there_is() -> None:
    steps = plan(facts())
    assert set(steps["publish.enriched"].after) >= {"package.enriched", "verdict.ready"}


def test_the_encode_carries_a_chunk_index_and_its_ladder() -> None:
    params = plan(facts())["encode.0"].params
    assert (params["chunk"], params["chunks"]) == (0, 1)
    assert Ladder.model_validate(params["ladder"]) == LADDER


def test_cost_grows_with_pixels_and_length() -> None:
    assert plan(facts())["encode.0"].cost == pytest.approx(1.55e-8 * 300 * 640 * 360)


def test_every_kind_of_step_has_a_pool_and_a_module() -> None:
    assert set(KINDS) == set(StepKind)


def test_a_review_asks_for_a_fresh_verdict_under_keys_of_its_own() -> None:
    first, second = graph.review(1), graph.review(2)
    assert {step.key for step in first}.isdisjoint(step.key for step in second)
