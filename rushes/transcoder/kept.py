"""A few pictures of the source that an encode keeps as they are, to score what was made of them: nothing is decoded twice. Pure.

VMAF looks at motion as well, in the source: from the picture before to the one after the one that is scored. So each comes
with its two neighbours, which is enough (the same scores to the last digit as with all pictures between, measured).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rushes.plan import Rung, Viewing

GROUP = 3
"""Pictures that are kept for one that is scored; those that are scored are at least so far apart."""


@dataclass(frozen=True)
class Kept:
    """Uncompressed pictures in one file, as large as they are seen."""

    path: Path
    viewing: Viewing
    scored: tuple[int, ...]
    """Frames of the stretch that is encoded, ascending."""

    @property
    def rung(self) -> Rung:
        """What the filters of an encode make first, and the rungs from it."""
        size = self.viewing
        return Rung(name="", width=size.width, height=size.height, crf=1, max_bitrate=0, buffer_bits=0)

    @property
    def picture_bytes(self) -> int:
        return self.viewing.width * self.viewing.height * 3 // 2

    def filters(self) -> str:
        """It ends with the last of them, however far the timestamps of a source jump."""
        pictures = self._pictures()
        terms = "+".join(f"eq(n,{frame})" for frame in pictures)
        return f"trim=end_frame={pictures[-1] + 1},select='{terms}'"

    def output_args(self, pad: str) -> list[str]:
        return ["-map", pad, "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", str(self.path)]

    def found(self, size: int) -> tuple[int, ...]:
        """Those of the scored ones that are there, where the file has so many bytes: a source may be shorter than it says."""
        number = size // self.picture_bytes
        return self.scored[: (number + 2) // GROUP]

    def _pictures(self) -> list[int]:
        """The first has no neighbour before it, so that every third one is scored."""
        near = {frame + step for frame in self.scored for step in (-1, 0, 1)}
        return sorted(near - {self.scored[0] - 1})


def apart(frames: Sequence[int]) -> tuple[int, ...]:
    """Without those that are too near to the one before."""
    found: list[int] = []
    for frame in sorted(frames):
        if not found or frame >= found[-1] + GROUP:
            found.append(frame)
    return tuple(found)
