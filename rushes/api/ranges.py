"""Byte ranges of a request (RFC 9110 section 14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"^bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*$", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `stop`, the last one not included."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def content_range(self, total: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{total}"


class Unsatisfiable(Exception):
    """No byte of the object is in the range (416)."""


def parse_range(header: str | None, total: int) -> Span | None:
    """The wanted span of an object of `total` bytes; None for the whole of it.

    Several ranges at once, other units and what is not well formed are answered with the whole, as section 14.2
    allows. Raises Unsatisfiable.
    """
    match = _RANGE.match(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return _suffix(int(last), total)
    start, stop = int(first), min(int(last) + 1 if last else total, total)
    if last and int(last) < start:
        return None
    if start >= total:
        raise Unsatisfiable
    return Span(start, stop)


def bounds(header: str | None) -> tuple[int, int | None] | None:
    """First byte and the one after the last, as far as they can be known without the object's size; else None."""
    match = _RANGE.match(header or "")
    if match is None or not match[1]:
        return None
    first, last = match.groups()
    if last and int(last) < int(first):
        return None
    return int(first), int(last) + 1 if last else None


def _suffix(length: int, total: int) -> Span:
    if length == 0 or total == 0:
        raise Unsatisfiable
    return Span(max(0, total - length), total)
