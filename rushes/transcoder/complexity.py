"""How much a content asks of an encoder, from small grey pictures of it. Pure.

Spatial and temporal information are those of ITU-T P.910, as means of absolute differences, which a few bright pixels do not
rule. Grain is measured where a picture is flat (Immerkaer, Fast Noise Variance Estimation, 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.uint8]
"""Number x height x width."""
Values = npt.NDArray[np.float64]

CUT = 20.0
"""Levels of mean difference between neighbours that make a cut, if they are also much more than is usual there."""
UNUSUAL = 3.0
BLOCK = 8
"""Pixels: transforms of the codecs that people upload end on this grid."""


@dataclass(frozen=True)
class Complexity:
    """Of a stretch of pictures, at one moment each."""

    spatial: Values
    temporal: Values
    """Against the picture before; the first is 0."""
    cuts: tuple[int, ...]
    """Pictures that begin a shot."""

    def activity(self, first: int, end: int) -> float:
        """One number for what pictures [first, end) ask for: octaves, of detail times motion."""
        part = slice(first, max(first + 1, end))
        motion = self.temporal[part][1:] if end - first > 1 else self.temporal[part]
        return float(np.log2(1 + self.spatial[part].mean()) + np.log2(1 + motion.mean()))


def measure(pictures: Pictures) -> Complexity:
    values = pictures.astype(np.float64)
    spatial = np.abs(np.diff(values, axis=2)).mean(axis=(1, 2)) + np.abs(np.diff(values, axis=1)).mean(axis=(1, 2))
    temporal = np.concatenate([[0.0], np.abs(np.diff(values, axis=0)).mean(axis=(1, 2))])
    usual = float(np.median(temporal[1:])) if len(temporal) > 1 else 0.0
    cuts = np.flatnonzero(temporal > max(CUT, UNUSUAL * usual))
    return Complexity(spatial, temporal, tuple(int(cut) for cut in cuts))


def grain(picture: npt.NDArray[np.uint8]) -> float:
    """Standard deviation of the noise in one picture at its own size, in levels: of the quarter of it that is flattest."""
    rows, columns = (side - side % 16 for side in picture.shape)
    if rows < 16 or columns < 16:
        return 0.0
    values = picture[:rows, :columns].astype(np.float64)
    smooth = values[1:-1, 1:-1] * 4 - 2 * (values[1:-1, :-2] + values[1:-1, 2:] + values[:-2, 1:-1] + values[2:, 1:-1])
    smooth += values[:-2, :-2] + values[:-2, 2:] + values[2:, :-2] + values[2:, 2:]
    blocks = np.pad(np.abs(smooth), 1).reshape(rows // 16, 16, columns // 16, 16).mean(axis=(1, 3))
    flattest = np.sort(blocks, axis=None)[: max(1, blocks.size // 4)]
    return float(np.sqrt(np.pi / 2) / 6 * flattest.mean())


def blockiness(picture: npt.NDArray[np.uint8]) -> float:
    """How much steeper a picture is across the edges of blocks than elsewhere; 1 is not at all. At its own size."""
    steps = np.abs(np.diff(picture.astype(np.float64), axis=1)).mean(axis=0)
    if len(steps) < 4 * BLOCK:
        return 1.0
    edges = steps[BLOCK - 1 :: BLOCK].mean()
    inside = np.delete(steps, np.s_[BLOCK - 1 :: BLOCK]).mean()
    return float((edges + 0.1) / (inside + 0.1))


def features(found: Sequence[Complexity], details: Pictures) -> dict[str, float]:
    """For the record: means over all that was seen."""
    temporal = np.concatenate([one.temporal[1:] for one in found])
    return {
        "spatial": round(float(np.concatenate([one.spatial for one in found]).mean()), 3),
        "temporal": round(float(temporal.mean()), 3) if len(temporal) else 0.0,
        "cuts": float(sum(len(one.cuts) for one in found)),
        "grain": round(float(np.mean([grain(one) for one in details])), 3) if len(details) else 0.0,
        "blockiness": round(float(np.mean([blockiness(one) for one in details])), 3) if len(details) else 1.0,
    }
