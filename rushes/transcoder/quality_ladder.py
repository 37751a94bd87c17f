"""The ladder that a content needs: from its surface to rungs, with a receipt for each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.facts import SourceFacts
from rushes.plan import Grid, Ladder, ProbePoint, Receipt, Rung, Viewing
from rushes.transcoder import hull
from rushes.transcoder.ladder import (
    Size,
    Wanted,
    floor_rate,
    nominal_rate,
    rate_cap,
    rung,
    source_bitrate,
    source_share,
)
from rushes.transcoder.surface import Surface

PEAK = 2.0
"""A rung's cap, in its predicted rate: so much a busy stretch may take for a while (HLS authoring: at most twice)."""
REUSED = 1.3
"""Times what a rung at the target would need: so much may a source have and still be its own top rung."""
FULL = 0.8
"""Of the profile's cap, the most that is planned as an average: where the cap itself is the average, it costs quality."""


@dataclass(frozen=True)
class Content:
    """What a ladder is made for."""

    facts: SourceFacts
    wanted: Wanted
    grid: Grid
    viewing: Viewing
    sizes: tuple[Size, ...]
    """From the top down."""
    reused: Rung | None = None
    """What the source itself would be, where it is to be the top rung."""


@dataclass(frozen=True)
class Built:
    ladder: Ladder
    receipts: tuple[Receipt, ...]
    reuse: bool
    """The source stays the top rung, above the ladder."""


def build(surface: Surface, points: Sequence[ProbePoint], content: Content) -> Built:
    quality = content.wanted[0].video.quality
    if quality is None:
        raise ValueError("A profile without a quality has a fixed ladder.")
    bounds = {size: _bounds(size, content) for size in content.sizes}
    top, source = hull.choose(surface, bounds, quality.vmaf), source_bitrate(content.facts) or 0
    reused = content.reused if source <= REUSED * top[0].bitrate else None
    if reused is not None:
        chosen = hull.choose_below(surface, bounds, ((reused.width, reused.height), source))
        receipts = [Receipt(rung=reused.name, predicted_bitrate=source, why="The source itself.")]
    else:
        chosen, receipts = top, []
    rungs = tuple(_rung(choice, content) for choice in chosen)
    receipts += [_receipt(made, choice, points) for made, choice in zip(rungs, chosen, strict=True)]
    ladder = Ladder(rungs=rungs, grid=content.grid, viewing=content.viewing)
    return Built(ladder, tuple(receipts), reused is not None)


def fixed_receipts(ladder: Ladder, why: str) -> tuple[Receipt, ...]:
    """For a ladder that was not made for the content: nothing is predicted of it."""
    return tuple(Receipt(rung=rung.name, why=why) for rung in ladder.rungs)


def _bounds(size: Size, content: Content) -> hull.Bounds:
    nominal = int(FULL * nominal_rate(size, content.wanted, content.grid))
    share = source_share(size, content.facts)
    floor = floor_rate(size, content.grid)
    if share < nominal:
        return hull.Bounds(max(floor, share), "no more than the source's own rate")
    return hull.Bounds(max(floor, nominal), "the most that the profile allows at this size")


def _rung(choice: hull.Choice, content: Content) -> Rung:
    most = rate_cap(choice.size, content.facts, content.wanted, content.grid)
    cap = min(most, max(floor_rate(choice.size, content.grid), round(PEAK * choice.bitrate)))
    made = rung(choice.size, content.wanted[1], content.facts, (choice.crf, cap))
    return made.model_copy(update={"vmaf": choice.vmaf})


def _receipt(made: Rung, choice: hull.Choice, points: Sequence[ProbePoint]) -> Receipt:
    return Receipt(
        rung=made.name,
        points=tuple(points),
        predicted_vmaf=choice.vmaf,
        predicted_bitrate=choice.bitrate,
        why=f"{choice.why[0].upper()}{choice.why[1:]}.",
    )
