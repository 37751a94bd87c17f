"""What a player says of itself: Common Media Client Data (CTA-5004), by query or by headers. Pure.

It comes from strangers: it is bounded, only keys of the standard are kept, each with a value of its own form, and nothing of it
goes into a cache key, an address or a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

HEADERS = (b"cmcd-object", b"cmcd-request", b"cmcd-session", b"cmcd-status")
MOST = 2048
"""Bytes that are looked at."""
MOST_KEYS = 32
_INTEGERS = frozenset({"br", "bl", "d", "dl", "mtp", "rtp", "tb"})
_TOKENS = frozenset({"ot", "sf", "st"})
_STRINGS = frozenset({"cid", "sid"})
_FLAGS = frozenset({"bs", "su"})
_PAIR = re.compile(r'([A-Za-z0-9.-]{1,64})(?:=("(?:[^"\\]|\\["\\])*"|[^",\s]*))?(?:,|$)', re.ASCII)
_TOKEN = re.compile(r"[a-z]{1,2}", re.ASCII)
_STRING = re.compile(r"[\x20-\x7e]{1,64}", re.ASCII)
_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
Value = int | float | str | bool
Report = dict[str, Value]


def parse(text: str) -> Report:
    """`bl=21300,bs,mtp=25400,sid="6e2f"` -> {"bl": 21300, "bs": True, ...}. Times in ms, rates in kbit/s, as the standard has
    them. What is not of the standard's form is left out."""
    report: Report = {}
    at, text = 0, text[:MOST]
    for _ in range(MOST_KEYS):
        match = _PAIR.match(text, at)
        if match is None or match.end() == at:
            break
        at = match.end()
        value = _value(match[1], match[2])
        if value is not None:
            report[match[1]] = value
        while text[at : at + 1] in (" ", "\t"):
            at += 1
    return report


def of_request(query: bytes, headers: Iterable[bytes]) -> Report:
    """Of the query's `CMCD` parameter, percent-encoded, else of the four headers' values."""
    for pair in query.split(b"&", 32)[:32]:
        if pair[:5] == b"CMCD=":
            return parse(unquote(pair[5 : 5 + 3 * MOST].decode("latin-1"), errors="replace"))
    said = b",".join(headers)
    return parse(said.decode("latin-1")) if said else {}


def _value(key: str, text: str | None) -> Value | None:
    if key in _FLAGS:
        return True if text is None or text == "true" else None
    if text is None:
        return None
    if key in _INTEGERS:
        return int(text) if _INTEGER.fullmatch(text) else None
    if key in _TOKENS:
        return text if _TOKEN.fullmatch(text) else None
    if key in _STRINGS:
        bare = text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text[:1] == '"' else ""
        return bare if _STRING.fullmatch(bare) else None
    return _rate(text) if key == "pr" else None


def _rate(text: str) -> float | None:
    """A playback rate."""
    return float(text) if re.fullmatch(r"\d{1,2}(?:\.\d{1,2})?", text, re.ASCII) else None
