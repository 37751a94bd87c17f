"""ffmpeg's argument lists, as data: without the binary, run elsewhere by the door. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rushes.facts import AudioFacts
from rushes.ffmpeg.argv import input_args
from rushes.model import Ladder, Rung
from rushes.profiles import AudioTargets, Profile
from rushes.transcoder.decoding import VERBOSE
from rushes.transcoder.filters import filter_graph, output_pad
from rushes.transcoder.inputs import Input

SLOWEST_REORDERED = 8
"""Frames a second below which pictures are not reordered: the delay would be a good part of a segment (see `cuts`)."""
FRAGMENTED = "+frag_keyframe+empty_moov+delay_moov+default_base_moof"
"""delay_moov: the edit list (priming, reordering delay) is known only once the first packets are."""
TWO_SLICES, FOUR_SLICES = 500_000, 1_500_000
"""Pixels of a picture from which on it is cut; 720p is in two."""
MAX_DRIFT = 0.03
"""Seconds by which sound may be off its timestamps before silence is put in or samples are left out. libswresample's own
tenth of a second can be heard, and the sound of fragmented MP4 without edit lists is off by some 60 ms throughout."""
MONO_TO_STEREO = "pan=stereo|c0=c0|c1=c0"
"""ffmpeg's own way makes mono 3 dB quieter; players put it on both sides as it is."""


def encode_args(source: Input, ladder: Ladder, profile: Profile, outputs: Sequence[Path], cap: float) -> list[str]:
    """One decode, every rung: `outputs` are fragmented MP4 files in the ladder's order. `cap` seconds are the most
    that is ever written, whatever gaps the timestamps have."""
    video = source.facts.video
    if video is None:
        raise ValueError("A source without video has no ladder.")
    arguments = [*VERBOSE, "-noautorotate", "-reinit_filter", "0", "-max_error_rate", "1"]
    arguments += input_args(source.path, source.facts.demuxer)
    arguments += ["-filter_complex", filter_graph(video, ladder)]
    for index, (rung, output) in enumerate(zip(ladder.rungs, outputs, strict=True)):
        arguments += ["-map", output_pad(index), "-t", f"{cap:.3f}", "-fps_mode", "passthrough"]
        arguments += [*x264_args(rung, ladder, profile), *_mp4_args(str(ladder.grid.timescale)), str(output)]
    return arguments + _companions(source, video.index)


def x264_args(rung: Rung, ladder: Ladder, profile: Profile) -> list[str]:
    """Capped CRF with an IDR exactly every `gop_frames`, so that all rungs can be cut and switched at the same frames."""
    gop = str(ladder.grid.gop_frames)
    reorder = [] if ladder.grid.fps >= SLOWEST_REORDERED else ["-bf", "0"]
    rate = ["-crf", str(rung.crf), "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.buffer_bits)]
    return [
        *("-c:v", "libx264", "-preset", profile.video.preset, "-profile:v", "high", "-pix_fmt", "yuv420p"),
        *rate,
        *reorder,
        *("-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-forced-idr", "1"),
        *("-x264-params", "open-gop=0:stitchable=1:sliced-threads=1"),
        *("-threads", str(profile.video.threads or slices(rung))),
        *("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    ]


def slices(rung: Rung) -> int:
    """Slices of a picture that are encoded side by side; a part of the recipe, not the number of cores here.

    Slices and not frames: with a rate cap, x264's frame threads give other bytes at every run, and up to 22 % more of them
    (docs/decisions/0005). The rungs of one encode run beside each other anyway, so only large ones are worth cutting.
    """
    pixels = rung.width * rung.height
    return 4 if pixels >= FOUR_SLICES else 2 if pixels >= TWO_SLICES else 1


def audio_args(source: Input, stream: AudioFacts, targets: AudioTargets, samples: int, output: Path) -> list[str]:
    """AAC-LC of exactly `samples` samples from the asset's time zero: silence before a late start and after an early end."""
    layout = "mono" if targets.channels == 1 else "stereo"
    chain = [MONO_TO_STEREO] if stream.channels == 1 and layout == "stereo" else []
    chain += [
        f"aresample=osr={targets.sample_rate}:ochl={layout}:async=1:min_hard_comp={MAX_DRIFT}:first_pts=0",
        f"apad=whole_len={samples}",
        f"atrim=end_sample={samples}",
    ]
    arguments = [*VERBOSE, "-max_error_rate", "1", *input_args(source.path, source.facts.demuxer)]
    arguments += ["-map", f"0:{stream.index}", "-filter:a", ",".join(chain)]
    arguments += ["-c:a", "aac", "-profile:a", "aac_low", "-b:a", str(targets.bitrate), "-ac", str(targets.channels)]
    arguments += [*_mp4_args(None), "-frag_duration", "2000000", str(output)]
    return arguments + _companions(source, stream.index)


def remux_args(source: Input, output: Path) -> list[str]:
    """The chosen picture and the first sound, packet by packet, without decoding."""
    video = source.facts.video
    if video is None:
        raise ValueError("A source without video has no fast lane.")
    maps = ["-map", f"0:{video.index}"]
    if source.audio:
        maps += ["-map", f"0:{source.audio[0].index}"]
    return [*input_args(source.path, source.facts.demuxer), *maps, "-c", "copy", *_mp4_args(None), str(output)]


def decode_args(output: Path) -> list[str]:
    """Decode one of our own files and stop at the first error."""
    return ["-xerror", *input_args(output, "mov"), "-map", "0:0", "-f", "null", "-"]


def _mp4_args(timescale: str | None) -> list[str]:
    """Nothing of the source's metadata goes through: it is hostile, and places and names are private."""
    ticks = ["-video_track_timescale", timescale] if timescale else []
    return ["-map_metadata", "-1", "-map_chapters", "-1", *ticks, "-movflags", FRAGMENTED, "-f", "mp4"]


def _companions(source: Input, used: int) -> list[str]:
    """An output that goes nowhere, only to have the other streams read."""
    maps = [argument for index in source.companions(used) for argument in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"] if maps else []
