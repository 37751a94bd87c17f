"""What bits and which quality a picture has at any size and CRF, from a few trial encodes of it. Pure.

Of one content, both are smooth surfaces over size and CRF: the logit of VMAF and the logarithm of the rate are second-degree
polynomials in log-size and CRF. Their six coefficients are estimated from the trials and from what other contents
taught (a Gaussian prior), which is a Kriging predictor: where trials are missing the prior decides, where they are, they do.
Each size has an offset of its own besides, since scalers treat halves better than other ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rushes.plan import ProbePoint, Viewing
from rushes.profiles import Codec
from rushes.transcoder.surface_priors import PRIORS, Family, Prior

Vector = npt.NDArray[np.float64]

CEILING = 110.0
"""Of the logit. VMAF ends at 100, but the curve of a good encoder is still rising there."""
SAME_SIZE = 0.03
"""Octaves within which two sizes are one: sides are even."""
VMAF_NOISE, VMAF_OFFSET = 0.02, 0.06
RATE_NOISE, RATE_OFFSET = 0.015, 0.06
"""Standard deviations, in the logit and in octaves of rate: of a trial, and of one size against its neighbours (measured
on the clips of the priors)."""


@dataclass(frozen=True)
class Scale:
    """CRFs of a codec as the surface counts them: the middle one is 0."""

    middle: float
    unit: float
    least: float
    most: float
    """The range in which the prior was learnt; nothing is planned outside it."""
    step: float


SCALES: dict[Codec, Scale] = {
    "h264": Scale(middle=28, unit=8, least=19, most=38, step=0.25),
    "hevc": Scale(middle=28, unit=8, least=19, most=38, step=0.25),
    "av1": Scale(middle=46, unit=14, least=25, most=58, step=0.5),
}


@dataclass(frozen=True)
class _Fitted:
    """One of the two surfaces: coefficients, and the offsets of the sizes that were tried."""

    coefficients: Vector
    sizes: Vector
    offsets: Vector

    def at(self, size: float, crf: float) -> float:
        """`size` in octaves below the top, `crf` on the codec's scale."""
        near = np.abs(self.sizes - size) < SAME_SIZE
        return float(_basis(np.array([size]), np.array([crf]))[0] @ self.coefficients + self.offsets[near].sum())


@dataclass(frozen=True)
class Surface:
    """Of one content in one codec. Sizes are short sides in pixels; `top` is the one at which VMAF was measured."""

    top: int
    codec: Codec
    quality: _Fitted
    rate: _Fitted

    def vmaf(self, side: int, crf: float) -> float:
        """Of the picture at this size, seen at the top size."""
        return min(100.0, from_logit(self.quality.at(*self._place(side, crf))))

    def bitrate(self, side: int, crf: float) -> float:
        """Bits per second."""
        return float(2.0 ** self.rate.at(*self._place(side, crf)))

    def crf_for(self, side: int, vmaf: float) -> float:
        """The largest CRF of the codec's range and step with at least this VMAF; the least CRF where none has it."""
        scale = SCALES[self.codec]
        found = scale.least
        for number in range(int((scale.most - scale.least) / scale.step) + 1):
            crf = scale.least + number * scale.step
            if self.vmaf(side, crf) < vmaf:
                break
            found = crf
        return found

    def _place(self, side: int, crf: float) -> tuple[float, float]:
        scale = SCALES[self.codec]
        return float(np.log2(side / self.top)), (crf - scale.middle) / scale.unit


def fit(points: Sequence[ProbePoint], viewing: Viewing, codec: Codec) -> Surface:
    """The surfaces through the trials `points`, at least one, which were measured as `viewing` says."""
    top = min(viewing.width, viewing.height)
    scale = SCALES[codec]
    sizes = np.array([np.log2(min(point.width, point.height) / top) for point in points])
    crfs = np.array([(point.crf - scale.middle) / scale.unit for point in points])
    quality = np.array([to_logit(point.vmaf) for point in points])
    rates = np.array([np.log2(max(1, point.bitrate)) for point in points])
    family: Family = "av1" if codec == "av1" else "h264"
    return Surface(
        top,
        codec,
        _fitted(PRIORS[family, viewing.model], (sizes, crfs, quality), (VMAF_NOISE, VMAF_OFFSET)),
        _fitted(PRIORS[family, "bitrate"], (sizes, crfs, rates), (RATE_NOISE, RATE_OFFSET)),
    )


def slope(codec: Codec, vmaf: float) -> float:
    """VMAF for one CRF more, at a VMAF: what the prior knows of any content. Negative."""
    family: Family = "av1" if codec == "av1" else "h264"
    per_crf = PRIORS[family, "phone"].mean[3] / SCALES[codec].unit
    bounded = min(max(vmaf, 1.0), 100.0)
    return per_crf * bounded * (CEILING - bounded) / CEILING


def to_logit(vmaf: float) -> float:
    bounded = min(max(vmaf, 1.0), 100.0)
    return float(np.log(bounded / (CEILING - bounded)))


def from_logit(value: float) -> float:
    return float(CEILING / (1 + np.exp(-value)))


def _basis(sizes: Vector, crfs: Vector) -> Vector:
    return np.stack([np.ones_like(sizes), sizes, sizes**2, crfs, crfs**2, sizes * crfs], axis=1)


def _fitted(prior: Prior, trials: tuple[Vector, Vector, Vector], deviations: tuple[float, float]) -> _Fitted:
    """The best linear unbiased prediction (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2.7)."""
    sizes, crfs, values = trials
    noise, offset = deviations
    mean, covariance = np.array(prior.mean), np.array(prior.covariance)
    basis = _basis(sizes, crfs)
    same = np.abs(sizes[:, None] - sizes[None, :]) < SAME_SIZE
    spread = basis @ covariance @ basis.T + offset**2 * same + noise**2 * np.eye(len(sizes))
    weights = np.linalg.solve(spread, values - basis @ mean)
    return _Fitted(mean + covariance @ basis.T @ weights, sizes, offset**2 * weights)
