"""The one cheap decode of an analysis: small grey pictures of the source, a few a second. Pure.

Pictures that no other refers to are not decoded, and none is deblocked: half the work, and the eye of this room is coarse.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rushes.plan import Grid
from rushes.transcoder.inputs import Input

RATE = 4
"""Pictures a second."""
WIDTH, HEIGHT = 160, 90
"""Of a proxy, whatever the source's shape."""
DETAIL = 256
"""Pixels of the square from the middle of every tenth of them, at the source's own size: grain does not survive scaling."""
DETAIL_EVERY = 10
WHOLE_SECONDS = 60.0
"""Sources up to this long are looked at as a whole, longer ones in places."""
PLACES = 16


@dataclass(frozen=True)
class Place:
    """A stretch of the source that is looked at: where it begins, in frames of the grid, and seconds of the asset."""

    first: int
    start: Fraction
    seconds: Fraction


def places(seconds: float, grid: Grid) -> list[Place]:
    """All of it, or `PLACES` GOPs spread evenly, each in the middle of its share."""
    if seconds <= WHOLE_SECONDS:
        return [Place(0, Fraction(0), Fraction(max(seconds, 1 / RATE)).limit_denominator(1000))]
    length = grid.gop_frames / grid.fps
    gops = int(Fraction(seconds) / length)
    firsts = [int((number + 0.5) * gops / PLACES) * grid.gop_frames for number in range(PLACES)]
    return [Place(first, first / grid.fps, length) for first in firsts]


def proxy_args(source: Input, place: Place, begins: Fraction, outputs: tuple[Path, Path]) -> list[str]:
    """`begins`: seconds of the source at which the asset begins. `outputs`: the small pictures, and the details."""
    index = source.facts.video.index if source.facts.video else 0
    small, detail = outputs
    square = f"crop='min(iw,{DETAIL})':'min(ih,{DETAIL})',scale={DETAIL}:{DETAIL}:flags=neighbor"
    graph = (
        f"[0:{index}]fps={RATE},split=2[all][some];[all]scale={WIDTH}:{HEIGHT}:flags=area,format=gray[small];"
        f"[some]select='not(mod(n,{DETAIL_EVERY}))',{square},format=gray[detail]"
    )
    start, raw = float(begins + place.start), ("-f", "rawvideo")
    return [
        *(
            "-skip_frame",
            "noref",
            "-skip_loop_filter",
            "all",
            "-ss",
            f"{start:.6f}",
            "-t",
            f"{float(place.seconds):.6f}",
        ),
        *source.opened,
        *("-filter_complex", graph),
        *("-map", "[small]", "-fps_mode", "passthrough", *raw, str(small)),
        *("-map", "[detail]", "-fps_mode", "passthrough", *raw, str(detail)),
    ]
