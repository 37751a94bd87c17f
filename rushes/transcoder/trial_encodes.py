"""Running trial encodes of a few windows, and scoring them: two runs of ffmpeg for each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from rushes.engine.clip import in_source
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.door import Door
from rushes.options import Options
from rushes.plan import Chunk, Ladder, ProbePoint, Rung, Viewing
from rushes.profiles import Codec
from rushes.transcoder import scoring
from rushes.transcoder.command import encode_args
from rushes.transcoder.delivery import open_movie
from rushes.transcoder.inputs import Input
from rushes.transcoder.kept import Kept, apart
from rushes.transcoder.stretch import Stretch
from rushes.transcoder.surface import SCALES, from_logit, to_logit
from rushes.transcoder.windows import Window

EARLIER = Fraction(1, 4)
"""Seconds before a window at or before which decoding begins."""
SCORED: dict[Codec, tuple[int, int]] = {"h264": (5, 3), "hevc": (5, 3), "av1": (10, 7)}
"""Pictures of a window that are scored: where there is one window, and where there are several. AV1's differ by 4 VMAF within
half a second, so three of them may all be good ones, or bad ones."""
SHORT: dict[Codec, tuple[float, float]] = {"h264": (0.03, 0.05), "hevc": (0.03, 0.05), "av1": (0.0, 0.0)}
"""What the first pictures of an encode lack of the whole, in the logit of VMAF: at the middle of the scale of CRFs, and for each
unit more. x264 learns what a content costs while it encodes (measured with 18 rungs of five clips). SVT-AV1 is off by no more
than the trials themselves (0.02 on average, 32 trials of 13 clips)."""


@dataclass(frozen=True)
class Trials:
    """Where the windows of one source are tried."""

    door: Door
    source: Input
    scratch: Path
    options: Options
    viewing: Viewing
    cuts: float = 0.0
    """A second, of the whole content: each costs about what a key picture does, and windows rarely hold one."""

    def run(self, ladder: Ladder, windows: Sequence[Window]) -> list[ProbePoint]:
        """One point for each trial of the ladder, over all windows together. Raises StepFailure."""
        alone, together = SCORED[ladder.rungs[0].codec]
        samples = alone if len(windows) == 1 else together
        found = [self._window(ladder, window, samples) for window in windows]
        return [_over_all(rung, [trials[index] for trials in found]) for index, rung in enumerate(ladder.rungs)]

    def _window(self, ladder: Ladder, window: Window, samples: int) -> list[tuple[float, float]]:
        """Bits per second and VMAF of each trial."""
        folder = self.scratch / f"trials-{ladder.name}-{window.first}"
        folder.mkdir()
        files = [folder / f"{rung.name}.mp4" for rung in ladder.rungs]
        stretch = self._stretch(ladder, window)
        kept = Kept(folder / "kept.yuv", self.viewing, spread(window.frames, samples))
        seconds = float(window.frames / ladder.grid.fps)
        arguments = encode_args(self.source, ladder, files, seconds + 1, stretch, kept)
        self.door.run(arguments, reads=self.source.files, writes=folder, progress=lambda done: None, duration=seconds)
        rates = [self._bitrate(file, ladder) for file in files]
        scores = score(self.door, kept, [(file, kept.scored) for file in files])
        for path in (*files, kept.path):
            path.unlink()
        length = {"frames": window.frames, "gop": ladder.grid.gop_frames}
        return [(rate, scoring.pooled(found, **length)) for rate, found in zip(rates, scores, strict=True)]

    def _stretch(self, ladder: Ladder, window: Window) -> Stretch:
        """Read from the key picture just before: it is no matter here whether the first pictures are those of the real
        encode, as long as the trials and what they are compared with are the same."""
        chunk = Chunk(first=window.first, frames=window.frames)
        clipped = in_source(chunk, self.options.clip, ladder.grid.fps)
        exact = Stretch.of(Chunk(frames=window.frames), clipped, ladder, self.source.facts)
        return exact if exact.seek is None else replace(exact, seek=max(Fraction(0), exact.begins - EARLIER))

    def _bitrate(self, file: Path, ladder: Ladder) -> float:
        with open_movie(file) as movie:
            sizes = [sample.size for sample in movie.need("vide").samples]
        if not sizes:
            raise StepFailure("no_decodable_frames", Blame.PERMANENT, detail=f"{file.name} is empty")
        return bitrate(sizes, float(ladder.grid.fps), ladder.grid.gop_frames, self.cuts)


def bitrate(sizes: Sequence[int], fps: float, gop: int, cuts: float) -> float:
    """Bits per second of whole GOPs of such pictures, the first of which is a key picture: a window may be shorter than a
    GOP, and its key picture would weigh too much. `cuts` a second cost as much as one each."""
    others = sum(sizes[1:]) / max(1, len(sizes) - 1)
    keys = min(fps, fps / gop + cuts)
    return 8 * (max(sizes[0], others) * keys + others * (fps - keys))


def spread(frames: int, samples: int) -> tuple[int, ...]:
    """The middles of as many equal parts of `frames`."""
    return apart([int((part + 0.5) * frames / samples) for part in range(samples)])


def score(door: Door, kept: Kept, coded: Sequence[scoring.Coded]) -> list[list[float]]:
    """VMAF of files that lie in the directory of the kept pictures, picture by picture. Raises StepFailure."""
    arguments, files = scoring.score_args(kept, coded), [file for file, _ in coded]
    door.run(arguments, reads=[kept.path, *files], writes=kept.path.parent, progress=lambda done: None)
    return [scoring.read_scores(scoring.log_path(file).read_text(encoding="utf-8")) for file in files]


def _over_all(rung: Rung, trials: Sequence[tuple[float, float]]) -> ProbePoint:
    number = len(trials)
    return ProbePoint(
        width=rung.width,
        height=rung.height,
        crf=rung.crf,
        bitrate=round(sum(rate for rate, _ in trials) / number),
        vmaf=round(lasting(rung, sum(vmaf for _, vmaf in trials) / number), 3),
    )


def lasting(rung: Rung, vmaf: float) -> float:
    """What a short encode's VMAF says of a long one's."""
    (middle, more), scale = SHORT[rung.codec], SCALES[rung.codec]
    return min(100.0, from_logit(to_logit(vmaf) + middle + more * (rung.crf - scale.middle) / scale.unit))
