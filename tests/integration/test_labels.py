"""The LABELS step on real video, with a detector whose answers are known and with the real NudeNet."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.model import LabelsResult, PackageResult, Result, Skipped
from rushes.moderation import nudenet
from rushes.moderation.detector import Absent, Detection, Picture
from rushes.moderation.labels import run
from rushes.moderation.policy import decide
from rushes.moderation.taxonomy import NUDENET, below
from rushes.noun import Reason
from rushes.policies import Rule
from rushes.settings import load_policy, load_profile
from rushes.states import Action, Coverage, StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

RED = below("Exposed Female Genitalia", "Explicit Nudity")
BLIND = {"violence", "weapons", "hate-symbols"}
FPS = 10


class Reddish:
    """Reports what it sees as certain where the picture is red; remembers what it was shown."""

    name = "nudenet"
    version = "test"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, picture: Picture) -> Sequence[Detection]:
        self.shapes.append(picture.shape)
        red, green, blue = picture.reshape(-1, 3).mean(axis=0)
        return [Detection(RED, 0.9)] if red > 150 and green < 100 and blue < 100 else []


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workspace(LocalStore(tmp_path / "objects"), scratch)


def built(tracks: tuple[Track, ...]) -> PackageResult:
    return PackageResult(build=1, tracks=tracks, complete=True, bytes=0)


def job(inputs: dict[str, Result]) -> Job:
    return Job(
        step_id="s", key="labels", kind=StepKind.LABELS, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="k", size=1), inputs=inputs, profile=load_profile("fast"),
        policy=load_policy("strict"),
    )  # fmt: skip


def store_track(source: Sequence[str], size: tuple[int, int], workspace: Workspace, folder: Path) -> Track:
    """Encode with ffmpeg into an init and two-second segments, and store them as an encode step would."""
    folder.mkdir()
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, "-an", "-vf",
         f"fps={FPS},scale={size[0]}:{size[1]},setsar=1", "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1",
         "-pix_fmt", "yuv420p", "-g", str(2 * FPS), "-bf", "0", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0",
         "-hls_segment_type", "fmp4", "-hls_segment_filename", str(folder / "%05d.m4s"), str(folder / "list.m3u8")],
        check=True,
    )  # fmt: skip
    durations = re.findall(r"#EXTINF:([\d.]+)", (folder / "list.m3u8").read_text())
    segments = []
    for number, seconds in enumerate(durations):
        info = workspace.store.put_file(f"p/{size[1]}p/{number:05d}.m4s", folder / f"{number:05d}.m4s")
        segments.append(Segment(name=f"{number:05d}.m4s", ticks=round(float(seconds) * 1000), size=info.size))
    workspace.store.put_file(f"p/{size[1]}p/init.mp4", folder / "init.mp4")
    return Track(
        name=f"{size[1]}p", kind="video", prefix=f"p/{size[1]}p/", codecs="avc1.42c01e", timescale=1000,
        segments=tuple(segments), width=size[0], height=size[1], fps=Fraction(FPS),
    )  # fmt: skip


@pytest.fixture
def coloured(workspace: Workspace, tmp_path: Path) -> Track:
    """12 s: blue, from second 4 to 7 red, blue, and red again in the last second."""
    red = "between(t,4,6.99)+gte(t,11)"
    picture = f"color=blue:s=640x360:r={FPS}:d=12,drawbox=color=red:t=fill:enable='{red}'"
    return store_track(["-f", "lavfi", "-i", picture], (640, 360), workspace, tmp_path / "out")


def labelled(step: Job, workspace: Workspace, find: Callable[[], object]) -> LabelsResult:
    result = run(step, workspace, find)
    assert isinstance(result, LabelsResult)
    return result


def test_labels_have_spans_and_everything_that_was_not_looked_for_is_said(coloured: Track, workspace: Workspace):
    detector, progress = Reddish(), []
    workspace.progress = progress.append
    result = labelled(job({"package.ready": built((coloured,))}), workspace, lambda: detector)
    # Then the red stretches are found to within a sampling interval, with name, parents, score and detector
    assert [(label.name, label.parents, label.score) for label in result.labels] == [(*RED, 0.9)] * 2
    spans = [(label.start, label.end) for label in result.labels]
    assert np.allclose(spans, [(4, 7), (11, 12)], atol=1.01)
    assert all(start < end <= coloured.duration for start, end in spans)
    # And the coverage tells the truth
    assert detector.shapes == [(360, 640, 3)] * 12
    entry, *blind = result.coverage
    assert (entry.detector, entry.version, entry.state, entry.frames) == ("nudenet", "test", Coverage.EVALUATED, 12)
    assert {one.detector for one in blind} == BLIND
    assert {one.state for one in blind} == {Coverage.NOT_EVALUATED}
    assert all(one.reason for one in blind)
    assert progress == sorted(progress)
    assert progress[-1] > 0.9
    # And the strict policy blocks it
    verdict = decide(load_policy("strict"), result.labels, result.coverage, None, phase="ready")
    assert (verdict.action, verdict.rules[0]) == (Action.BLOCK, "explicit-block")


def test_without_a_detector_nothing_is_called_clean(coloured: Track, workspace: Workspace):
    result = labelled(
        job({"package.ready": built((coloured,))}), workspace, lambda: Absent("nudenet", "Not installed.")
    )
    assert result.labels == ()
    assert {one.detector for one in result.coverage} == BLIND | {"nudenet"}
    assert {one.state for one in result.coverage} == {Coverage.NOT_EVALUATED}
    assert result.coverage[0].reason == "Not installed."
    verdict = decide(load_policy("strict"), result.labels, result.coverage, None, phase="ready")
    assert (verdict.action, verdict.rules) == (Action.HOLD, ("coverage:visual",))


def test_the_lowest_sensible_rung_is_read(coloured: Track, workspace: Workspace, tmp_path: Path):
    # Given a rung whose objects are not there at all, which must not be touched
    better = coloured.model_copy(update={"name": "720p", "prefix": "gone/", "width": 1280, "height": 720})
    tracks = (better, coloured)
    assert labelled(job({"package.ready": built(tracks)}), workspace, Reddish).labels


def test_a_video_that_is_shorter_than_it_says_is_covered_in_part(coloured: Track, workspace: Workspace):
    # Given a track that claims twice the time that its segments hold
    segments = tuple(one.model_copy(update={"ticks": 2 * one.ticks}) for one in coloured.segments)
    liar = coloured.model_copy(update={"segments": segments})
    result = labelled(job({"package.ready": built((liar,))}), workspace, Reddish)
    assert result.coverage[0].state is Coverage.PARTIAL
    assert "12 of 24" in (result.coverage[0].reason or "")


@pytest.mark.parametrize(
    "inputs", [{}, {"package.ready": built(())}, {"package.ready": Skipped(reason=Reason(code="x", message="x"))}]
)
def test_without_pictures_it_is_skipped(inputs: dict[str, Result], workspace: Workspace):
    result = run(job(inputs), workspace, Reddish)
    assert isinstance(result, Skipped)
    assert result.reason.code == "no_pictures"


def real_detector() -> nudenet.Detector:
    detector = nudenet.find()
    if isinstance(detector, Absent):
        pytest.skip(detector.reason)
    return detector


def test_nudenet_on_a_generated_clip(workspace: Workspace, tmp_path: Path):
    detector = real_detector()
    track = store_track(["-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=5"], (640, 360), workspace, tmp_path / "out")
    result = labelled(job({"package.ready": built((track,))}), workspace, lambda: detector)
    entry = result.coverage[0]
    assert (entry.detector, entry.state, entry.frames) == ("nudenet", Coverage.EVALUATED, 8)
    assert entry.version == detector.version
    assert result.labels == ()


@pytest.mark.media
def test_nudenet_on_people_at_a_desk(workspace: Workspace, tmp_path: Path, media: Path):
    """Dressed people: covered body parts and faces are seen, and none of them may become a label that blocks."""
    detector = real_detector()
    clip = media / "real" / "indoor-people-432p-10fps-139s.mp4"
    track = store_track(["-t", "20", "-i", str(clip)], (768, 432), workspace, tmp_path / "out")
    result = labelled(job({"package.ready": built((track,))}), workspace, lambda: detector)
    assert result.coverage[0].state is Coverage.EVALUATED
    assert result.coverage[0].frames == 20
    verdict = decide(load_policy("strict"), result.labels, result.coverage, None, phase="ready")
    assert verdict.action is Action.PUBLISH


def test_a_broken_extra_is_absent_and_not_clean(monkeypatch: pytest.MonkeyPatch):
    def broken(gpu: str) -> object:
        raise OSError("bad ELF header")

    real_detector()
    monkeypatch.setattr(nudenet, "_model", broken)
    found = nudenet.find()
    assert found == Absent("nudenet", "It could not be loaded: OSError.")


@pytest.mark.media
def test_the_model_really_looks(media: Path):
    """Its raw classes: in a clip of somebody before a webcam it must find a face."""
    detector = real_detector()
    assert isinstance(detector, nudenet.NudeNet)
    shown = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(media / "real" / "webcam-480p-quote'name.mov"),
         "-vf", "fps=2,scale=640:480", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True,
    ).stdout  # fmt: skip
    pictures = np.frombuffer(shown, np.uint8).reshape(-1, 480, 640, 3)
    found = [one for picture in pictures for one in detector.raw(picture)]
    assert max(one["score"] for one in found if one["class"].startswith("FACE")) > 0.5
    # And of what it says of bodies only what moderators look for becomes a detection
    assert {one["class"] for one in found} <= NUDENET.keys()
    named = [one for picture in pictures for one in detector.detect(picture)]
    assert len(named) == sum(NUDENET[one["class"]] is not None for one in found)


@pytest.mark.parametrize(("score", "rules", "kept"), [(0.49, (), False), (0.5, (), True), (0.3, (0.2, 0.9), True)])
def test_doubtful_findings_are_kept_only_if_the_policy_asks(
    coloured: Track, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, score, rules, kept
):
    step = job({"package.ready": built((coloured,))})
    asked = [Rule(id=str(least), label="Explicit", score=least, action=Action.HOLD) for least in rules]
    step = step.model_copy(update={"policy": step.policy.model_copy(update={"rules": tuple(asked)})})
    monkeypatch.setattr(Reddish, "detect", lambda self, picture: [Detection(RED, score)])
    assert bool(labelled(step, workspace, Reddish).labels) is kept
