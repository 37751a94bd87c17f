"""One body on its way, of which some bytes are kept for a look."""

from __future__ import annotations

from collections.abc import Callable

from rushes.ingest.early_film import Kept
from rushes.ingest.requests import Append

UNPROVEN = 2**20
"""Bytes that are kept of a body with a checksum: nothing is concluded from them before that is known to be right."""

Piece = bytes | memoryview


class Watch:
    """`look_at` is shown what follows the kept bytes of an end, and says by the end's `want` how much of that to keep.

    Once for a piece, however much it asks for: one look sees all of the piece. So a client cannot choose how often.
    """

    def __init__(
        self, end: Kept, append: Append, keep: Callable[[Piece], bool], look_at: Callable[[Piece], None]
    ) -> None:
        self._end, self._keep, self._look_at = end, keep, look_at
        self._start = self._at = append.offset
        self._proven = append.check is None

    @property
    def is_curious(self) -> bool:
        return self._want > len(self._end.data) == self._at

    @property
    def _want(self) -> int:
        return self._end.want if self._proven or not self._end.want else max(self._end.want, UNPROVEN)

    def see(self, piece: Piece) -> bool:
        """Whether it wants more of them."""
        have, offset = len(self._end.data), self._at
        self._at += len(piece)
        if not (self._want > have and 0 <= have - offset < len(piece)):
            return self.is_curious
        fresh = piece[have - offset :]
        if self._proven and have + len(fresh) >= self._want:
            self._look_at(fresh)
        if self._want > have:
            self._keep(fresh[: self._want - have])
        return self.is_curious

    def close(self) -> None:
        """The body has come, and is right."""
        if not self._proven and self._end.data and self._at > self._start:
            self._look_at(b"")
