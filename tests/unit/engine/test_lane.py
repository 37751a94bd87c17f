from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine import graph
from rushes.engine.classes import Class, class_of, deadline_of
from rushes.engine.lane import LOOK_END
from rushes.engine.specs import FAST, NORMAL
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.model import StepSpec
from rushes.options import Clip, Options
from rushes.plan import Chunk, Grid, Ladder, Look, Plan, Rung
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind

RUNG = Rung(name="360p", width=640, height=360, crf=25, max_bitrate=800_000, buffer_bits=1_600_000)
LADDER = Ladder(rungs=(RUNG,), grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=120))
LOOK = Look(
    ladder=Ladder(rungs=(RUNG,), grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=60)),
    chunks=(Chunk(number=0, first=0, frames=120), Chunk(number=1, first=120, frames=240), Chunk(number=2, first=360)),
)
WHOLE = LOOK.model_copy(update={"chunks": (Chunk(),)})


def facts(codec: str = "hevc", *, audio: bool = True) -> SourceFacts:
    video = VideoFacts(index=0, codec=codec, profile="High", width=640, height=360, fps=Fraction(30), duration=20.0)
    tracks = (AudioFacts(index=1, codec="aac", profile="LC", channels=2, sample_rate=48000),) if audio else ()
    return SourceFacts(
        container="mp4", demuxer="mov", size=1000, duration=20.0, video=video, audio=tracks, streams=2,
        keyframes=(0.0, 2.0), bitrate=1_000_000,
    )  # fmt: skip


def steps(
    found: SourceFacts, look: Look | None = LOOK, policy: str = "development", options: Options | None = None
) -> dict[str, StepSpec]:
    made = Plan(ladders=(LADDER,), look=look)
    specs = graph.plan(found, made, load_profile("fast"), load_policy(policy), options or Options())
    assert len({spec.key for spec in specs}) == len(specs)
    seen: set[str] = set()
    for spec in specs:
        assert set(spec.after) <= seen, spec.key
        seen.add(spec.key)
    return {spec.key: spec for spec in specs}


def test_the_first_chunk_and_the_sound_make_an_asset_playable() -> None:
    found = steps(facts())
    assert found["first.0"].kind is StepKind.ENCODE
    assert found["first.0"].after == ()
    assert set(found["package.first"].after) == {"first.0", "audio"}
    assert found["package.first"].params["growing"] is True
    assert found["publish.first"].after == ("verdict.first", "package.first", "lint.first")
    assert found["first.0"].priority == found["audio"].priority == FAST > found["encode.0"].priority


def test_each_chunk_more_makes_the_build_longer_and_the_last_ends_it() -> None:
    found = steps(facts())
    assert found["package.first.1"].after == ("package.first", "first.1", "audio")
    assert found["package.first.2"].after == ("package.first.1", "first.2", "audio")
    assert [found[f"package.first.{number}"].params["last"] for number in (1, 2)] == [False, True]
    assert all(found[key].after == ("first.0",) for key in ("first.1", "first.2"))
    assert FAST > found["first.1"].priority > found["first.2"].priority > NORMAL


def test_a_look_has_an_end_whatever_becomes_of_its_chunks() -> None:
    end = steps(facts())[LOOK_END]
    assert end.after == ("package.first", "package.first.1", "package.first.2")
    assert not end.required
    assert LOOK_END not in steps(facts(), WHOLE)


def test_a_short_source_is_looked_at_whole() -> None:
    found = steps(facts(), WHOLE)
    assert found["package.first"].params["growing"] is False
    assert "package.first.1" not in found


def test_a_look_is_announced_with_what_its_encoder_keeps_to() -> None:
    assert steps(facts(audio=False))["package.first"].params["bandwidth"] == 1_600_000
    assert steps(facts())["package.first"].params["bandwidth"] > 1_600_000


def test_the_lane_costs_nobody_his_asset() -> None:
    found = steps(facts())
    lane = [key for key in found if key.startswith(("first.", "package.first", "verdict.first", "publish.first"))]
    assert not any(found[key].required for key in lane)
    assert found["audio"].required


def test_standard_sources_are_copied_and_not_encoded_for_a_look() -> None:
    found = steps(facts("h264"))
    assert "remux" in found
    assert "first.0" not in found


def test_a_clip_of_a_standard_source_needs_a_look() -> None:
    found = steps(facts("h264"), options=Options(clip=Clip(start=1.0, end=5.0)))
    assert "first.0" in found
    assert "remux" not in found


def test_where_labels_come_first_a_look_is_for_its_owner_only() -> None:
    found = steps(facts(), policy="strict")
    assert "package.first" in found
    assert "publish.first" not in found


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("partial", ["hold", "refuse"])
def test_where_broken_sources_are_not_published_nothing_is_before_all_is_decoded(codec: str, partial: str) -> None:
    policy = load_policy("development").model_copy(update={"partial": partial})
    made = graph.plan(facts(codec), Plan(ladders=(LADDER,), look=LOOK), load_profile("fast"), policy)
    keys = {spec.key for spec in made}
    assert "package.first" in keys
    assert {key for key in keys if key.startswith("publish.")} == {"publish.ready", "publish.enriched"}


def test_without_the_lane_there_is_only_the_ladder() -> None:
    profile = load_profile("fast").model_copy(update={"fast_lane": False})
    made = graph.plan(facts(), Plan(ladders=(LADDER,), look=LOOK), profile, load_policy("development"))
    assert not any(spec.key.startswith(("first.", "package.first", "remux")) for spec in made)


@pytest.mark.parametrize("plain", [True, False])
def test_a_source_that_may_be_standard_is_copied_while_it_is_probed(plain: bool) -> None:
    found = graph.intake(plain=plain)
    assert [spec.key for spec in found] == ["probe", *(["remux"] if plain else []), "checksum"]
    assert all(spec.after == () for spec in found)


def test_the_rung_that_is_the_source_waits_for_those_whose_decoding_proves_it() -> None:
    made = Plan(ladders=(LADDER,), reuse=True, top=RUNG.model_copy(update={"name": "720p"}))
    found = {spec.key: spec for spec in graph.delivery(facts(), made, load_profile("fast"), load_policy("development"))}
    assert found["encode.reuse"].after == ("encode.0",)
    assert "encode.reuse" in found["package.ready"].after
    assert Ladder.model_validate(found["encode.reuse"].params["ladder"]).rungs == (made.top,)


@pytest.mark.parametrize(
    ("codec", "leading"), [("h264", ["remux"]), ("hevc", ["first.0", "audio"])], ids=["as it is", "encoded"]
)
def test_all_that_leads_to_a_playable_video_is_of_the_highest_class(codec: str, leading: list[str]) -> None:
    """Of a lower one, a single step would wait behind all of the highest that a flood of others has ready."""
    found = steps(facts(codec))
    for key in (*leading, "package.first", "lint.first", "verdict.first", "publish.first"):
        assert class_of(found[key].priority) is Class.FAST, key


def test_the_probe_goes_before_the_copy_that_is_of_no_use_without_it_and_the_checksum_after_both() -> None:
    probe, copy, checksum = graph.intake(plain=True)
    assert deadline_of(probe.priority, 0.0) < deadline_of(copy.priority, 0.0)
    assert class_of(probe.priority) is class_of(copy.priority) is Class.FAST
    assert class_of(checksum.priority) < Class.FAST
