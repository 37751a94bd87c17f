"""Bits at equal VMAF: content-aware ladders beside the fixed one of the single ffmpeg command that a good engineer writes.

Six clips of different kinds. For each way of encoding: BD-rate (VMAF of whole renditions, one picture in seven, at the
source's size), CPU beside that command's with the search in it, the top rung's VMAF beside its target, and how far each rung
was from its prediction (`*`: it was encoded a second time).

`python -m bench.bits`; `--clips NAME,...`, `--ways veryfast,medium,av1,balanced`, `--model phone|default`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench.bjontegaard import bd_rate, rate_at
from bench.clips import MEDIA, ffmpeg
from bench.whole import scores
from rushes.engine.job import Job, Limits, ToolSettings
from rushes.engine.quality import replaced
from rushes.facts import SourceFacts, SourceRef
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.meter import metered
from rushes.ffmpeg.probe import probe
from rushes.plan import Chunk, Ladder, Viewing
from rushes.profiles import CodecTarget, Profile, QualityTarget
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder import analysis, correction, encode, scoring
from rushes.transcoder.delivery import open_movie
from rushes.transcoder.inputs import Input
from rushes.transcoder.ladder import RATE_EXPONENT, TOO_NEAR, plan
from rushes.transcoder.stretch import Stretch

SECONDS = 20
CLIPS = {
    "street": ("derived-natural-720p2997-39s-speech.mp4", 8),
    "juggling": ("juggle-720p24-noaudio.mp4", 0),
    "nature": ("nature-720p30-24s.mp4", 4),
    "portrait": ("phone-portrait-480x720-22s.mp4", 2),
    "upscaled": ("derived-androidlike-1080x1920-rot-speech.mp4", 0),
    "animation": ("bbb-720p25-h264-aac51.mp4", 0),
}
FIXED = ((234, 145_000), (360, 730_000), (540, 2_000_000), (720, 3_000_000), (1080, 6_000_000))
"""Short side and rate of the fixed ladder: Apple's authoring table, as far as a source reaches."""
STEPS = {StepKind.ANALYZE: analysis.run, StepKind.ENCODE: encode.run, StepKind.CORRECT: correction.run}
_VERYFAST, _AV1 = load_profile("balanced").video.codecs
WAYS = {
    "veryfast": (_VERYFAST,),
    "medium": (_VERYFAST.model_copy(update={"preset": "medium"}),),
    "av1": (_AV1,),
    "balanced": (_VERYFAST, _AV1),
}
"""Of `balanced`, which is both, the CPU is that of both and the bits are AV1's."""


@dataclass(frozen=True)
class Made:
    """Renditions of one clip: rate and VMAF of each from best to lowest, and CPU seconds: all, and those of the search."""

    points: list[tuple[float, float]]
    cpu: float
    search: float = 0.0
    predicted: tuple[float | None, ...] = ()
    names: tuple[str, ...] = ()


def main() -> None:
    asked = _asked()
    rows: dict[str, list[tuple[float, float]]] = {way: [] for way in asked.ways}
    errors: list[float] = []
    for name in asked.clips:
        with tempfile.TemporaryDirectory() as folder:
            bench = _Bench(name, Path(folder), asked.model)
            fixed = bench.fixed()
            print(f"{name}: {_described(bench.facts)}\n  fixed     {_listed(fixed)}", flush=True)
            for way in asked.ways:
                made = bench.content_aware(WAYS[way])
                saved, ratio = _saved(fixed, made), made.cpu / fixed.cpu
                rows[way].append((saved, ratio))
                errors += [point[1] - told for point, told in zip(made.points, made.predicted, strict=True) if told]
                print(f"  {way:<9} {_listed(made)}")
                print(
                    f"            BD-rate {saved:+.1%}, CPU {ratio:.2f}x (search {made.search / fixed.cpu:.2f})",
                    flush=True,
                )
    for way, found in rows.items():
        worst, mean = max(saved for saved, _ in found), statistics.mean(saved for saved, _ in found)
        ratio = statistics.mean(ratio for _, ratio in found)
        print(f"{way}: BD-rate {mean:+.1%} on average, {worst:+.1%} at worst; CPU {ratio:.2f}x")
    within = sum(abs(error) <= 2 for error in errors) / max(1, len(errors))
    print(
        f"predictions: {len(errors)} renditions, {within:.0%} within 2 VMAF, worst {max(map(abs, errors), default=0):.1f}"
    )


class _Bench:
    def __init__(self, name: str, folder: Path, model: scoring.Model) -> None:
        file, start = CLIPS[name]
        self.folder, self.model = folder, model
        self.clip = folder / f"clip{Path(file).suffix}"
        ffmpeg("-ss", str(start), "-t", str(SECONDS), "-i", MEDIA / file, "-map", "0:v:0", "-c", "copy", self.clip)
        self.tools = ToolSettings(limits=Limits(stall=600))
        self.facts = probe(self.clip, self.tools)
        self.source = Input(self.clip, self.facts)
        self.door = Door(self.tools)
        self.steps = 0
        self.store = LocalStore(folder / "objects")
        self.store.put_bytes("source", self.clip.read_bytes())

    def fixed(self) -> Made:
        """Decode once, split, scale, x264 veryfast at fixed rates."""
        grid = plan(self.facts, load_profile("fast")).grid
        width, height = self.facts.video.display_size if self.facts.video else (0, 0)
        short = min(width, height)
        rungs = fixed_rungs(short)
        pads = "".join(f"[s{index}]" for index in range(len(rungs)))
        graph = f"[0:v:0]fps=fps={grid.fps}:start_time=0:round=near,split={len(rungs)}{pads}"
        files, gop, arguments = [], str(grid.gop_frames), []
        for index, (side, rate) in enumerate(rungs):
            size = f"{_even(width * side / short)}:{_even(height * side / short)}"
            graph += f";[s{index}]scale={size}:flags=bicubic,format=yuv420p[v{index}]"
            files.append(self.folder / f"fixed{side}.mp4")
            arguments += ["-map", f"[v{index}]", "-c:v", "libx264", "-preset", "veryfast"]
            arguments += ["-b:v", str(rate), "-maxrate", str(rate * 107 // 100), "-bufsize", str(rate * 3 // 2)]
            arguments += ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0", str(files[-1])]
        with metered() as meter:
            self.door.run(
                ["-i", str(self.clip), "-filter_complex", graph, *arguments], reads=[self.clip], writes=self.folder
            )
        points = self._points(
            [file for file, (side, _) in zip(files, rungs, strict=True) if side in dict(FIXED)], grid.fps
        )
        return Made(sorted(points, reverse=True), meter.cpu_seconds)

    def content_aware(self, codecs: tuple[CodecTarget, ...]) -> Made:
        """As the product does it: the steps `analyze`, `encode` and `correct`, with their checks. The CPU is that of all codecs,
        the renditions are those of the last one."""
        profile = _profile(codecs, self.model)
        given = plan(self.facts, profile)
        with metered() as search:
            result = self._step(StepKind.ANALYZE, profile, plan=given.model_dump(mode="json"))
        with metered() as encode:
            made = [self._encoded(ladder, profile) for ladder in result.plan.ladders]
        first, second = made[-1]
        ladder = result.plan.ladders[-1]
        tracks = [track for one in replaced([first, second]) for track in one.tracks]
        again = {track.name for track in second.tracks}
        told = {receipt.rung: receipt.predicted_vmaf for receipt in result.receipts}
        points = self._points([self._file(track) for track in tracks], ladder.grid.fps)
        best = sorted(zip(points, tracks, strict=True), reverse=True, key=lambda pair: pair[0])
        crfs = {rung.name: f"{rung.crf:g}" for rung in ladder.rungs}
        return Made(
            [point for point, _ in best],
            search.cpu_seconds + encode.cpu_seconds,
            search.cpu_seconds,
            tuple(told[track.name] for _, track in best),
            tuple(f"{track.name}@{crfs[track.name]}{'*' if track.name in again else ''}" for _, track in best),
        )

    def _encoded(self, ladder: Ladder, profile: Profile) -> tuple[Any, Any]:
        params: dict[str, Any] = {
            "ladder": ladder.model_dump(mode="json"),
            "chunk": Chunk().model_dump(mode="json"),
            "chunks": 1,
        }
        first = self._step(StepKind.ENCODE, profile, **params)
        return first, self._step(StepKind.CORRECT, profile, {"encode.0": first}, **params)

    def _file(self, track: Track) -> Path:
        path = self.folder / f"{track.name}.mp4"
        parts = [track.init or "", *(segment.name for segment in track.segments)]
        path.write_bytes(b"".join(self.store.read(track.prefix + part) for part in parts))
        return path

    def _step(self, kind: StepKind, profile: Profile, inputs: dict[str, Any] | None = None, **params: Any) -> Any:
        self.steps += 1
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            job = Job(
                step_id="s", key=kind.value, kind=kind, asset="a", tenant="t", fence=1, recipe=f"r{self.steps}",
                params=params, inputs=inputs or {}, facts=self.facts, profile=profile, policy=load_policy("development"),
                source=SourceRef(key="source", size=self.facts.size),
            )  # fmt: skip
            return STEPS[kind](job, Workspace(self.store, Path(scratch), self.tools))

    def _points(self, files: Sequence[Path], fps: Fraction) -> list[tuple[float, float]]:
        """Rate and VMAF of whole renditions, at the source's size, all pictures of the clip beside their source."""
        top = self._top()
        viewing = Viewing(model=self.model, width=top.rungs[0].width, height=top.rungs[0].height)
        found = []
        for file, score in zip(files, scores(self.door, self.source, files, Stretch(top.grid), viewing), strict=True):
            with open_movie(file) as movie:
                track = movie.need("vide")
                bits = 8 * sum(sample.size for sample in track.samples)
                found.append((bits * float(fps) / len(track.samples), score))
        return found

    def _top(self) -> Ladder:
        return plan(self.facts, _profile(WAYS["veryfast"], self.model)).ladders[0]


def fixed_rungs(short: int) -> list[tuple[int, int]]:
    """Those of the table up to a source's own size, and that itself where the table has none near it: it is in every ladder, and
    costs what it costs, but its rate is nobody's, so it is no part of the curve."""
    rungs = [(side, rate) for side, rate in FIXED if side <= short]
    above = next(((side, rate) for side, rate in FIXED if side > short), None)
    if above is not None and (not rungs or rungs[-1][0] < short * TOO_NEAR):
        rungs.append((short, round(above[1] * (short / above[0]) ** (2 * RATE_EXPONENT))))
    return rungs


def _saved(fixed: Made, made: Made) -> float:
    """BD-rate; of a ladder of one rung, the difference at its quality."""
    if len(made.points) > 1:
        return bd_rate(fixed.points, made.points)
    rate, vmaf = made.points[0]
    return rate / rate_at(fixed.points, vmaf) - 1


def _profile(codecs: tuple[CodecTarget, ...], model: scoring.Model) -> Profile:
    profile = load_profile("balanced")
    video = profile.video.model_copy(
        update={"codecs": codecs, "quality": QualityTarget(vmaf=94, model=model), "reuse_source": False}
    )
    return profile.model_copy(update={"video": video})


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def _described(facts: SourceFacts) -> str:
    video = facts.video
    if video is None:
        return "no picture"
    rate = (video.bitrate or facts.size * 8 / facts.duration) / 1000
    return f"{video.display_size[0]}x{video.display_size[1]}, {float(video.fps):.4g} fps, {facts.duration:.1f} s, {rate:.0f} kbit/s"


def _listed(made: Made) -> str:
    said = []
    for index, (rate, vmaf) in enumerate(made.points):
        told = made.predicted[index] if made.predicted else None
        name = f"{made.names[index]} " if made.names else ""
        said.append(f"{name}{rate / 1000:.0f}k {vmaf:.1f}" + (f" ({vmaf - told:+.1f})" if told else ""))
    return " | ".join(said) + f"   {made.cpu:.1f} CPU-s"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench bits")
    parser.add_argument("--clips", type=lambda text: text.split(","), default=list(CLIPS))
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    parser.add_argument("--model", choices=["phone", "default"], default="phone")
    return parser.parse_known_args()[0]


if __name__ == "__main__":
    main()
