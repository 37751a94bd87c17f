"""The filter graph of an encode: one decode, every rung. Pure text.

Order: repair what the container says (interlacing), make the rate constant, make the top rung's picture (size, square
pixels, colour, upright), then each smaller rung from the one above it. The expensive parts run once and on as few
pixels as possible.
"""

from __future__ import annotations

from rushes.facts import VideoFacts
from rushes.noun import Rate
from rushes.plan import Ladder, Rung
from rushes.transcoder import colour
from rushes.transcoder.stretch import Stretch
from rushes.transcoder.watermark import Mark

SCALER = "bicubic"
BARE = "sidedata=mode=delete"
"""Rotation, mastering display, Dolby Vision and captions that ride on the pictures: none is true of what we make."""


def filter_graph(video: VideoFacts, ladder: Ladder, stretch: Stretch | None = None, mark: Mark | None = None) -> str:
    """The `-filter_complex` text. Its outputs are `[v0]`, `[v1]`... in the ladder's order; all of the picture, or a stretch;
    with a watermark, which is the second input."""
    top = ladder.rungs[0]
    frames = [_constant_rate(ladder.grid.fps), *(stretch.filters() if stretch else [])]
    head = ",".join(
        [BARE, _steady(video), *_deinterlace(video), *frames, *_top_picture(video, top), colour.tags(top.hdr)]
    )
    picture = f"[0:{video.index}]{head}"
    if mark:
        picture += f"[top];{mark.filters('[top]', (top.width, top.height), colour.tags(top.hdr))}"
    return ";".join([f"{picture}{_split(ladder, 0)}", *_lower(ladder)])


def output_pad(rung: int) -> str:
    return f"[v{rung}]"


def _steady(video: VideoFacts) -> str:
    """Does nothing until the picture's size changes in mid-stream; the graph is then not rebuilt, which would make
    the constant rate start from zero again."""
    return f"scale={video.width}:{video.height}:flags={SCALER}"


def _deinterlace(video: VideoFacts) -> list[str]:
    """Every picture where weaving was measured, for then the pictures' own flags may be wrong; else those that are flagged."""
    if not video.interlaced:
        return []
    which = f"parity={video.field_order}:deint=all" if video.field_order else "parity=auto:deint=interlaced"
    return [f"bwdif=mode=send_frame:{which}"]


def _constant_rate(fps: Rate) -> str:
    """From time zero, so that a picture that starts after the sound is preceded by its first frame."""
    return f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0:round=near"


def _top_picture(video: VideoFacts, top: Rung) -> list[str]:
    """Scaled before it is turned and before colours are mapped: both cost by the pixel."""
    sideways = video.rotation in (90, 270)
    width, height = (top.height, top.width) if sideways else (top.width, top.height)
    flat = colour.flatten(video) if colour.has_alpha(video.pix_fmt) else []
    return [*flat, *_scaled(video, width, height, keep=bool(top.hdr)), "setsar=1", *_upright(video)]


def _scaled(video: VideoFacts, width: int, height: int, *, keep: bool) -> list[str]:
    """In the colours of what is made: those of SDR, or `keep`: the HDR of the source."""
    if video.hdr and keep:
        return [f"scale={width}:{height}:flags={SCALER}", "format=yuv420p10le", *colour.keep_range(video)]
    if video.hdr:
        return [f"scale={width}:{height}:flags={SCALER}", "format=yuv420p10le", *colour.tone_map(video)]
    conversion = (
        f"in_color_matrix={colour.matrix_of(video)}:in_range={colour.range_of(video)}"
        ":out_color_matrix=bt709:out_range=limited"
    )
    return [f"scale={width}:{height}:flags={SCALER}:{conversion}", "format=yuv420p", *colour.narrow(video)]


def _upright(video: VideoFacts) -> list[str]:
    """`rotation` is what a viewer must turn the coded picture by, clockwise; the mirror comes after it."""
    turn = {0: [], 90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}[video.rotation]
    return [*turn, "hflip"] if video.flip else list(turn)


def _split(ladder: Ladder, index: int) -> str:
    """The end of rung `index`'s chain: its output, and a second copy where a smaller rung is made from it."""
    if index == len(ladder.rungs) - 1:
        return output_pad(index)
    return f",split=2{output_pad(index)}[s{index}]"


def _lower(ladder: Ladder) -> list[str]:
    return [
        f"[s{index - 1}]scale={rung.width}:{rung.height}:flags={SCALER},setsar=1{_split(ladder, index)}"
        for index, rung in enumerate(ladder.rungs)
        if index > 0
    ]
