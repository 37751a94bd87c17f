"""Metadata of an upload as it may be kept: short, printable, and without where it was filmed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rushes.text import one_line

_LOCATION = re.compile(r"location|gps|\bxyz\b|©xyz|geo|iso6709|latitude|longitude|altitude", re.IGNORECASE)
_VALUE_BYTES = 1024
_KEY_CHARACTERS = 64
_COUNT = 32


def clean_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """At most 32 tags of at most 1 kB each; places removed (they belong to the creator's home, not to the catalog)."""
    kept: dict[str, str] = {}
    for key, value in tags.items():
        name = one_line(key, _KEY_CHARACTERS)
        text = cut(one_line(value[: 4 * _VALUE_BYTES], _VALUE_BYTES), _VALUE_BYTES)
        if name and text and not _LOCATION.search(name) and len(kept) < _COUNT:
            kept[name] = text
    return kept


def cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
