"""The bytes of an unfinished upload that are looked at, and what a look gives. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rushes.facts import EarlyFacts

MOST = 8 * 2**20
"""Bytes of the head, and of the tail, that are kept for a look."""


@dataclass(frozen=True)
class View:
    """The file from its first byte on, as far as it is kept, and, where that came first, its end."""

    head: bytes
    tail: bytes = b""
    length: int | None = None
    """None: the client has not said it yet."""

    @property
    def tail_start(self) -> int | None:
        """Where the tail begins; None without one."""
        return self.length - len(self.tail) if self.length is not None and self.tail else None


@dataclass(frozen=True)
class Look:
    facts: EarlyFacts | None = None
    wants: int = 0
    """The length of a head that would tell more; 0: there is no more to learn from a longer one."""
    wants_tail: bool = False
    """The end of the file would tell more."""
    head: int = 0
    """With so much of the head, and all of the tail, the probe can begin; 0: it cannot."""

    @property
    def is_final(self) -> bool:
        return not self.wants and not self.wants_tail
