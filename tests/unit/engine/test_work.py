from __future__ import annotations

import pytest

from rushes.engine.specs import FAST, NORMAL, step
from rushes.engine.work import SHARED, awaiting, moved, moved_key, objects, work_key
from rushes.model import (
    AnalysisResult,
    ChecksumResult,
    ImageArtifact,
    PosterResult,
    Skipped,
    StoryboardResult,
    TracksResult,
)
from rushes.noun import Reason
from rushes.options import Clip, Options
from rushes.plan import Grid, Ladder, Plan, Rung
from rushes.settings import load_profile
from rushes.states import StepKind
from rushes.tracks import Segment, Track

PROFILE = load_profile("fast")
HERE = ("bbb", "r2", 3)
TRACK = Track(
    name="360p", kind="video", prefix="media/aaa/t/r1/1/360p/", init_size=7, codecs="avc1.64001e", timescale=30_000,
    segments=(Segment(name="00001.m4s", ticks=60, size=11), Segment(name="00002.m4s", ticks=60, size=12)),
)  # fmt: skip


def name(key: str = "encode.0", kind: StepKind = StepKind.ENCODE, **changes: object) -> str | None:
    values: dict[str, object] = {"source": ("ab" * 32, 10), "params": {"chunk": 0}, "profile": PROFILE, "tool": "9"}
    return work_key((kind, key), **{**values, **changes})  # type: ignore[arg-type]


def test_the_same_work_has_the_same_name_in_whichever_encode() -> None:
    assert name() == name("encode.0~2") == name("encode.0~3")


def test_another_source_recipe_or_tool_is_other_work() -> None:
    others = {
        name(source=("cd" * 32, 10)),
        name(source=("ab" * 32, 11)),
        name(params={"chunk": 1}),
        name(tool="10"),
        name(options=Options(clip=Clip(start=1))),
        name(options=Options(clip=Clip(start=2))),
        name("encode.1"),
        name("audio", StepKind.AUDIO),
    }
    assert len(others | {name()}) == 9


def test_work_without_a_digest_has_no_name() -> None:
    assert name(source=(None, 10)) is None


@pytest.mark.parametrize("kind", [kind for kind in StepKind if kind not in SHARED])
def test_what_depends_on_more_than_the_source_is_always_done(kind: StepKind) -> None:
    assert name(kind.value, kind) is None


def test_speech_and_labels_are_never_copied() -> None:
    assert not SHARED & {StepKind.TRANSCRIPT, StepKind.LABELS, StepKind.VERDICT, StepKind.PUBLISH, StepKind.PACKAGE}


def test_only_what_costs_waits_for_the_digest() -> None:
    specs = [
        step("remux", StepKind.REMUX, priority=FAST),
        step("first.0", StepKind.ENCODE, priority=FAST),
        step("first.1", StepKind.ENCODE, "first.0", priority=FAST - 1, provisional=True),
        step("audio", StepKind.AUDIO, priority=NORMAL),
        step("encode.0", StepKind.ENCODE, priority=NORMAL),
        step("package.ready", StepKind.PACKAGE, "encode.0", "audio", priority=NORMAL),
    ]
    waiting = {spec.key for spec in awaiting(specs, FAST) if "checksum" in spec.after}
    assert waiting == {"audio", "encode.0"}


def test_a_result_names_its_objects() -> None:
    found = list(objects(TracksResult(tracks=(TRACK,))))
    assert found == [
        ("media/aaa/t/r1/1/360p/init.mp4", 7),
        ("media/aaa/t/r1/1/360p/00001.m4s", 11),
        ("media/aaa/t/r1/1/360p/00002.m4s", 12),
    ]


def test_a_moved_result_lies_below_the_other_attempt() -> None:
    result = moved(TracksResult(tracks=(TRACK,), decoded_seconds=4.0), HERE)
    assert isinstance(result, TracksResult)
    assert [track.prefix for track in result.tracks] == ["media/bbb/t/r2/3/360p/"]
    assert result.tracks[0].segments == TRACK.segments
    assert result.decoded_seconds == 4.0
    assert [moved_key(key, HERE) for key, _ in objects(TracksResult(tracks=(TRACK,)))] == [
        key for key, _ in objects(result)
    ]


def test_pictures_move_too() -> None:
    sprite = ImageArtifact(key="artifacts/aaa/r1/1/storyboard.jpg", width=10, height=10)
    board = StoryboardResult(
        sprite=sprite,
        vtt_key="artifacts/aaa/r1/1/storyboard.vtt",
        tile_width=1,
        tile_height=1,
        columns=1,
        count=1,
        interval=1,
        track=TRACK.model_copy(update={"kind": "image", "init": None, "prefix": "media/aaa/t/r1/1/storyboard/"}),
    )
    assert [key for key, _ in objects(moved(board, HERE) or board)] == [
        "artifacts/bbb/r2/3/storyboard.jpg",
        "artifacts/bbb/r2/3/storyboard.vtt",
        "media/bbb/t/r2/3/storyboard/00001.m4s",
        "media/bbb/t/r2/3/storyboard/00002.m4s",
    ]
    older = board.model_copy(update={"track": None})
    assert moved(older, HERE) == (moved(board, HERE) or board).model_copy(update={"track": None})
    poster = PosterResult(poster=ImageArtifact(key="artifacts/aaa/r1/1/poster.jpg", width=10, height=10))
    assert [key for key, _ in objects(moved(poster, HERE) or poster)] == ["artifacts/bbb/r2/3/poster.jpg"]


def test_an_analysis_has_no_objects() -> None:
    rung = Rung(name="360p", width=640, height=360, crf=23, max_bitrate=1, buffer_bits=1)
    ladder = Ladder(rungs=(rung,), grid=Grid(fps=30, gop_frames=60, segment_frames=120))  # type: ignore[arg-type]
    result = AnalysisResult(plan=Plan(ladders=(ladder,)))
    assert moved(result, HERE) == result
    assert list(objects(result)) == []


@pytest.mark.parametrize(
    "result", [ChecksumResult(sha256="ab"), Skipped(reason=Reason(code="x", message="y"))]
)  # fmt: skip
def test_other_results_do_not_move(result: ChecksumResult | Skipped) -> None:
    assert moved(result, HERE) is None


@pytest.mark.parametrize("key", ["sources/t/a/1", "media/aaa/b/1/master.m3u8", "media/aaa/master.m3u8"])
def test_what_no_attempt_wrote_does_not_move(key: str) -> None:
    with pytest.raises(ValueError, match="not the output"):
        moved_key(key, HERE)
    astray = TracksResult(tracks=(TRACK.model_copy(update={"prefix": key}),))
    assert moved(astray, HERE) is None


def test_tracks_of_a_protected_asset_are_copied_to_where_nobody_reads_them() -> None:
    result = moved(TracksResult(tracks=(TRACK,)), HERE, private=True)
    assert isinstance(result, TracksResult)
    assert result.tracks[0].prefix == "private/bbb/t/r2/3/360p/"
    back = moved(result, ("ccc", "r9", 1))
    assert isinstance(back, TracksResult)
    assert back.tracks[0].prefix == "media/ccc/t/r9/1/360p/"
