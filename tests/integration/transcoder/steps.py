"""Steps run by hand on one source, each given what others made; their objects lie in a store of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rushes.engine.job import Job, ToolSettings
from rushes.facts import SourceRef
from rushes.ffmpeg.probe import probe
from rushes.model import Result, TracksResult
from rushes.packaging import package
from rushes.plan import Ladder
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder import audio, encode
from rushes.transcoder.copied import planned
from rushes.transcoder.ladder import plan


class Run:
    """One source in a store of its own, and steps that are given what others made."""

    def __init__(self, root: Path, source: Path) -> None:
        self.root, self.source = root, source
        self.store = LocalStore(root / "objects")
        self.store.put_bytes("sources/t/a/1", source.read_bytes())
        self.facts = probe(source, ToolSettings())
        self.profile = load_profile("fast")
        self.plan = planned(plan(self.facts, self.profile), source, self.facts, self.profile)
        self.done: dict[str, Result] = {}

    def step(self, key: str, kind: StepKind, params: dict[str, Any], *after: str, build: int = 1) -> Any:
        scratch = self.root / f"scratch-{key}"
        scratch.mkdir()
        job = Job(
            step_id=key, key=key, kind=kind, asset="a", tenant="t", fence=1, recipe=key.replace(".", "-"), params=params,
            source=SourceRef(key="sources/t/a/1", size=self.source.stat().st_size), facts=self.facts, build=build,
            inputs={name: self.done[name] for name in after}, profile=self.profile, policy=load_policy("development"),
        )  # fmt: skip
        room = {StepKind.ENCODE: encode, StepKind.AUDIO: audio, StepKind.PACKAGE: package}[kind]
        self.done[key] = room.run(job, Workspace(self.store, scratch, ToolSettings()))
        return self.done[key]

    def encode(
        self, key: str, ladder: Ladder, chunk: dict[str, Any], count: int, *after: str, **more: Any
    ) -> TracksResult:
        params = {"ladder": ladder.model_dump(mode="json"), "chunk": chunk, "chunks": count, **more}
        made = self.step(key, StepKind.ENCODE, params, *after)
        assert isinstance(made, TracksResult)
        return made

    def sound(self) -> None:
        grid = self.plan.grid.model_dump(mode="json")
        self.step("audio", StepKind.AUDIO, {"duration": self.facts.duration, "grid": grid})

    def joined(self, track: Track) -> bytes:
        names = [track.init, *(segment.name for segment in track.segments)]
        return b"".join(self.store.read(track.prefix + str(name)) for name in names)

    def reused(self) -> None:
        """The other rungs, the source as the top one, and the sound."""
        ladder, chunks, top = self.plan.ladders[0], self.plan.chunks, self.plan.top
        assert top is not None
        for chunk in chunks:
            self.encode(f"encode.{chunk.number}", ladder, chunk.model_dump(mode="json"), len(chunks))
        others = [f"encode.{chunk.number}" for chunk in chunks]
        alone = Ladder(rungs=(top,), grid=self.plan.grid)
        self.encode("encode.reuse", alone, {"number": 0, "first": 0}, 1, *others, reuse=True)
        self.sound()
        self.step("package.ready", StepKind.PACKAGE, {"phase": "ready"}, *others, "encode.reuse", "audio")
