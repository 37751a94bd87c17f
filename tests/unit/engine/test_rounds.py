from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine import graph
from rushes.engine.rounds import again, marked, opening, plain, round_of
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.plan import Chunk, Grid, Ladder, Plan, Rung
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind

FACTS = SourceFacts(
    container="mp4", demuxer="mov", size=9, duration=4.0,
    video=VideoFacts(index=0, codec="hevc", width=640, height=360, fps=Fraction(30), duration=4.0),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000),),
)  # fmt: skip
GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)
RUNG = Rung(name="360p", width=640, height=360, crf=23, max_bitrate=800_000, buffer_bits=1_600_000)
AV1 = RUNG.model_copy(update={"name": "360p-av1", "codec": "av1"})
CHUNKS = (Chunk(number=0, frames=60), Chunk(number=1, first=60))
FAST, POLICY = load_profile("fast"), load_policy("development")


def steps(*ladders: Ladder) -> dict[str, tuple[str, ...]]:
    plan = Plan(ladders=ladders or (Ladder(rungs=(RUNG,), grid=GRID),), chunks=CHUNKS)
    return {spec.key: spec.after for spec in again(graph.delivery(FACTS, plan, FAST, POLICY), 2)}


@pytest.mark.parametrize(("key", "expected"), [("encode.0", 1), ("encode.0~2", 2), ("encode.av1.3~12", 12), ("x~y", 1)])
def test_a_key_says_which_encode_it_belongs_to(key: str, expected: int) -> None:
    assert round_of(key) == expected
    assert plain(key) == key.partition("~")[0]
    assert round_of(marked(plain(key), 3)) == 3


def test_what_depends_on_the_profile_is_done_again_and_nothing_else() -> None:
    found = steps()
    assert list(found) == [
        "encode.0~2", "encode.1~2", "audio~2", "package.ready~2", "package.enriched~2", "lint.ready~2", "lint.enriched~2",
        "publish.ready~2",
    ]  # fmt: skip
    assert found["package.ready~2"] == ("encode.0~2", "encode.1~2", "audio~2")


def test_captions_are_those_that_are_there() -> None:
    assert steps()["package.enriched~2"] == ("package.ready~2", "transcript", "storyboard")


def test_the_pointer_is_written_once_when_all_of_it_is_there() -> None:
    found = steps(Ladder(rungs=(RUNG,), grid=GRID), Ladder(rungs=(AV1,), grid=GRID))
    published = [key for key in found if key.startswith("publish")]
    assert published == ["publish.ready~2"]
    assert set(found["publish.ready~2"]) >= {
        "package.ready~2",
        "package.enriched~2",
        "package.codecs~2",
        "verdict.ready",
    }
    assert {"encode.av1.0~2", "encode.av1.1~2"} <= set(found["package.codecs~2"])


def test_an_encode_of_what_plays_already_hurries_nobody() -> None:
    plan = Plan(ladders=(Ladder(rungs=(RUNG,), grid=GRID),))
    specs = [opening(2, ["labels"]), *again(graph.delivery(FACTS, plan, FAST, POLICY), 2)]
    assert all(spec.priority < 0 for spec in specs)
    assert {spec.key for spec in specs if not spec.required} == {"package.enriched~2", "lint.enriched~2"}
    assert (specs[0].key, specs[0].kind, specs[0].after) == ("probe~2", StepKind.PROBE, ("labels",))


def test_an_analysis_is_made_again_by_itself() -> None:
    quality = load_profile("quality")
    plan = Plan(ladders=(Ladder(rungs=(RUNG,), grid=GRID),))
    assert [spec.key for spec in again(graph.body(FACTS, plan, quality, POLICY), 3)] == ["analyze~3"]
