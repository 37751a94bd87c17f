"""The file to download, made of a build of real tracks: what an ordinary reader sees in it are the same pictures and sounds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.isobmff.movie import read_movie
from rushes.isobmff.segmenter import cut, starts_at
from rushes.model import DownloadResult, PackageResult, Skipped
from rushes.packaging.download import run
from rushes.packaging.single import in_single_files
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov+delay_moov+default_base_moof", "-f", "mp4")


def ffmpeg(*arguments: str | Path) -> str:
    command = [FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(MemoryStore(), tmp_path)


@pytest.fixture
def tracks(workspace: Workspace, tmp_path: Path) -> list[Track]:
    """Three seconds of picture and sound as an encode leaves them: reordered pictures, priming, segments of a second."""
    picture, sound = tmp_path / "picture.mp4", tmp_path / "sound.mp4"
    x264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0")
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25:duration=3",
        *x264,
        "-pix_fmt",
        "yuv420p",
        *FRAGMENTED,
        picture,
    )
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:duration=3:sample_rate=48000",
        "-ac",
        "2",
        "-c:a",
        "aac",
        *FRAGMENTED,
        sound,
    )
    return [stored(picture, "180p", workspace), stored(sound, "audio", workspace)]


def stored(path: Path, name: str, workspace: Workspace) -> Track:
    data = path.read_bytes()
    track = read_movie(data)[0]
    starts = [0, 25, 50] if track.handler == "vide" else starts_at(track, [0, 1, 2])
    pieces, prefix, segments = cut(track, data, starts), f"media/a/t/r/1/{name}/", []
    workspace.store.put_bytes(prefix + "init.mp4", pieces.init)
    for number, piece in enumerate(pieces.segments, 1):
        segments.append(Segment(name=f"{number:05d}.m4s", ticks=piece.ticks, size=len(piece.data)))
        workspace.store.put_bytes(prefix + segments[-1].name, piece.data)
    return Track(
        name=name, kind="video" if track.handler == "vide" else "audio", prefix=prefix, codecs=pieces.codecs,
        timescale=pieces.timescale, segments=tuple(segments), width=pieces.width or None, height=pieces.height or None,
    )  # fmt: skip


def job(*tracks: Track) -> Job:
    build = PackageResult(build=1, tracks=tracks, complete=True, bytes=1)
    return Job(
        step_id="s", key="download", kind=StepKind.DOWNLOAD, asset="a", tenant="t", fence=3, recipe="r",
        source=SourceRef(key="k", size=1), inputs={"package.ready": build}, profile=load_profile("balanced"),
        policy=load_policy("development"),
    )  # fmt: skip


def frames(path: Path, kind: str) -> list[str]:
    """Times and hashes of what is shown or heard."""
    lines = ffmpeg("-i", path, "-map", f"0:{kind}", "-f", "framemd5", "-").splitlines()
    return [",".join(line.split(",")[1:]) for line in lines if not line.startswith("#")]


def test_the_same_pictures_and_sounds_in_one_file(tracks: list[Track], workspace: Workspace, tmp_path: Path) -> None:
    result = run(job(*tracks), workspace)
    assert isinstance(result, DownloadResult)
    assert (result.key, result.width, result.height) == ("artifacts/a/r/3/video.mp4", 320, 180)
    assert result.tracks == ("180p", "audio")
    path = tmp_path / "again.mp4"
    path.write_bytes(workspace.store.read(result.key))
    assert path.stat().st_size == result.size
    # Then ffmpeg finds the same in it as in the segments one after the other
    for track in tracks:
        whole = tmp_path / f"{track.name}-whole.mp4"
        names = [track.init, *(segment.name for segment in track.segments)]
        whole.write_bytes(b"".join(workspace.store.read(track.prefix + name) for name in names))
        kind = track.kind[0]
        found, wanted = frames(path, kind), frames(whole, kind)
        assert found[:-1] == wanted[:-1]  # of the last one, its end is cut off where the sound is over
        assert len(found) == len(wanted) > 70


def test_it_is_the_same_from_tracks_in_one_file_each(tracks: list[Track], workspace: Workspace) -> None:
    result = run(job(*tracks), workspace)
    data = workspace.store.read(result.key)
    again = run(job(*in_single_files(tracks, job(*tracks), workspace)), workspace)
    assert again == result
    assert workspace.store.read(again.key) == data


def test_without_a_picture_for_everything_there_is_none(tracks: list[Track], workspace: Workspace) -> None:
    assert isinstance(run(job(tracks[1]), workspace), Skipped)
