"""The end of a tool's messages: bounded, and without paths or control characters where a creator may see it. Pure."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.])(?:file:)?/(?:[^\s:'\"]+/)*[^\s:'\"]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LIMIT = 65536


class Tail:
    """Keeps the last `limit` bytes of what is fed to it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._data = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > self._limit:
            self._cut = True
            del self._data[: len(self._data) - self._limit]

    def text(self) -> str:
        """Printable text; says by its first line that there was more."""
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", self._data.decode("utf-8", "replace").replace("\r", "\n"))
        return f"[...]\n{text}" if self._cut else text


def without_paths(text: str) -> str:
    """Absolute paths become `…`: they say nothing to a creator and too much to an attacker."""
    return _PATH.sub("…", text)
