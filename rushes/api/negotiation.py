"""What a request says about the form and freshness it wants (RFC 9110 sections 8.8, 12.5.3 and 13.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True)
class Wanted:
    """The parts of a request that choose between 200, 206, 304 and 416."""

    method: str = "GET"
    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    gzip: bool = False

    @classmethod
    def of(cls, method: str, headers: Mapping[str, str]) -> Wanted:
        """`headers` must not mind the case of names. Range has a meaning for GET only (section 14.2)."""
        wanted = headers.get("range") if method == "GET" else None
        return cls(
            method,
            wanted,
            headers.get("if-range"),
            headers.get("if-none-match"),
            wanted is None and accepts_gzip(headers.get("accept-encoding", "")),
        )

    def range_for(self, etag: str) -> str | None:
        """The range, unless If-Range names another version: then the whole is due (section 13.1.5)."""
        return self.range if self.if_range in (None, etag) else None


def matches(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison, as section 13.1.2 asks."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(if_none_match)


def accepts_gzip(header: str) -> bool:
    """Whether `gzip` is named with a weight over 0; `*` alone is not taken as a wish."""
    for item in header.split(","):
        name, _, weight = item.partition(";")
        if name.strip().lower() in ("gzip", "x-gzip"):
            return _weight(weight) > 0
    return False


def _weight(parameter: str) -> float:
    text = parameter.strip().lower().removeprefix("q=")
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
