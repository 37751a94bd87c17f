"""Clips that are made here, and rungs of them as the encode step would have stored them."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from rushes.engine.job import Job
from rushes.enrichment.speech import RATE
from rushes.facts import SourceFacts, SourceRef
from rushes.isobmff.movie import read_movie
from rushes.isobmff.segmenter import cut
from rushes.model import PackageResult
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

SEGMENT_SECONDS = 4


@dataclass
class Studio:
    """Makes clips and rungs, and the job and workspace of a step that looks at them."""

    folder: Path
    store: MemoryStore
    asset: str = "asset"

    def clip(self, name: str, *arguments: str) -> Path:
        """A file by ffmpeg."""
        path = self.folder / name
        binary = imageio_ffmpeg.get_ffmpeg_exe()
        command = [binary, "-v", "error", "-nostdin", "-y", *arguments, str(path)]
        subprocess.run(command, check=True, timeout=120)
        return path

    def rung(self, source: str | Path, size: tuple[int, int], *, fps: int = 25, filters: str = "null") -> Track:
        """One rung of a clip, or of an ffmpeg test source (`testsrc2=d=8`), stored as init and segments."""
        name = f"{size[0]}x{size[1]}"
        read = ["-f", "lavfi"] if isinstance(source, str) else []
        gop = f"keyint={2 * fps}:min-keyint={2 * fps}:scenecut=0:open-gop=0"
        chain = f"{filters},fps={fps},scale={size[0]}:{size[1]},setsar=1,format=yuv420p"
        video = [
            "-map",
            "0:v:0",
            "-map_metadata",
            "-1",
            "-map_chapters",
            "-1",
            "-vf",
            chain,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-x264-params",
            gop,
        ]
        path = self.clip(f"{name}.mp4", *read, "-i", str(source), *video, "-video_track_timescale", str(fps))
        return self._store(path.read_bytes(), f"media/{self.asset}/t/r/1/{name}/", fps)

    def _store(self, data: bytes, prefix: str, fps: int) -> Track:
        (movie,) = read_movie(data)
        made = cut(movie, data, range(0, len(movie.samples), SEGMENT_SECONDS * fps))
        self.store.put_bytes(prefix + "init.mp4", made.init)
        segments = []
        for number, segment in enumerate(made.segments, 1):
            name = f"{number:05}.m4s"
            self.store.put_bytes(prefix + name, segment.data)
            size = len(segment.data)
            segments.append(Segment(name=name, ticks=segment.ticks, size=size, keyframe_size=segment.keyframe_size))
        return Track(
            name=prefix.split("/")[-2], kind="video", prefix=prefix, codecs=made.codecs, timescale=made.timescale,
            segments=tuple(segments), width=made.width, height=made.height, fps=Fraction(fps),
        )  # fmt: skip

    def job(self, kind: StepKind, *tracks: Track, facts: SourceFacts | None = None, source: Path | None = None) -> Job:
        key = f"sources/t/{self.asset}/1"
        if source is not None:
            self.store.put_bytes(key, source.read_bytes())
        return Job(
            step_id="s", key=kind.value, kind=kind, asset=self.asset, tenant="t", fence=3, recipe="recipe",
            source=SourceRef(key=key, size=1), facts=facts,
            inputs={"package.ready": PackageResult(build=1, tracks=tracks, complete=True, bytes=0)},
            profile=load_profile("fast"), policy=load_policy("development"),
        )  # fmt: skip

    def workspace(self) -> Workspace:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return Workspace(self.store, scratch)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path, MemoryStore())


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """English speech by the flite synthesizer as a WAV file, mono at RATE."""
    flite = shutil.which("flite")
    if flite is None:
        pytest.fail("flite is not there") if os.environ.get("CI") else pytest.skip("flite is not there")
    folder = tmp_path_factory.mktemp("speech")

    def speak(text: str) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.wav"
        subprocess.run([flite, "-voice", "slt", "-t", text, "-o", str(path)], check=True, timeout=60)
        return path

    return speak


@pytest.fixture(scope="session")
def spoken(say: Callable[[str], Path]) -> np.ndarray:
    """Some English, int16 mono at RATE."""
    with wave.open(str(say("The quick brown fox jumps over the lazy dog, and then it goes home."))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)
