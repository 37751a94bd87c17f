"""VMAF of encoded pictures beside those of the source that were kept: the filters, and reading what libvmaf wrote. Pure.

Everything is scored at the largest size that the profile makes of a source: smaller pictures are scaled up to it first
(bicubic), as a player does. The neighbours that were kept of a picture are there for the motion of the source, which is all
the motion that the model looks at: of what was encoded, copies of the scored picture stand in for them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.argv import input_args
from rushes.transcoder import colour
from rushes.transcoder.decoding import VERBOSE
from rushes.transcoder.filters import SCALER
from rushes.transcoder.kept import GROUP, Kept

Model = Literal["phone", "default"]
Coded = tuple[Path, Sequence[int]]
"""An encoded file, and which of its pictures, in the order in which they are seen, are those that were kept to be scored."""

MODELS: dict[Model, str] = {"phone": "vmaf_v1.0.16_5d0h", "default": "vmaf_v0.6.1"}
"""VMAF's own names. 5d0h: from five picture heights."""
FPS = 25
"""Of the pictures here, which are far apart: no model asks how long one is seen."""


def score_args(kept: Kept, coded: Sequence[Coded]) -> list[str]:
    """Score files. The scores are written to `log_path` of each."""
    size = f"{kept.viewing.width}x{kept.viewing.height}"
    arguments = [*VERBOSE, "-video_size", size, "-pixel_format", "yuv420p", "-framerate", str(FPS)]
    arguments += input_args(kept.path, "rawvideo")
    for file, _ in coded:
        arguments += input_args(file, "mov")
    arguments += ["-filter_complex", score_graph(kept, coded)]
    for index in range(len(coded)):
        arguments += ["-map", f"[scored{index}]"]
    return [*arguments, "-f", "null", "-"]


def log_path(file: Path) -> Path:
    """Beside an encoded file: its scores."""
    return file.with_suffix(".vmaf.json")


def score_graph(kept: Kept, coded: Sequence[Coded]) -> str:
    """The kept pictures once, and those of every file against them. Raw pictures say nothing of their colours, and ffmpeg
    would convert what is tagged to what is not: 1.5 VMAF."""
    pads = "".join(f"[source{index}]" for index in range(len(coded)))
    parts = [f"[0:v:0]{colour.tags(None)},settb=1/{FPS},setpts=N,split={len(coded)}{pads}"]
    for index, (file, pictures) in enumerate(coded):
        parts.append(f"[{index + 1}:v:0]{_chosen(pictures, kept)}[coded{index}]")
        options = f"model=version={MODELS[kept.viewing.model]}:n_subsample={GROUP}:log_fmt=json"
        parts.append(
            f"[coded{index}][source{index}]libvmaf={options}:log_path={escaped(log_path(file))}[scored{index}]"
        )
    return ";".join(parts)


def _chosen(pictures: Sequence[int], kept: Kept) -> str:
    """The pictures, large, and copies of each up to the next."""
    terms = "+".join(f"eq(n,{number})" for number in pictures)
    return (
        f"select='{terms}',settb=1/{FPS},setpts=N*{GROUP},"
        f"scale={kept.viewing.width}:{kept.viewing.height}:flags={SCALER},setsar=1,format=yuv420p,"
        f"fps=fps={FPS}:start_time=0:round=near"
    )


def escaped(path: Path) -> str:
    """A path as an option of a filter in a graph: both levels of ffmpeg's quoting (ffmpeg-filters, section 4.1)."""
    option = "".join(f"\\{letter}" if letter in "\\':" else letter for letter in str(path))
    return "".join(f"\\{letter}" if letter in "\\'[],;" else letter for letter in option)


def read_scores(log: str) -> list[float]:
    """VMAF of each picture that was scored. Raises StepFailure `tool_failed` where libvmaf's log has none."""
    try:
        scores = [float(frame["metrics"]["vmaf"]) for frame in json.loads(log)["frames"]]
    except (ValueError, LookupError, TypeError):
        scores = []
    if not scores:
        raise StepFailure("tool_failed", Blame.TRANSIENT, detail=f"libvmaf wrote no scores: {log[:200]!r}")
    return scores


def pooled(scores: Sequence[float], *, frames: int = 0, gop: int = 0) -> float:
    """The mean of pictures that are spread evenly. Of a stretch of `frames` from a key picture that is shorter than its GOP,
    the later ones stand for the rest of that as well: a key picture is better than what follows, and its quality lasts for
    a while."""
    mean, late = sum(scores) / len(scores), scores[len(scores) // 2 :]
    missing = max(0, gop - frames)
    return (mean * frames + sum(late) / len(late) * missing) / (frames + missing) if frames and missing else mean
