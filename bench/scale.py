"""Scale: one long source with 1, 2 and 4 slots, beside as many bare ffmpeg processes that encode the same chunks in the same
rungs with the same encoder settings; and two hours of video through a bounded scratch directory.

`MINUTES` of 1080p (10), `SLOTS` (1,2,4), `HOURS` of the second source (2); 0 leaves one out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.clips import ffmpeg, landscape_1080p
from bench.usage import Usage, measure
from rushes.engine.job import ToolSettings
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.probe import probe
from rushes.plan import Chunk, Ladder
from rushes.settings import load_profile
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.ladder import plan

MINUTES = float(os.environ.get("MINUTES", "10"))
SLOTS = [int(slots) for slots in os.environ.get("SLOTS", "1,2,4").split(",")]
HOURS = float(os.environ.get("HOURS", "2"))
FAST = Path(__file__).parents[1] / "rushes" / "data" / "profiles" / "fast.toml"
LEAN = "[enrichment]\nposter = false\nstoryboard = false\ntranscript = false\nlabels = false\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if MINUTES:
            _slots(folder)
        if HOURS:
            _long(folder)


def _slots(folder: Path) -> None:
    clip = landscape_1080p(folder, round(60 * MINUTES))
    profile = _lean_profile(folder)
    found = plan(probe(clip, ToolSettings()), load_profile(str(profile)))
    names = ", ".join(rung.name for rung in found.ladders[0].rungs)
    print(f"scale: {MINUTES:g} min of 1080p, {names}, {len(found.chunks)} chunks, {os.cpu_count()} cores")
    for slots in SLOTS:
        bare = _bare(clip, found.ladders[0], found.chunks, slots, folder)
        ours = _ours(clip, folder / f"ours{slots}", profile, slots)
        print(
            f"  {slots} slots: bare ffmpeg {bare.wall:7.1f} s {bare.cpu:7.1f} CPU-s   ours {ours.usage.wall:7.1f} s"
            f" {ours.usage.cpu:7.1f} CPU-s   {bare.wall / ours.usage.wall:6.1%} of bare"
            f"   {ours.usage.peak / slots / 1e6:.0f} MB a slot (bare {bare.peak / slots / 1e6:.0f})"
        )


def _long(folder: Path) -> None:
    """A minute over and over; small, since what is shown is that nothing grows with the length but the output."""
    once, clip = folder / "minute.mp4", folder / "long.mp4"
    picture = (
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25:duration=60",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=60",
    )
    ffmpeg(*picture, "-c:v", "libx264", "-preset", "veryfast", "-b:v", "200k", "-g", "50", "-c:a", "aac", once)
    ffmpeg("-stream_loop", str(round(60 * HOURS) - 1), "-i", once, "-c", "copy", clip)
    done = _ours(clip, folder / "long", _lean_profile(folder), max(SLOTS))
    record = json.loads((folder / "long" / "asset.json").read_text())
    chunks = sum(step["key"].startswith("encode.") for step in record["steps"])
    seconds = record["duration"] or 0.0
    print(
        f"  {HOURS:g} h of 180p: {record['state']}, {seconds:.2f} s in {chunks} chunks, {done.usage}; output"
        f" {done.output / 1e6:.0f} MB, scratch at most {done.scratch / 1e6:.1f} MB"
    )


@dataclass(frozen=True)
class Run:
    usage: Usage
    scratch: int
    """Bytes that lay there at once."""
    output: int


def _ours(clip: Path, out: Path, profile: Path, slots: int) -> Run:
    command = [sys.executable, "-m", "rushes.cli", "transcode", str(clip), "-o", str(out), "--profile", str(profile)]
    done, seen = threading.Event(), [0]
    watcher = threading.Thread(target=_watch, args=(out.parent, done, seen))
    watcher.start()
    environment = {**os.environ, "RUSHES_SLOTS": str(slots)}
    try:
        usage = measure(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        done.set()
        watcher.join()
    return Run(usage, seen[0], _size(out))


def _watch(folder: Path, done: threading.Event, seen: list[int]) -> None:
    while not done.wait(0.2):
        seen[0] = max(seen[0], sum(_size(scratch) for scratch in folder.glob("rushes-*/scratch")))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:  # removed since it was listed
            continue
    return total


def _bare(
    clip: Path, ladder: Ladder, chunks: tuple[Chunk, ...], slots: int, folder: Path, *, front: Sequence[str] = ()
) -> Usage:
    """As many processes at a time as slots, each for a chunk: decode, split, scale, encode. No checks, no sound. `front` goes
    before each command."""

    def one(chunk: Chunk) -> Usage:
        return measure([*front, *_command(clip, ladder, chunk, folder)], start_new_session=bool(front))

    start = time.perf_counter()
    with ThreadPoolExecutor(slots) as pool:
        found = list(pool.map(one, chunks))
    peak = sum(sorted((usage.peak for usage in found), reverse=True)[:slots])
    return Usage(time.perf_counter() - start, sum(usage.cpu for usage in found), peak)


def _command(clip: Path, ladder: Ladder, chunk: Chunk, folder: Path) -> list[str]:
    count, fps = len(ladder.rungs), ladder.grid.fps
    pads = "".join(f"[s{index}]" for index in range(count))
    scales = [f"[s{i}]scale={rung.width}:{rung.height}:flags=bicubic[v{i}]" for i, rung in enumerate(ladder.rungs)]
    graph = f"[0:v]fps={fps},split={count}{pads};" + ";".join(scales)
    command = [str(find_binary()), "-v", "error", "-nostdin", "-y", "-ss", f"{float(chunk.first / fps):.3f}"]
    command += [] if chunk.frames is None else ["-t", f"{float(chunk.frames / fps):.3f}"]
    command += ["-i", str(clip), "-filter_complex", graph]
    for index, rung in enumerate(ladder.rungs):
        command += ["-map", f"[v{index}]", *encoder_args(rung, ladder.grid, chunk.first)]
        command += ["-f", "mp4", str(folder / f"bare-{chunk.number}-{index}.mp4")]
    return command


def _lean_profile(folder: Path) -> Path:
    """The ladder and the sound only: no first look, no reuse of the source, nothing that adorns."""
    path = folder / "lean.toml"
    text = FAST.read_text().partition("[enrichment]")[0].replace("fast_lane = true", "fast_lane = false")
    path.write_text(text.replace("[video]\n", "[video]\nreuse_source = false\n") + LEAN)
    return path
