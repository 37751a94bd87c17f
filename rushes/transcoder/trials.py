"""The trial encodes of an analysis: which sizes at which CRFs. Pure.

They are a ladder as any other, encoded by the same command from the same pictures, so that what they show is what the real
encode will do.
"""

from __future__ import annotations

from collections.abc import Sequence

from rushes.plan import Grid, Ladder, Rung
from rushes.profiles import Codec, CodecTarget
from rushes.transcoder.ladder import BUFFER_SECONDS, Size
from rushes.transcoder.surface import SCALES

TOP, LOWER = -0.25, 0.25
"""On the codec's scale of CRFs: near the target for the top size, lower where it will be used for the others. For H.264, 26
and 30."""
PAIR = (-0.5, 0.75)
"""The one size that is tried twice says how fast quality falls: 24 and 34. The half, which costs a quarter of the top."""
ALIKE: frozenset[Codec] = frozenset({"av1"})
"""Codecs whose quality falls alike for all contents (to within 0.7 VMAF at the half): none of their sizes is tried twice."""
ALONE = (-0.5, 0.5)
"""The top, where there is no other size."""
NEAR = 1.26
"""Times the size that is tried twice: sizes so near to it are not tried themselves."""
NO_CAP = 50_000_000
"""Bits per second. SVT-AV1 takes no cap over 100 Mbit/s."""


def trial_ladder(sizes: Sequence[Size], codec: CodecTarget, grid: Grid) -> Ladder:
    """`sizes` from the top down. They are tried once, the one nearest to half of the top twice if the codec needs it."""
    if codec.codec in ALIKE and len(sizes) > 1:
        return _ladder([_trial(size, TOP if size == sizes[0] else LOWER, codec) for size in sizes], grid)
    half = min(sizes, key=lambda size: abs(min(size) - min(sizes[0]) / 2))
    tried = [size for size in sizes if size in (sizes[0], half) or not _near(size, half)]
    places: dict[Size, tuple[float, ...]] = {size: (TOP,) if size == sizes[0] else (LOWER,) for size in tried}
    places[half] = PAIR if len(sizes) > 1 else ALONE
    rungs = [_trial(size, place, codec) for size in tried for place in places[size]]
    return _ladder(rungs, grid)


def _ladder(rungs: Sequence[Rung], grid: Grid) -> Ladder:
    return Ladder(rungs=tuple(rungs), grid=grid.model_copy(update={"starts": ()}))


def _near(size: Size, other: Size) -> bool:
    return 1 / NEAR < min(size) / min(other) < NEAR


def _trial(size: Size, place: float, codec: CodecTarget) -> Rung:
    scale = SCALES[codec.codec]
    crf = round((scale.middle + place * scale.unit) / scale.step) * scale.step
    return Rung(
        name=f"trial-{min(size)}-{crf:g}",
        width=size[0],
        height=size[1],
        codec=codec.codec,
        preset=codec.preset,
        crf=crf,
        max_bitrate=NO_CAP,
        buffer_bits=NO_CAP * BUFFER_SECONDS,
    )
