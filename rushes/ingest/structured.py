"""Structured Field Values for HTTP (RFC 8941), as far as uploads need them: items and dictionaries. Pure and strict.

Values are plain Python: int, float (a decimal), bool, bytes, str (a string or a token), tuple (an inner list).
Parameters are checked and left out: nothing of ours has any.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

Bare = int | float | bool | bytes | str
Value = Bare | tuple[Bare, ...]

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*", re.ASCII)
_NUMBER = re.compile(r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])", re.ASCII)
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*", re.ASCII)
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):", re.ASCII)
_BOOLEAN = re.compile(r"\?([01])")


class Malformed(ValueError):
    """The text is no such structured field."""


def boolean(text: str | None) -> bool | None:
    """Of an Item. None where there is none or it is something else: such a header is to be ignored."""
    found = _item(text)
    return found if isinstance(found, bool) else None


def integer(text: str | None) -> int | None:
    """Of an Item, not negative. None where there is none or it is something else: such a header is to be ignored."""
    found = _item(text)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def dictionary(text: str) -> dict[str, Value]:
    """Section 4.2.2; of a key that comes twice the last value counts. Raises Malformed."""
    reader = _Reader(text.strip(" "))
    found: dict[str, Value] = {}
    while not reader.at_end():
        key = reader.take(_KEY).group()
        found.pop(key, None)
        found[key] = reader.member() if reader.skip("=") else reader.true()
        reader.blank(" \t")
        if reader.at_end():
            break
        reader.expect(",")
        reader.blank(" \t")
        if reader.at_end():
            raise Malformed("a comma at the end")
    return found


def write(members: Mapping[str, int]) -> str:
    """A dictionary of integers (section 4.1.2)."""
    return ", ".join(f"{key}={value}" for key, value in members.items())


def write_bytes(data: bytes) -> str:
    """Section 4.1.8."""
    return f":{base64.b64encode(data).decode()}:"


def _item(text: str | None) -> Value | None:
    if text is None:
        return None
    reader = _Reader(text.strip(" "))
    try:
        found = reader.item()
    except Malformed:
        return None
    return found if reader.at_end() else None


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def skip(self, character: str) -> bool:
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def expect(self, character: str) -> None:
        if not self.skip(character):
            raise Malformed(f"no {character!r} at {self._at}")

    def blank(self, characters: str) -> None:
        while not self.at_end() and self._text[self._at] in characters:
            self._at += 1

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise Malformed(f"unexpected at {self._at}")
        self._at = found.end()
        return found

    def true(self) -> bool:
        """The value of a member that has none."""
        self._parameters()
        return True

    def member(self) -> Value:
        if not self.skip("("):
            return self.item()
        items: list[Bare] = []
        self.blank(" ")
        while not self.skip(")"):
            items.append(self.item())
            if not self._text.startswith((" ", ")"), self._at):
                raise Malformed(f"an inner list goes on at {self._at}")
            self.blank(" ")
        self._parameters()
        return tuple(items)

    def item(self) -> Bare:
        found = self._bare()
        self._parameters()
        return found

    def _parameters(self) -> None:
        while self.skip(";"):
            self.blank(" ")
            self.take(_KEY)
            if self.skip("="):
                self._bare()

    def _bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == "?":
            return self.take(_BOOLEAN).group(1) == "1"
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self.take(_STRING).group(1))
        if first == ":":
            return _decode(self.take(_BYTES).group(1))
        if first.isdigit() or first == "-":
            number = self.take(_NUMBER).group()
            return float(number) if "." in number else int(number)
        return self.take(_TOKEN).group()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise Malformed("not base64") from error
