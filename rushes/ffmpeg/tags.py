"""Metadata of an upload as it may be kept: short, printable, and without what is personal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rushes.text import one_line

_KINDS = (
    ("location", r"location|gps|\bxyz\b|©xyz|\bgeo|iso6709|latitude|longitude|altitude|\bcity\b|country|\bloci\b"),
    (
        "device",
        r"\bmake\b|model|device|serial|camera|lens|firmware|android|samsung|quicktime\.(software|direction)|uuid|umid",
    ),
    ("time", r"creation|\bdate|recorded|timecode|time_of"),
    (
        "person",
        r"artist|author|performer|owner|creator|director|producer|encoded_by|copyright|publisher|contact|e-?mail|person",
    ),
    ("note", r"comment|description|synopsis|lyrics|keywords|content|software|purl|\burl"),
)
_PERSONAL = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _KINDS)
_PLAIN = re.compile(
    r"^(title|encoder|language|major_brand|minor_version|compatible_brands|duration.*|handler_name|vendor_id)$"
)
_VALUE_BYTES = 1024
_KEY_CHARACTERS = 64
_COUNT = 32


def clean_tags(tags: Mapping[str, str], *, personal: bool = False) -> dict[str, str]:
    """At most 32 tags of at most 1 kB each. Places, devices, times, people and whatever else we do not know only where
    `personal` asks for them: they belong to the creator's home, not to the catalog."""
    kept: dict[str, str] = {}
    for key, value in tags.items():
        name = one_line(key, _KEY_CHARACTERS)
        text = cut(one_line(value[: 4 * _VALUE_BYTES], _VALUE_BYTES), _VALUE_BYTES)
        if name and text and (personal or _PLAIN.match(name.lower())) and len(kept) < _COUNT:
            kept[name] = text
    return kept


def personal_kinds(names: Iterable[str]) -> tuple[str, ...]:
    """What kinds of personal metadata tags of these names are: `location`, `device`, `time`, `person`, `note`, `other`."""
    found = {_kind(name) for name in names if not _PLAIN.match(name.strip().lower())}
    return tuple(sorted(found))


def _kind(name: str) -> str:
    return next((kind for kind, pattern in _PERSONAL if pattern.search(name)), "other")


def cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
