"""Steps run on real clips with the real tool: a store, a source in it, and what comes out as pictures and sound."""

from __future__ import annotations

import hashlib
import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest

from rushes.engine.job import Job, ToolSettings
from rushes.engine.kinds import KINDS
from rushes.facts import SourceFacts, SourceRef
from rushes.ffmpeg.probe import probe
from rushes.options import Options
from rushes.plan import Chunk, Ladder
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder import audio, encode, passthrough
from rushes.transcoder.ladder import plan

STEPS = {StepKind.ENCODE: encode.run, StepKind.AUDIO: audio.run, StepKind.REMUX: passthrough.run}
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory) -> Callable[..., Path]:
    """A clip by ffmpeg's arguments, written once per session; a name may be that of several."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, *arguments: str) -> Path:
        path = folder / hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:16] / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            command = [FFMPEG, "-nostdin", "-loglevel", "error", "-y", *arguments, str(path)]
            subprocess.run(command, check=True, timeout=120)
        return path

    return make


@dataclass
class Stage:
    """One source in a store of its own, and steps run on it."""

    root: Path
    source: Path
    facts: SourceFacts
    policy: str = "development"
    progress: list[float] | None = None
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.store = LocalStore(self.root / "objects")
        self.store.put_bytes("sources/t/a/1", self.source.read_bytes())
        self.progress = []
        self.profile = load_profile("fast")

    @property
    def ladder(self):
        return plan(self.facts, self.profile).ladders[0]

    def run(self, kind: StepKind, recipe: str = "", **params: Any):
        recipe = recipe or str(kind)
        scratch = self.root / f"scratch-{recipe}"
        scratch.mkdir()
        job = Job(
            step_id="s", key=f"{kind}.0", kind=kind, asset="a", tenant="t", fence=1, recipe=recipe, params=params,
            source=SourceRef(key="sources/t/a/1", size=self.source.stat().st_size), facts=self.facts,
            profile=self.profile, policy=load_policy(self.policy), options=self.options,
        )  # fmt: skip
        assert KINDS[kind].module == STEPS[kind].__module__
        return STEPS[kind](job, Workspace(self.store, scratch, ToolSettings(), self.progress.append))

    def encode(self):
        rungs = self.ladder.model_dump(mode="json")
        return self.run(StepKind.ENCODE, chunk=Chunk().model_dump(mode="json"), chunks=1, ladder=rungs)

    def encode_chunks(self, *firsts: int, ladder: Ladder | None = None, only: int | None = None):
        """The results of chunks that begin at these frames; the last one goes to the end. `only` one of them."""
        rungs = (ladder or self.ladder).model_dump(mode="json")
        results = []
        for number, (first, after) in enumerate(zip(firsts, [*firsts[1:], None], strict=True)):
            if only not in (None, number):
                continue
            chunk = Chunk(number=number, first=first, frames=None if after is None else after - first)
            params = {"chunk": chunk.model_dump(mode="json"), "chunks": len(firsts), "ladder": rungs}
            results.append(self.run(StepKind.ENCODE, f"chunk{number}", **params))
        return results

    def audio(self, duration: float | None = None):
        return self.run(StepKind.AUDIO, duration=duration)

    def remux(self):
        return self.run(StepKind.REMUX)

    def joined(self, track: Track) -> bytes:
        """The track as a player gets it: init, then every segment."""
        names = [track.init, *(segment.name for segment in track.segments)]
        return b"".join(self.store.read(track.prefix + name) for name in names)

    def pictures(self, track: Track) -> list[tuple[float, np.ndarray]]:
        """(seconds, RGB picture) of every frame; the matrix is the one that the stream names."""
        with av.open(io.BytesIO(self.joined(track))) as container:
            return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]

    def sound(self, track: Track) -> tuple[float, np.ndarray]:
        """(seconds of the first sample heard, samples x channels as float)."""
        with av.open(io.BytesIO(self.joined(track))) as container:
            frames = [frame for frame in container.decode(audio=0)]
        heard = [frame.to_ndarray().T for frame in frames]
        return frames[0].time, np.concatenate(heard)


@pytest.fixture
def stage(tmp_path) -> Callable[..., Stage]:
    def build(source: Path, policy: str = "development") -> Stage:
        return Stage(tmp_path, source, probe(source, ToolSettings()), policy)

    return build


@pytest.fixture
def original() -> Callable[..., np.ndarray]:
    """A picture of the source at a time, upright as ffmpeg itself turns it, at a size."""

    def read(path: Path, time: float, width: int, height: int, matrix: str = "auto") -> np.ndarray:
        filters = f"scale={width}:{height}:flags=bicubic:in_color_matrix={matrix},format=gbrp"
        command = [FFMPEG, "-nostdin", "-loglevel", "error", "-ss", str(time), "-i", str(path), "-frames:v", "1"]
        command += ["-vf", filters, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
        raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        return np.frombuffer(raw, np.uint8).reshape(height, width, 3)

    return read
