"""Whether pictures are woven of two moments: measured on the pictures themselves, not on what a file says of them. Pure.

libavfilter's `idet` asks which field of a neighbour fits better between the lines of a picture. That alone takes sharp
drawings that move for interlaced ones. So it is also asked how well a picture's own lines fit: those of a progressive
picture fit better than any neighbour's, those of a woven one no better (measured on real clips and on generated ones).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Luma = npt.NDArray[np.int32]

Order = Literal["tff", "bff"]
Look = Literal["tff", "bff", "progressive"]
"""At one picture: its upper lines are the earlier moment, its lower ones are, or it is of one moment."""

UNEVEN = 1.05
"""How much better the near field has to fit than the far one. Progressive pictures: 1.00 to 1.04."""
WOVEN = 1.25
"""A woven picture's near field fits as well as its own lines: 0.9 to 1.2. Progressive pictures in motion: 1.2 to 70."""
MOVING = 1.03
"""Below it nothing moves, and nothing can be said."""
FIELD_LINES = frozenset((480, 486, 512, 576, 608, 1080, 1088))
"""Coded heights of interlaced television (ITU-R BT.601, BT.709 and SMPTE ST 274)."""
FASTEST = 30.5
"""Frames per second: interlaced pictures come 25 or 30000/1001 times a second."""
FEWEST, SHARE, SHARE_UNFLAGGED, AGREEING = 3, 0.25, 0.5, 0.8
"""Woven pictures that are needed, and their share of those that could be judged: in films for television only two of five
are woven. What claims to be progressive is believed for longer, and its fields have to agree on their order."""


@dataclass(frozen=True)
class Combing:
    """The verdict. `interlaced` is None where nothing moved: then the file's own word counts."""

    interlaced: bool | None
    order: Order | None = None


def is_candidate(size: tuple[int, int], rate: float | None, *, turned: bool, phone: bool) -> bool:
    """Whether pictures that claim to be progressive could be woven all the same: television's heights and rates, upright,
    and not from a phone, which has no interlaced mode."""
    width, height = size
    return height in FIELD_LINES and width >= height and not turned and not phone and (rate is None or rate <= FASTEST)


def look(before: Luma, now: Luma, after: Luma) -> Look | None:
    """Judge the picture `now` by its neighbours; None where nothing moves or the sizes differ. Luma, height x width."""
    if not before.shape == now.shape == after.shape or now.shape[0] < 4:
        return None
    past, future, own = _fit(now, before), _fit(now, after), _fit(now, now)
    # The first entry is line 1, the lower field's. With the upper field first, the lower one of the picture before is near.
    tff = float(past[0::2].sum() + future[1::2].sum())
    bff = float(past[1::2].sum() + future[0::2].sum())
    near, far, alone = min(tff, bff), max(tff, bff), float(own.sum())
    if far >= UNEVEN * near and near <= WOVEN * alone and near > 0:
        return "tff" if tff < bff else "bff"
    if near > WOVEN * alone or (near > MOVING * alone and far < UNEVEN * near):
        return "progressive"
    return None


def verdict(looks: Sequence[Look | None], *, flagged: bool) -> Combing:
    """What many pictures say together. `flagged`: the file says that they are interlaced."""
    counted = Counter(one for one in looks if one is not None)
    tff, bff, woven = counted["tff"], counted["bff"], counted["tff"] + counted["bff"]
    order: Order = "tff" if tff >= bff else "bff"
    if woven >= FEWEST and woven >= (SHARE if flagged else SHARE_UNFLAGGED) * counted.total():
        agree = max(tff, bff) >= AGREEING * woven
        if flagged or agree:
            return Combing(True, order if agree else None)
    if counted["progressive"] >= FEWEST:
        return Combing(False)
    return Combing(None)


def _fit(lines: Luma, between: Luma) -> Any:  # noqa: ANN401 - one sum for each line
    """How badly each line of `between` (but the first and the last) fits between the lines around it of `lines`."""
    return abs(lines[:-2] - 2 * between[1:-1] + lines[2:]).sum(axis=1)
