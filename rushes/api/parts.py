"""Several ranges in one answer: `multipart/byteranges` (RFC 9110 section 14.6). Pure."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from rushes.api.ranges import Span


@dataclass(frozen=True)
class Parts:
    """The body, piece by piece: bytes as they are, and spans of the object."""

    boundary: str
    pieces: tuple[bytes | Span, ...]

    @property
    def size(self) -> int:
        return sum(piece.size if isinstance(piece, Span) else len(piece) for piece in self.pieces)

    @property
    def content_type(self) -> str:
        return f"multipart/byteranges; boundary={self.boundary}"


def parts_of(spans: Sequence[Span], total: int, content_type: str) -> Parts:
    boundary = secrets.token_hex(16)
    pieces: list[bytes | Span] = []
    for span in spans:
        head = f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {span.content_range(total)}\r\n\r\n"
        pieces += [(b"\r\n" if pieces else b"") + head.encode(), span]
    return Parts(boundary, (*pieces, f"\r\n--{boundary}--\r\n".encode()))
