"""Which sizes and CRFs make the best ladder of a content: along the convex hull of its quality over rate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rushes.transcoder.ladder import Size
from rushes.transcoder.surface import SCALES, Surface

STEP = 2.0
"""Each rung has so many times the rate of the next: players must be able to step down when a network halves (HLS authoring
asks for 1.5 to 2)."""
LEAST_STEP = 1.5
LEAST_GAP = 6.0
"""VMAF between neighbours: about one just noticeable difference (Netflix), so that a rung that costs bits can be seen."""
LOWEST = 145_000
"""Bits per second that pass on bad mobile networks. A ladder goes down to about here, and no further."""
NEARLY = 1.03
"""Among sizes that need the same bits to within this, the larger one is sharper on larger screens."""
SHORT_OF = 0.5
"""VMAF by which the target may be missed and still counts as met."""


@dataclass(frozen=True)
class Choice:
    """A rung that was chosen, and what is predicted of it."""

    size: Size
    crf: float
    vmaf: float
    bitrate: int
    why: str


@dataclass(frozen=True)
class Bounds:
    """Average bits per second that a size may have at the most, and for what reason it may not have more."""

    bitrate: int
    why: str


def choose(surface: Surface, bounds: Mapping[Size, Bounds], target: float) -> list[Choice]:
    """Best rung first, at least one. `bounds` are given for every size that may be used."""
    sizes = sorted(bounds, key=min, reverse=True)
    top = _top(surface, sizes, bounds, target)
    alone = _bounded(surface, sizes[0], bounds[sizes[0]], target)
    if alone.bitrate <= LOWEST * LEAST_STEP and alone.vmaf >= target - SHORT_OF:
        return [replace(alone, why=f"{alone.why}; it needs so little that it is the only rung")]
    chosen = [top]
    while (below := _below(surface, chosen[-1], bounds)) is not None:
        chosen.append(below)
    return chosen


def choose_below(surface: Surface, bounds: Mapping[Size, Bounds], above: tuple[Size, int]) -> list[Choice]:
    """The rungs below one that is there already, of this size and rate; at least one."""
    size, bitrate = above
    chosen = [Choice(size, 0.0, 100.0, bitrate, "")]
    while (below := _below(surface, chosen[-1], bounds)) is not None:
        chosen.append(below)
    if len(chosen) > 1:
        return chosen[1:]
    smaller = [other for other in bounds if min(other) < min(size)] or list(bounds)
    offers = [_choice(surface, other, _crf_for_rate(surface, min(other), bitrate / STEP), "") for other in smaller]
    best = max(offers, key=lambda offer: offer.vmaf)
    return [_choice(surface, best.size, best.crf, "the best at half of the source's own rate")]


def _top(surface: Surface, sizes: Sequence[Size], bounds: Mapping[Size, Bounds], target: float) -> Choice:
    """The size that meets the target with the fewest bits; where none does, the one that comes nearest."""
    offers = [_bounded(surface, size, bounds[size], target) for size in sizes]
    offers = [offer for offer in offers if offer.bitrate <= bounds[offer.size].bitrate] or offers[-1:]
    met = [offer for offer in offers if offer.vmaf >= target - SHORT_OF]
    if not met:
        return max(offers, key=lambda offer: offer.vmaf)
    least = min(offer.bitrate for offer in met)
    return next(offer for offer in met if offer.bitrate <= least * NEARLY)


def _bounded(surface: Surface, size: Size, bound: Bounds, target: float) -> Choice:
    side, scale = min(size), SCALES[surface.codec]
    crf = surface.crf_for(side, target)
    why = f"the fewest bits at the target of VMAF {target:g}"
    if surface.bitrate(side, crf) > bound.bitrate:
        crf, why = _crf_for_rate(surface, side, bound.bitrate), bound.why
    elif crf == scale.most:
        why = f"better than the target of VMAF {target:g} even at the highest CRF"
    elif surface.vmaf(side, crf) < target - SHORT_OF:
        why = f"as near to the target of VMAF {target:g} as this codec comes"
    return _choice(surface, size, crf, why)


def _below(surface: Surface, above: Choice, bounds: Mapping[Size, Bounds]) -> Choice | None:
    """The best that half the rate can give, in a smaller size; none where that is no use."""
    if above.bitrate < LOWEST * LEAST_STEP:
        return None
    smaller = sorted((size for size in bounds if min(size) < min(above.size)), key=min, reverse=True)
    rate = max(LOWEST, above.bitrate / STEP)
    if rate > LOWEST * LEAST_STEP and len(smaller) > 1:
        smaller.pop()  # the smallest size is for the lowest rung: none could come below it
    while smaller:
        offers = [_choice(surface, size, _crf_for_rate(surface, min(size), rate), "") for size in smaller]
        fitting = [offer for offer in offers if offer.bitrate <= above.bitrate / LEAST_STEP]
        if not fitting:
            return None
        best = max(fitting, key=lambda offer: offer.vmaf)
        if best.vmaf <= above.vmaf - LEAST_GAP or rate <= LOWEST:
            return _choice(surface, best.size, best.crf, _why_below(rate, above, len(fitting)))
        rate = max(LOWEST, rate * 0.95)
    return None


def _why_below(rate: float, above: Choice, sizes: int) -> str:
    if rate <= LOWEST:
        return "for bad mobile networks"
    share = rate / above.bitrate
    return (
        f"{share:.0%} of the rate above: the best of {sizes} sizes there"
        if sizes > 1
        else f"{share:.0%} of the rate above"
    )


def _crf_for_rate(surface: Surface, side: int, rate: float) -> float:
    """The least CRF that stays within the rate."""
    scale = SCALES[surface.codec]
    for number in range(int((scale.most - scale.least) / scale.step) + 1):
        crf = scale.least + number * scale.step
        if surface.bitrate(side, crf) <= rate:
            return crf
    return scale.most


def _choice(surface: Surface, size: Size, crf: float, why: str) -> Choice:
    side = min(size)
    return Choice(size, crf, round(surface.vmaf(side, crf), 2), round(surface.bitrate(side, crf)), why)
