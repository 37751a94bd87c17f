"""Byte ranges of a request (RFC 9110 section 14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_UNIT = re.compile(r"^bytes=", re.ASCII | re.IGNORECASE)
_ONE = re.compile(r"^[ \t]*(\d{0,18})[ \t]*-[ \t]*(\d{0,18})[ \t]*$", re.ASCII)
MOST = 16
"""Ranges in a request; of more, the whole is sent (section 17.15 warns of many small ones)."""
MOST_HEADER = 1024
GAP = 200
"""Bytes: between nearer ranges, what lies there costs no more than the head of another part would."""


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
    """No byte of the object is in any of the ranges (416)."""


def parse_ranges(header: str | None, total: int) -> tuple[Span, ...]:
    """The wanted spans of an object of `total` bytes, in its order, at least `GAP` bytes apart; none for the whole of it.

    Other units, too many ranges, what is not well formed, and ranges that overlap much (more bytes than there are) are answered
    with the whole, as section 14.2 allows. Raises Unsatisfiable.
    """
    asked = _asked(header)
    if not asked:
        return ()
    spans = [span for one in asked if (span := _span(*one, total)) is not None]
    if not spans:
        raise Unsatisfiable
    if len(spans) > 1 and sum(span.size for span in spans) > total:
        return ()
    return _merged(spans)


def parse_range(header: str | None, total: int) -> Span | None:
    """The one span that is wanted; None where it is the whole, or several. Raises Unsatisfiable."""
    spans = parse_ranges(header, total)
    return spans[0] if len(spans) == 1 else None


def bounds(header: str | None) -> tuple[int, int | None] | None:
    """First byte and the one after the last of a single range, as far as they can be known without the object's size."""
    asked = _asked(header)
    if len(asked) != 1 or not asked[0][0]:
        return None
    first, last = asked[0]
    return int(first), int(last) + 1 if last else None


def _asked(header: str | None) -> list[tuple[str, str]]:
    """First and last byte of each range, as they were written; empty where the header is to be ignored."""
    if not header or len(header) > MOST_HEADER or not _UNIT.match(header):
        return []
    found = [_ONE.match(one) for one in header[6:].split(",")]
    pairs = [(match[1], match[2]) for match in found if match is not None]
    backwards = any(first and last and int(last) < int(first) for first, last in pairs)
    well_formed = len(pairs) == len(found) <= MOST and ("", "") not in pairs and not backwards
    return pairs if well_formed else []


def _span(first: str, last: str, total: int) -> Span | None:
    """None where it lies outside."""
    if not first:
        return Span(max(0, total - int(last)), total) if int(last) and total else None
    start = int(first)
    return Span(start, min(int(last) + 1 if last else total, total)) if start < total else None


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    ordered = sorted(spans, key=lambda span: span.start)
    merged = ordered[:1]
    for _, span in pairwise(ordered):
        before = merged[-1]
        if span.start - before.stop < GAP:
            merged[-1] = Span(before.start, max(before.stop, span.stop))
        else:
            merged.append(span)
    return tuple(merged)
