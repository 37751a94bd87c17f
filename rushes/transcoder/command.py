"""ffmpeg's argument lists, as data: without the binary, run elsewhere by the door. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rushes.ffmpeg.argv import input_args
from rushes.plan import Ladder
from rushes.transcoder.decoding import VERBOSE
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.filters import filter_graph, output_pad
from rushes.transcoder.inputs import Input
from rushes.transcoder.kept import Kept
from rushes.transcoder.stretch import STATS_FORMAT, Stretch

FRAGMENTED = "+frag_keyframe+empty_moov+delay_moov+default_base_moof"
"""delay_moov: the edit list (priming, reordering delay) is known only once the first packets are."""


def encode_args(
    source: Input,
    ladder: Ladder,
    outputs: Sequence[Path],
    cap: float,
    stretch: Stretch | None = None,
    kept: Kept | None = None,
) -> list[str]:
    """One decode, every rung: `outputs` are fragmented MP4 files in the ladder's order. `cap` seconds are the most
    that is ever written, whatever gaps the timestamps have. `stretch`: only these frames; which pictures of the source
    they show is written to `shown_path`. `kept`: pictures that are written as they are, too."""
    video = source.facts.video
    if video is None:
        raise ValueError("A source without video has no ladder.")
    arguments = [*VERBOSE, "-noautorotate", "-reinit_filter", "0", "-max_error_rate", "1"]
    stretch = stretch or Stretch(ladder.grid)
    arguments += [*stretch.input_options(), *source.opened]
    arguments += source.mark.input_args() if source.mark else []
    made = ladder if kept is None else ladder.model_copy(update={"rungs": (kept.rung, *ladder.rungs)})
    graph = filter_graph(video, made, stretch, source.mark)
    arguments += ["-filter_complex", graph if kept is None else f"{graph};{output_pad(0)}{kept.filters()}[kept]"]
    lower = len(made.rungs) - len(ladder.rungs)
    for index, (rung, output) in enumerate(zip(ladder.rungs, outputs, strict=True)):
        arguments += ["-map", output_pad(lower + index), "-t", f"{cap:.3f}", "-fps_mode", "passthrough"]
        if index == 0:
            arguments += ["-stats_enc_pre", str(shown_path(output)), "-stats_enc_pre_fmt", STATS_FORMAT]
        arguments += [*encoder_args(rung, ladder.grid, stretch.at), *mp4_args(str(ladder.grid.timescale)), str(output)]
    arguments += kept.output_args("[kept]") if kept else []
    return arguments + companions(source, video.index)


def shown_path(first: Path) -> Path:
    """Beside the first output: which picture of the source each frame shows."""
    return first.with_suffix(".shown")


def preroll_args(source: Input, stretch: Stretch) -> list[str]:
    """Decode, with one thread, what lies between where `stretch` begins to decode and where it begins to be shown."""
    index = source.facts.video.index if source.facts.video else 0
    only = f"trim=end={float(stretch.begins):.6f}"
    arguments = [*VERBOSE, "-noautorotate", "-reinit_filter", "0", "-max_error_rate", "1", *stretch.input_options()]
    arguments += ["-threads", "1", *source.opened]
    return [*arguments, "-map", f"0:{index}", "-filter:v", only, "-fps_mode", "passthrough", "-f", "null", "-"]


def decode_args(output: Path) -> list[str]:
    """Decode one of our own files and stop at the first error."""
    return ["-xerror", *input_args(output, "mov"), "-map", "0:0", "-f", "null", "-"]


def mp4_args(timescale: str | None) -> list[str]:
    """Into fragmented MP4. Nothing of the source's metadata goes through: it is hostile, and places and names are private."""
    ticks = ["-video_track_timescale", timescale] if timescale else []
    return ["-map_metadata", "-1", "-map_chapters", "-1", *ticks, "-movflags", FRAGMENTED, "-f", "mp4"]


def companions(source: Input, used: int) -> list[str]:
    """An output that goes nowhere, only to have the other streams read."""
    maps = [argument for index in source.companions(used) for argument in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"] if maps else []
