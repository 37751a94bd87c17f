from __future__ import annotations

from collections.abc import Callable

import pytest

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.model import (
    Cue,
    ImageArtifact,
    PackageResult,
    Skipped,
    StoryboardResult,
    TracksResult,
    TranscriptResult,
)
from rushes.noun import Reason
from rushes.packaging.package import run
from rushes.storage.store import IMMUTABLE
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

Make = Callable[..., Track]
MakeJob = Callable[..., Job]
PLACE = "media/00000000000000000000000000/b/1/"


def keys(workspace: Workspace, prefix: str = "media/") -> list[str]:
    return [info.key for info in workspace.store.list(prefix)]


def test_a_build_is_written_whole(make_video: Make, make_audio: Make, make_job: MakeJob, workspace: Workspace) -> None:
    inputs = {"encode.0": TracksResult(tracks=(make_video(),)), "audio": TracksResult(tracks=(make_audio(),))}
    result = run(make_job(params={"phase": "ready"}, inputs=inputs), workspace)
    assert isinstance(result, PackageResult)
    assert (result.build, result.complete, [track.name for track in result.tracks]) == (1, True, ["720p", "audio"])
    names = ["720p-iframes.m3u8", "720p.m3u8", "audio.m3u8", "manifest.mpd", "master.m3u8"]
    assert keys(workspace) == [PLACE + name for name in names]
    info = workspace.store.head(PLACE + "master.m3u8")
    assert (info.content_type, info.cache_control) == ("application/vnd.apple.mpegurl", IMMUTABLE)
    assert b"\n../../t/r/1/720p/00001.m4s\n" in workspace.store.read(PLACE + "720p.m3u8")
    assert result.bytes > sum(track.bytes for track in result.tracks)


def test_manifests_that_name_others_are_written_after_them(
    make_video: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    order: list[str] = []
    put = workspace.publish_bytes
    workspace.publish_bytes = lambda key, data, kind: order.append(key) or put(key, data, kind)
    run(make_job(params={"phase": "ready"}, inputs={"encode.0": TracksResult(tracks=(make_video(),))}), workspace)
    assert [key.removeprefix(PLACE) for key in order] == [
        "720p.m3u8",
        "720p-iframes.m3u8",
        "master.m3u8",
        "manifest.mpd",
    ]


def test_the_first_phase_takes_the_provisional_tracks_only(
    make_video: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    inputs = {"remux": TracksResult(tracks=(make_video("source"),), provisional=True)}
    result = run(make_job(params={"phase": "first"}, inputs=inputs), workspace)
    assert isinstance(result, PackageResult)
    assert (result.complete, result.tracks[0].name) == (False, "source")


@pytest.mark.parametrize("inputs", [{}, {"remux": Skipped(reason=Reason(code="x", message="y"))}])
def test_no_fast_lane_is_skipped(inputs: dict[str, Skipped], make_job: MakeJob, workspace: Workspace) -> None:
    result = run(make_job(params={"phase": "first"}, inputs=inputs), workspace)
    assert isinstance(result, Skipped)
    assert keys(workspace) == []


def test_bad_tracks_fail_the_step_and_write_nothing(make_video: Make, make_job: MakeJob, workspace: Workspace) -> None:
    other = make_video("360p", segments=make_video().segments[:1])
    inputs = {"encode.0": TracksResult(tracks=(make_video(), other))}
    with pytest.raises(StepFailure) as caught:
        run(make_job(params={"phase": "ready"}, inputs=inputs), workspace)
    assert (caught.value.code, caught.value.blame) == ("verify_failed", Blame.TRANSIENT)
    assert "360p is not cut" in caught.value.detail
    assert keys(workspace) == []


def test_nothing_to_package_fails(make_job: MakeJob, workspace: Workspace) -> None:
    with pytest.raises(StepFailure):
        run(make_job(params={"phase": "ready"}), workspace)


def test_chunks_with_different_inits_are_refused(make_video: Make, make_job: MakeJob, workspace: Workspace) -> None:
    first = make_video()
    second = make_video(prefix=first.prefix.replace("/r/1/", "/r/2/"), start_ticks=first.ticks)
    workspace.publish_bytes(first.prefix + "init.mp4", b"one", "video/mp4")
    workspace.publish_bytes(second.prefix + "init.mp4", b"two", "video/mp4")
    inputs = {"encode.10": TracksResult(tracks=(second,)), "encode.2": TracksResult(tracks=(first,))}
    with pytest.raises(StepFailure) as caught:
        run(make_job(params={"phase": "ready"}, inputs=inputs), workspace)
    assert "different init segments" in caught.value.detail
    # and with equal ones they are joined in the order of their numbers, 2 before 10
    workspace.publish_bytes(second.prefix + "init.mp4", b"one", "video/mp4")
    result = run(make_job(params={"phase": "ready"}, inputs=inputs), workspace)
    assert isinstance(result, PackageResult)
    assert result.tracks[0].segments[0].name.startswith("1/720p/")


def chunk(track: Track, expected: float, decoded: float, errors: int = 0) -> TracksResult:
    return TracksResult(
        tracks=(track,) if decoded else (), expected_seconds=expected, decoded_seconds=decoded, decode_errors=errors
    )


def test_what_is_missing_is_found_when_chunks_are_joined(
    make_video: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    # Given a chunk of which half is missing, and two behind it
    first = make_video()
    second = make_video(prefix=first.prefix.replace("/r/1/", "/r/2/"), start_ticks=first.ticks)
    third = make_video(prefix=first.prefix.replace("/r/1/", "/r/3/"), start_ticks=3 * first.ticks)
    for track in (first, second, third):
        workspace.publish_bytes(track.prefix + "init.mp4", b"one", "video/mp4")
    length = first.duration
    inputs = {
        "encode.0": chunk(first, length, length),
        "encode.1": chunk(second, 2 * length, length, errors=7),
        "encode.2": chunk(third, length, length),
    }
    result = run(make_job(params={"phase": "ready"}, inputs=inputs), workspace)
    # Then the build ends where the picture breaks off, and says how much is missing
    assert isinstance(result, PackageResult)
    assert result.tracks[0].duration == pytest.approx(2 * length)
    assert (result.missing_seconds, result.decode_errors) == (pytest.approx(2 * length), 7)
    # And a policy that wants whole videos refuses it
    strict = make_job(params={"phase": "ready"}, inputs=inputs)
    strict = strict.model_copy(update={"policy": strict.policy.model_copy(update={"partial": "refuse"})})
    with pytest.raises(StepFailure) as caught:
        run(strict, workspace)
    assert (caught.value.code, caught.value.blame) == ("truncated", Blame.PERMANENT)


def enriched(make_video: Make, make_job: MakeJob, *, trusted: bool, cues: tuple[Cue, ...]) -> Job:
    base = PackageResult(build=1, tracks=(make_video(),), complete=True, bytes=1)
    transcript = TranscriptResult(language="en", engine="e", trusted=trusted, cues=cues, vtt_key="v", json_key="j")
    return make_job(build=2, params={"phase": "enriched"}, inputs={"package.ready": base, "transcript": transcript})


def test_captions_make_a_further_build(make_video: Make, make_job: MakeJob, workspace: Workspace) -> None:
    job = enriched(make_video, make_job, trusted=True, cues=(Cue(start=0, end=1, text="a"),))
    result = run(job, workspace)
    assert isinstance(result, PackageResult)
    assert [track.name for track in result.tracks] == ["720p", "captions-en"]
    captions = result.tracks[1]
    assert captions.prefix == "media/00000000000000000000000000/t/pkg/7/captions-en/"
    assert workspace.store.head(captions.prefix + "00001.vtt").content_type.startswith("text/vtt")
    assert b'SUBTITLES="subtitles"' in workspace.store.read("media/00000000000000000000000000/b/2/master.m3u8")


def drawn(track: Track | None) -> StoryboardResult:
    sprite = ImageArtifact(key="artifacts/a/r/1/storyboard.jpg", width=800, height=90)
    return StoryboardResult(
        sprite=sprite, vtt_key="v", tile_width=160, tile_height=90, columns=5, count=5, interval=1, track=track
    )


@pytest.mark.parametrize("said", [True, False])
def test_the_storyboard_makes_a_further_build_too(
    said: bool, make_video: Make, make_board: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    # Given a storyboard, with captions beside it or without
    job = enriched(make_video, make_job, trusted=said, cues=(Cue(start=0, end=1, text="a"),))
    result = run(job.model_copy(update={"inputs": {**job.inputs, "storyboard": drawn(make_board())}}), workspace)
    # Then one build has what there is, on the same segments
    assert isinstance(result, PackageResult)
    assert [track.name for track in result.tracks] == ["720p", *(["captions-en"] if said else []), "storyboard"]
    master = workspace.store.read("media/00000000000000000000000000/b/2/master.m3u8")
    assert b'URI="storyboard.m3u8"' in master
    assert (b"captions-en.m3u8" in master) is said
    # And when it is made again on it, nothing is in it twice
    inputs = {**job.inputs, "package.ready": result, "storyboard": drawn(make_board())}
    again = run(job.model_copy(update={"inputs": inputs, "build": 3}), workspace)
    assert isinstance(again, PackageResult)
    assert sorted(track.name for track in again.tracks) == sorted(track.name for track in result.tracks)


def test_a_storyboard_from_before_there_were_sheets_adds_nothing(
    make_video: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    job = enriched(make_video, make_job, trusted=False, cues=())
    result = run(job.model_copy(update={"inputs": {**job.inputs, "storyboard": drawn(None)}}), workspace)
    assert isinstance(result, Skipped)
    assert keys(workspace) == []


@pytest.mark.parametrize(("trusted", "cues"), [(False, (Cue(start=0, end=1, text="a"),)), (True, ())])
def test_no_captions_no_build(
    trusted: bool, cues: tuple[Cue, ...], make_video: Make, make_job: MakeJob, workspace: Workspace
) -> None:
    assert isinstance(run(enriched(make_video, make_job, trusted=trusted, cues=cues), workspace), Skipped)
    assert keys(workspace) == []
