from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine import graph
from rushes.engine.kinds import KINDS
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.model import StepSpec
from rushes.plan import Chunk, Grid, Ladder, Plan, Rung, Viewing
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
    steps = graph.plan(found, Plan(ladders=(LADDER,)), load_profile("fast"), load_policy(policy))
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
    assert steps["publish.first"].after == ("verdict.first", "package.first", "lint.first")
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
    assert required == {"encode.0", "audio", "package.ready", "lint.ready", "verdict.ready", "publish.ready"}


def test_an_enriched_build_is_published_only_by_every_verdict_there_is() -> None:
    steps = plan(facts())
    assert set(steps["publish.enriched"].after) >= {"package.enriched", "verdict.ready"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ("package.ready", "transcript", "storyboard")),
        ({"transcript": False}, ("package.ready", "storyboard")),
        ({"storyboard": False}, ("package.ready", "transcript")),
        ({"storyboard": False, "transcript": False}, None),
    ],
)
def test_captions_and_storyboard_come_in_one_build(wanted: dict[str, bool], expected: tuple[str, ...] | None) -> None:
    profile = load_profile("fast")
    profile = profile.model_copy(update={"enrichment": profile.enrichment.model_copy(update=wanted)})
    steps = graph.plan(facts(), Plan(ladders=(LADDER,)), profile, load_policy("development"))
    found = {step.key: step for step in steps}
    assert (found["package.enriched"].after if "package.enriched" in found else None) == expected
    assert ("publish.enriched" in found) is (expected is not None)


def test_the_encode_carries_a_chunk_index_and_its_ladder() -> None:
    params = plan(facts())["encode.0"].params
    assert (Chunk.model_validate(params["chunk"]), params["chunks"]) == (Chunk(), 1)
    assert Ladder.model_validate(params["ladder"]) == LADDER


def test_cost_grows_with_pixels_and_length() -> None:
    assert plan(facts())["encode.0"].cost == pytest.approx(1.1e-8 * 300 * 640 * 360)


def test_every_kind_of_step_has_a_pool_and_a_module() -> None:
    assert set(KINDS) == set(StepKind)


def test_a_review_asks_for_a_fresh_verdict_under_keys_of_its_own() -> None:
    first, second = graph.review(1), graph.review(2)
    assert {step.key for step in first}.isdisjoint(step.key for step in second)


def with_codecs(policy: str = "development", profile: str = "balanced", chunks: int = 2) -> dict[str, StepSpec]:
    """The steps of a plan in which H.264 comes first, then AV1 and HEVC in HDR."""
    rung = LADDER.rungs[0]
    av1 = Ladder(
        rungs=(rung.model_copy(update={"name": "360p-av1", "codec": "av1", "preset": "10"}),), grid=LADDER.grid
    )
    hevc = Ladder(
        rungs=(rung.model_copy(update={"name": "360p-hevc-hdr", "codec": "hevc", "hdr": "pq"}),), grid=LADDER.grid
    )
    parts = tuple(Chunk(number=number, first=number * 120, frames=120) for number in range(chunks))
    found = Plan(ladders=(LADDER, av1, hevc), chunks=parts)
    steps = graph.delivery(facts(), found, load_profile(profile), load_policy(policy))
    return {step.key: step for step in steps}


@pytest.mark.parametrize("policy", ["development", "strict"])
def test_other_codecs_come_later_and_nothing_waits_for_them(policy: str) -> None:
    steps = with_codecs(policy)
    later = ["encode.av1.0", "encode.av1.1", "encode.hevc-hdr.0", "encode.hevc-hdr.1"]
    assert all(steps[key].priority < steps["encode.0"].priority and not steps[key].required for key in later)
    assert steps["encode.av1.1"].params["chunk"]["first"] == 120
    assert steps["encode.av1.1"].params["ladder"]["rungs"][0]["codec"] == "av1"
    # Then they are joined to the newest build, captions included, and published after the verdicts
    assert steps["package.codecs"].after == ("package.ready", "package.enriched", *later)
    assert "package.codecs" in steps["publish.codecs"].after
    assert "verdict.ready" in steps["publish.codecs"].after
    assert not steps["package.codecs"].required
    waiting = {key for key, step in steps.items() if set(step.after) & {*later, "package.codecs"}}
    assert waiting == {"package.codecs", "lint.codecs", "publish.codecs"}


def test_one_codec_needs_no_second_build() -> None:
    assert not {"package.codecs", "publish.codecs"} & set(plan(facts()))


def test_a_file_to_download_is_made_where_the_profile_says_so() -> None:
    assert with_codecs(profile="balanced")["download"].after == ("package.ready",)
    assert "download" not in plan(facts())


def test_what_is_expected_is_measured_and_corrected_before_the_asset_is_ready() -> None:
    aimed = LADDER.model_copy(update={"viewing": Viewing(model="phone", width=640, height=360)})
    parts = (Chunk(number=0, first=0, frames=120), Chunk(number=1, first=120))
    found = Plan(ladders=(aimed,), chunks=parts)
    steps = {
        step.key: step for step in graph.delivery(facts(), found, load_profile("fast"), load_policy("development"))
    }
    assert steps["correct"].after == ("encode.0", "encode.1")
    assert not steps["correct"].required
    assert "correct" in steps["package.ready"].after
    assert "correct" not in plan(facts())
