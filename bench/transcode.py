"""`rushes transcode` beside the one ffmpeg command that a good engineer would write for the same ladder.

Both decode once, make the same rungs with the same preset and caps, and AAC. rushes also probes, verifies, packages for
HLS and DASH, makes poster, storyboard, transcript, and decides; what each step costs is printed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.clips import landscape_720p
from bench.usage import Usage, measure
from rushes.engine.job import ToolSettings
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.probe import probe
from rushes.model import Ladder
from rushes.settings import load_profile
from rushes.transcoder.ladder import plan

ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = landscape_720p(folder)
        ladder = plan(probe(clip, ToolSettings()), load_profile("default"))
        peer, ours, encode = [], [], []
        for number in range(ROUNDS):
            peer.append(measure(single_command(clip, ladder, folder / f"peer{number}")))
            out = folder / f"out{number}"
            command = [sys.executable, "-m", "rushes.cli", "transcode", str(clip), "-o", str(out)]
            ours.append(measure(command, stderr=subprocess.DEVNULL))
            encode.append(json.loads((out / "asset.json").read_text()))
        _report(peer, ours, encode[-1])


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


def _report(peer: list[Usage], ours: list[Usage], record: dict[str, object]) -> None:
    print(f"transcode, 30 s of 720p, {len(record['renditions'])} rungs, median of {ROUNDS} rounds")  # type: ignore[arg-type]
    for label, usages in (("one ffmpeg command", peer), ("rushes transcode", ours)):
        print(f"  {label:<20} {sorted(usages, key=lambda usage: usage.cpu)[ROUNDS // 2]}")
    cpu = statistics.median(a.cpu / b.cpu for a, b in zip(ours, peer, strict=True))
    wall = statistics.median(a.wall / b.wall for a, b in zip(ours, peer, strict=True))
    print(f"  ratio                {wall:.2f} x wall  {cpu:.2f} x CPU")
    for step in record["steps"]:  # type: ignore[attr-defined]
        print(f"    {step['key']:<18} {step['state']:<8} {step.get('cpu_seconds', 0):6.2f} CPU-s")
