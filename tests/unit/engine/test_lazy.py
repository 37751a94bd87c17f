from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine import graph, lazy
from rushes.engine.specs import FAST, NORMAL
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.plan import Chunk, Grid, Ladder, Plan, Rung, Viewing
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind, StepState

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)
CHUNKS = (Chunk(frames=120), Chunk(number=1, first=120, frames=120), Chunk(number=2, first=240))
FACTS = SourceFacts(
    container="mp4", demuxer="mov", size=1000, duration=12.0, streams=2,
    video=VideoFacts(index=0, codec="hevc", width=1280, height=720, fps=Fraction(30), duration=12.0),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000),),
)  # fmt: skip
EVERYTHING = {
    "package.ready": StepState.DONE,
    "package.enriched": StepState.RUNNING,
    "package.codecs": StepState.WAITING,
    "package.rekey.2": StepState.READY,
    "package.ready~2": StepState.READY,
    "package.first.1": StepState.WAITING,
}


def rung(side: int, **more: object) -> Rung:
    return Rung.model_validate(
        {"name": f"{side}p", "width": side * 16 // 9, "height": side, "crf": 23, "max_bitrate": 9, "buffer_bits": 18}
        | more
    )


def plan(*, viewing: Viewing | None = None) -> Plan:
    return Plan(
        ladders=(Ladder(rungs=(rung(360),), grid=GRID),),
        lazy=(
            Ladder(rungs=(rung(720),), grid=GRID, viewing=viewing),
            Ladder(rungs=(rung(720, name="720p-av1", codec="av1"),), grid=GRID, viewing=viewing),
        ),
        lazy_chunks=CHUNKS,
    )


def test_what_is_put_off_is_in_no_step_of_an_upload() -> None:
    steps = graph.plan(FACTS, plan(), load_profile("lazy"), load_policy("development"))
    assert not [step.key for step in steps if lazy.is_lazy(step.key)]
    assert {step.key for step in steps if step.kind is StepKind.ENCODE} == {"encode.0"}
    # But the build knows what it lacks
    ready = next(step for step in steps if step.key == "package.ready")
    assert [one["name"] for one in ready.params["lazy"]] == ["720p", "720p-av1"]
    assert "lazy" not in next(step for step in graph.plan(
        FACTS, plan().model_copy(update={"lazy": ()}), load_profile("fast"), load_policy("development")
    ) if step.key == "package.ready").params  # fmt: skip


def test_the_whole_graph_on_demand() -> None:
    steps = lazy.lazy_steps(FACTS, plan(), 1, ["package.ready"])
    encodes = [*(f"encode.lazy.h264.{number}" for number in range(3)), "encode.lazy.av1.0"]
    found = {step.key: step for step in steps}
    assert [*found] == [*encodes, "package.lazy", *[key for key in found if "lint" in key], "publish.lazy"]
    assert set(found["package.lazy"].after) == {*encodes, "package.ready"}
    assert {"package.lazy", "verdict.ready"} <= set(found["publish.lazy"].after)
    assert found["package.lazy"].params == {"phase": "lazy"}
    assert not any(step.required for step in steps)
    assert all(lazy.is_lazy(key) for key in found)
    # The first chunks go first, those of the codec that every device plays before others, all before ladders
    priorities = [found[key].priority for key in encodes]
    assert priorities == [19, 18, 17, 15]
    assert all(NORMAL < priority < FAST == lazy.AT_ONCE for priority in priorities)
    assert [found[key].params["chunk"]["first"] for key in encodes[:3]] == [0, 120, 240]


def test_of_a_later_encode_they_carry_its_mark() -> None:
    steps = lazy.lazy_steps(FACTS, plan(), 2, ["package.ready~2", "package.codecs~2"])
    found = {step.key: step for step in steps}
    assert all(key.endswith("~2") for key in found)
    assert found["package.lazy~2"].after[-2:] == ("package.ready~2", "package.codecs~2")
    assert "encode.lazy.h264.0~2" in found["package.lazy~2"].after
    assert {"package.lazy~2", "verdict.ready"} <= set(found["publish.lazy~2"].after)


def test_what_aims_at_a_quality_is_corrected() -> None:
    viewing = Viewing(model="phone", width=1280, height=720)
    found = {step.key: step for step in lazy.lazy_steps(FACTS, plan(viewing=viewing), 1, [])}
    assert found["correct.lazy.av1"].after == ("encode.lazy.av1.0",)
    assert "correct.lazy.h264" in found["package.lazy"].after


def test_nothing_is_made_where_nothing_was_put_off() -> None:
    assert lazy.lazy_steps(FACTS, Plan(ladders=plan().ladders), 1, []) == []


def test_builds_follow_each_other_whenever_the_demand_comes() -> None:
    assert lazy.builds_before(EVERYTHING, 1) == ["package.ready", "package.enriched"]
    assert lazy.builds_behind(EVERYTHING, 1) == ["package.codecs", "package.rekey.2"]
    assert lazy.builds_behind(EVERYTHING, 2) == ["package.ready~2"]
    assert lazy.is_under_way(EVERYTHING, 1) and not lazy.is_under_way(EVERYTHING, 2)


@pytest.mark.parametrize(
    ("missing", "steps", "wanted", "state"),
    [
        ([], {}, False, "none"),
        ([1], {}, False, "available"),
        ([1], {"encode.0": "running"}, True, "wanted"),
        ([1], {"encode.lazy.h264.0": "done", "package.lazy": "waiting"}, True, "making"),
        ([], {"package.lazy": "done", "publish.lazy": "running"}, True, "making"),
        ([], {"package.lazy": "done", "publish.lazy": "done"}, True, "made"),
        ([1], {"encode.lazy.h264.0": "failed", "package.lazy": "skipped"}, True, "available"),
    ],
)
def test_in_a_word(missing: list[object], steps: dict[str, str], wanted: bool, state: str) -> None:
    states = {key: StepState(value) for key, value in steps.items()}
    assert lazy.state(missing, states, wanted=wanted) == state


def test_the_ladder_of_a_rung() -> None:
    assert [lazy.ladder_of(name) for name in ("720p", "720p-av1", "1080p-hevc-hdr")] == ["h264", "av1", "hevc-hdr"]
    assert [lazy.name_of(ladder) for ladder in plan().lazy] == ["encode.lazy.h264", "encode.lazy.av1"]
