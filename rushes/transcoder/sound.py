"""ffmpeg's argument lists for sound, as data. Pure.

Every list makes the same samples: mixed to the wanted channels, at the wanted rate, from the asset's time zero to the
picture's end; what is measured is what is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rushes.facts import AudioFacts
from rushes.ffmpeg.argv import input_args
from rushes.profiles import AudioTargets
from rushes.transcoder.command import companions, mp4_args
from rushes.transcoder.decoding import VERBOSE
from rushes.transcoder.inputs import Input
from rushes.transcoder.loudness import Level, filters

MAX_DRIFT = 0.03
"""Seconds by which sound may be off its timestamps before silence is put in or samples are left out. libswresample's own
tenth of a second can be heard, and the sound of fragmented MP4 without edit lists is off by some 60 ms throughout."""
MONO_TO_STEREO = "pan=stereo|c0=c0|c1=c0"
"""ffmpeg's own way makes mono 3 dB quieter; players put it on both sides as it is."""


@dataclass(frozen=True)
class Samples:
    """What of a source's sound is delivered, in samples at the target's rate, from the asset's time zero."""

    count: int
    first: int = 0

    @property
    def end(self) -> int:
        return self.first + self.count

    def cut(self) -> list[str]:
        """Filters: silence up to its end where the sound is shorter, nothing before it and behind it."""
        padded = f"apad=whole_len={self.end}"
        if not self.first:
            return [padded, f"atrim=end_sample={self.end}"]
        return [padded, f"atrim=start_sample={self.first}:end_sample={self.end}", "asetpts=PTS-STARTPTS"]


def audio_args(
    source: Input, stream: AudioFacts, targets: AudioTargets, samples: Samples, level: Level, output: Path
) -> list[str]:
    """The first codec of `targets`, of exactly the samples: silence before a late start and after an early end."""
    chain = _chain(stream, targets, samples, level)
    arguments = [*_input(source), "-map", f"0:{stream.index}", "-filter:a", ",".join(chain)]
    return [*arguments, *_encoder(targets, output), *companions(source, stream.index)]


def measure_args(source: Input, stream: AudioFacts, targets: AudioTargets, samples: Samples, level: Level) -> list[str]:
    """The same samples into a loudness meter instead, whose summary ffmpeg prints at its end."""
    meter = "ebur128=peak=true:framelog=quiet" + (":dualmono=true" if targets.channels == 1 else "")
    chain = [*_chain(stream, targets, samples, level), meter]
    arguments = [*_input(source), "-map", f"0:{stream.index}", "-filter:a", ",".join(chain), "-f", "null", "-"]
    return [*arguments, *companions(source, stream.index)]


def silence_args(targets: AudioTargets, samples: Samples, output: Path) -> list[str]:
    """A silent track, for sources without sound where the profile wants one."""
    generator = f"anullsrc=r={targets.sample_rate}:cl={_layout(targets)}"
    cut = f"atrim=end_sample={samples.count}"
    return ["-f", "lavfi", "-i", generator, "-filter:a", cut, *_encoder(targets, output)]


def _input(source: Input) -> list[str]:
    return [*VERBOSE, "-max_error_rate", "1", *input_args(source.path, source.facts.demuxer)]


def _layout(targets: AudioTargets) -> str:
    return "mono" if targets.channels == 1 else "stereo"


def _chain(stream: AudioFacts, targets: AudioTargets, samples: Samples, level: Level) -> Sequence[str]:
    layout = _layout(targets)
    mono = [MONO_TO_STEREO] if stream.channels == 1 and layout == "stereo" else []
    louder = filters(level)
    return [
        *mono,
        f"aresample=osr={targets.sample_rate}:ochl={layout}:osf=fltp:async=1:min_hard_comp={MAX_DRIFT}:first_pts=0",
        *louder,
        *([f"aresample={targets.sample_rate}"] if level.ceiling is not None else []),
        *samples.cut(),
    ]


def _encoder(targets: AudioTargets, output: Path) -> list[str]:
    codec = {"aac": ["aac", "-profile:a", "aac_low"], "opus": ["libopus", "-frame_duration", "20"]}[targets.codecs[0]]
    rate = ["-c:a", *codec, "-b:a", str(targets.bitrate), "-ac", str(targets.channels)]
    return [*rate, *mp4_args(None), "-frag_duration", "2000000", str(output)]
