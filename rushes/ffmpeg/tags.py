"""Metadata of an upload as it may be kept: short, printable, and without where it was filmed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_LOCATION = re.compile(r"location|gps|\bxyz\b|©xyz|geo|iso6709|latitude|longitude|altitude", re.IGNORECASE)
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))  # controls, bidi overrides, surrogates, separators
_VALUE_BYTES = 1024
_KEY_CHARACTERS = 64
_COUNT = 32


def clean_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """At most 32 tags of at most 1 kB each; places removed (they belong to the creator's home, not to the catalog)."""
    kept: dict[str, str] = {}
    for key, value in tags.items():
        name = clean_text(key)[:_KEY_CHARACTERS]
        text = cut(clean_text(value), _VALUE_BYTES)
        if name and text and not _LOCATION.search(name) and len(kept) < _COUNT:
            kept[name] = text
    return kept


def clean_text(text: str) -> str:
    """Line breaks and tabs become spaces; other control, format and bidi characters go."""
    spaced = re.sub(r"[\t\r\n\v\f\u0085\u2028\u2029]+", " ", text[: 4 * _VALUE_BYTES])
    kinds = ((char, unicodedata.category(char)) for char in spaced)
    return "".join(" " if kind == "Zs" else char for char, kind in kinds if kind not in _HIDDEN).strip()


def cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
