"""Lines of HLS playlists: tags with attribute lists (RFC 8216bis section 4.2). Pure."""

from __future__ import annotations

from collections.abc import Sequence

Attributes = Sequence[tuple[str, str | None]]
"""Names and values in their order; what is None is left out."""


def tag(name: str, attributes: Attributes) -> str:
    return f"#EXT-X-{name}:" + ",".join(f"{key}={value}" for key, value in attributes if value is not None)


def quoted(text: str) -> str:
    """A quoted string: no quotes or line breaks inside."""
    return '"' + "".join(char for char in text if char.isprintable() and char != '"') + '"'
