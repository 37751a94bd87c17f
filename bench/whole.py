"""VMAF of whole renditions, for benchmarks: the source decoded beside them, one picture in seven."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.door import Door
from rushes.plan import Ladder, Rung, Viewing
from rushes.transcoder.decoding import VERBOSE
from rushes.transcoder.filters import SCALER, filter_graph, output_pad
from rushes.transcoder.inputs import Input
from rushes.transcoder.scoring import MODELS, escaped, log_path, read_scores
from rushes.transcoder.stretch import Stretch

STEP = 7
"""A step that divides the GOP counts its key picture too often (+1 to +3)."""


def scores(door: Door, source: Input, files: Sequence[Path], stretch: Stretch, viewing: Viewing) -> list[float]:
    """Of files in one directory, which were encoded from this stretch of the source. Copies of the scored pictures stand in
    for the others: the model looks at motion in the source only."""
    arguments = [*VERBOSE, "-noautorotate", "-reinit_filter", "0", *stretch.input_options(), *source.opened]
    for file in files:
        arguments += input_args(file, "mov")
    arguments += ["-filter_complex", _graph(source, files, stretch, viewing)]
    for index in range(len(files)):
        arguments += ["-map", f"[scored{index}]"]
    door.run([*arguments, "-f", "null", "-"], reads=[source.path, *files], writes=files[0].parent)
    return [_mean(read_scores(log_path(file).read_text(encoding="utf-8"))) for file in files]


def _mean(found: Sequence[float]) -> float:
    """The first score is a key picture's, and stands for that alone."""
    return (found[0] + STEP * sum(found[1:])) / (1 + STEP * (len(found) - 1))


def _graph(source: Input, files: Sequence[Path], stretch: Stretch, viewing: Viewing) -> str:
    if source.facts.video is None:
        raise ValueError("A source without video has no quality.")
    fps = stretch.grid.fps
    seen = Rung(name="", width=viewing.width, height=viewing.height, crf=1, max_bitrate=0, buffer_bits=0)
    reference = filter_graph(source.facts.video, Ladder(rungs=(seen,), grid=stretch.grid), stretch)
    pads = "".join(f"[source{index}]" for index in range(len(files)))
    parts = [reference, f"{output_pad(0)}settb={1 / fps},setpts=N,split={len(files)}{pads}"]
    end = f"trim=end_frame={stretch.frames}," if stretch.frames is not None else ""
    spread = (
        f"{end}select='not(mod(n,{STEP}))',settb={1 / fps},setpts=N*{STEP},"
        f"scale={viewing.width}:{viewing.height}:flags={SCALER},setsar=1,format=yuv420p,"
        f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0:round=near"
    )
    options = f"model=version={MODELS[viewing.model]}:n_subsample={STEP}:log_fmt=json"
    for index, file in enumerate(files):
        parts.append(f"[{index + 1}:v:0]{spread}[coded{index}]")
        parts.append(
            f"[coded{index}][source{index}]libvmaf={options}:log_path={escaped(log_path(file))}[scored{index}]"
        )
    return ";".join(parts)
