"""Where in a sound somebody may be speaking. Pure: int16 mono arrays in, spans of seconds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.int16]

FRAME = 0.03
"""Seconds per decision; the length that WebRTC's detector takes."""
_SILENCE = -60.0
"""dBFS. Room tone of a phone is about -55, digital silence and dither are below -80."""


@dataclass(frozen=True)
class Span:
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def frames(sound: Sound, rate: int) -> Sound:
    """Shape (frames, samples per frame); a rest shorter than a frame is left out."""
    size = round(FRAME * rate)
    return sound[: len(sound) // size * size].reshape(-1, size)


def loudness(sound: Sound, rate: int) -> NDArray[np.float64]:
    """dBFS of each frame, -100 for digital silence."""
    power = np.mean((frames(sound, rate).astype(np.float32) / 32768) ** 2, axis=1, dtype=np.float64)
    return np.asarray(10 * np.log10(power + 1e-10))


def is_silent(sound: Sound, rate: int) -> bool:
    """Nothing louder than noise of the equipment for as long as a word takes."""
    loud = loudness(sound, rate)
    return int(np.count_nonzero(loud > _SILENCE)) < round(0.15 / FRAME)


def spans(active: Sequence[bool], levels: Sequence[float], *, pad: float = 0.3, longest: float = 20.0) -> list[Span]:
    """Join active frames into spans with `pad` seconds around them; pauses under 2 * `pad` do not end one.

    A span over `longest` seconds is cut at the quietest frame of its last quarter. `levels` are the frames' loudness.
    """
    reach, most = round(pad / FRAME), round(longest / FRAME)
    found: list[Span] = []
    for start, end in _runs(active, reach):
        cuts = _cuts(start, end, np.asarray(levels), most)
        found += [Span(one * FRAME, two * FRAME) for one, two in pairwise(cuts)]
    return found


def _runs(active: Sequence[bool], reach: int) -> list[tuple[int, int]]:
    """Stretches of frames that are active or within `reach` of one, as (first, after the last)."""
    runs: list[tuple[int, int]] = []
    for frame in np.flatnonzero(np.asarray(active, dtype=bool)).tolist():
        start, end = max(0, frame - reach), min(len(active), frame + reach + 1)
        if runs and start <= runs[-1][1]:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _cuts(start: int, end: int, levels: NDArray[np.float64], longest: int) -> list[int]:
    cuts = [start]
    while end - cuts[-1] > longest:
        late = cuts[-1] + longest * 3 // 4
        cuts.append(late + int(np.argmin(levels[late : cuts[-1] + longest])))
    return [*cuts, end]
