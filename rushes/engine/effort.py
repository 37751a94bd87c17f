"""What encoding costs, by codec and preset. Pure. Estimates for the queue's order, not promises."""

from __future__ import annotations

from rushes.plan import Rung

PIXEL = 1.1e-8
"""CPU seconds for a pixel with x264 veryfast, with its share of decoding and scaling: five rungs from 1080p down take 37 CPU-s
for 30 s of 30 fps, four from 720p down 18 (measured)."""

_X264 = {
    "ultrafast": 0.5, "superfast": 0.8, "veryfast": 1.0, "faster": 1.5, "fast": 1.9, "medium": 2.4,
    "slow": 3.1, "slower": 6.0, "veryslow": 10.0,
}  # fmt: skip
"""Whole ladders, relative to veryfast (measured: veryfast, medium, slow)."""
_SVT_AV1 = {12: 0.6, 10: 0.9, 9: 1.1, 8: 1.5, 7: 2.2, 6: 3.0, 5: 4.5, 4: 7.0}
"""As above (measured: 10, 8, 6)."""
_X265 = 2.5
"""Times x264 of the same preset."""


def encode_cost(rung: Rung, frames: float) -> float:
    """CPU seconds for `frames` pictures of a rung."""
    return PIXEL * frames * rung.width * rung.height * _factor(rung)


def _factor(rung: Rung) -> float:
    if rung.codec == "av1":
        number = int(rung.preset) if rung.preset.isdecimal() else 8
        return _SVT_AV1[min(_SVT_AV1, key=lambda known: abs(known - number))]
    return _X264.get(rung.preset, 2.4) * (_X265 if rung.codec == "hevc" else 1.0)
