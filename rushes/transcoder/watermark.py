"""A picture laid on the video: where it lies and how large it is, and the filters that put it there. Pure.

It is laid on the top picture of a ladder, which is upright and in the colours of delivery; every other rung is made from that
one, so the mark lies at the same place in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rushes.ffmpeg.argv import input_args
from rushes.options import Placement, Watermark

DEMUXER = "png_pipe"
Size = tuple[int, int]


@dataclass(frozen=True)
class Mark:
    """A watermark that lies in a local file, a PNG of ours."""

    path: Path
    wanted: Watermark

    def input_args(self) -> list[str]:
        """One picture: what it is laid on repeats it as long as it needs it."""
        return input_args(self.path, DEMUXER)

    def filters(self, picture: str, size: Size, tags: str, number: int = 1) -> str:
        """Chains that end without a label: those of the mark, which is input `number`, and its overlay on the pad `picture`
        of `size` pixels. `tags` say what the colours are."""
        left, top, width, height = rectangle(self.wanted, (self.wanted.width, self.wanted.height), size)
        mark = [
            "format=rgba",
            f"colorchannelmixer=aa={self.wanted.opacity:.4f}",
            f"scale={width}:{height}:flags=area:out_color_matrix=bt709:out_range=limited",
            "format=yuva420p",
            tags,
        ]
        overlay = f"overlay=x={left}:y={top}:eof_action=repeat:format=yuv420"
        return f"[{number}:0]{','.join(mark)}[mark];{picture}[mark]{overlay},{tags}"


def rectangle(wanted: Placement, mark: Size, picture: Size) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels of a picture, all even, so that luma and chroma cover the same pixels. The mark
    keeps its shape, and never leaves the picture."""
    margin = _even(wanted.margin * min(picture))
    room = [max(2, side - 2 * margin) for side in picture]
    scale = min(wanted.size * picture[0] / mark[0], *(side / own for side, own in zip(room, mark, strict=True)))
    width, height = (min(side, max(2, _even(own * scale))) for own, side in zip(mark, room, strict=True))
    left = _aligned(wanted.position, ("left", "right"), picture[0] - width, margin)
    top = _aligned(wanted.position, ("top", "bottom"), picture[1] - height, margin)
    return left, top, width, height


def _aligned(position: str, ends: tuple[str, str], free: int, margin: int) -> int:
    near, far = ends
    if near in position:
        return min(margin, free)
    if far in position:
        return max(0, _even(free - margin))
    return _even(free / 2)


def _even(value: float) -> int:
    return round(value / 2) * 2
