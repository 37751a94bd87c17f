"""Which keys a store accepts, and the headers that a key implies. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from rushes.storage.store import IMMUTABLE, POINTER, PRIVATE, Headers
from rushes.storage.types import content_type

RESERVED = ".rushes"
"""First part that no key may have: a store on a file system keeps its own things there."""
MAX_KEY = 1024
"""Bytes of UTF-8; the limit of S3 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
MAX_PART = 255
"""Bytes of UTF-8 between two slashes; NAME_MAX of Linux file systems."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")


def check_key(key: str) -> str:
    """The key itself, or ValueError with a sentence that says what is wrong with it."""
    if fault := _fault(key):
        raise ValueError(f"{key[:80]!r} cannot be a key: {fault}.")
    return key


def check_prefix(prefix: str) -> str:
    """A prefix is the beginning of a key: it may be empty, end in `/` or in the middle of a part."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def _fault(key: str) -> str | None:
    try:
        parts = key.encode().split(b"/")
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not 0 < len(key.encode()) <= MAX_KEY:
        return f"it must have 1 to {MAX_KEY} bytes"
    if _UNFIT.search(key):
        return "it contains a control character or a backslash"
    if any(part in (b"", b".", b"..") for part in parts):
        return "it has an empty part, `.` or `..`"
    if any(len(part) > MAX_PART for part in parts):
        return f"a part is longer than {MAX_PART} bytes"
    return f"`{RESERVED}` is reserved" if parts[0] == RESERVED.encode() else None


def local_name(key: str) -> str:
    """What a copy of the object is called in a scratch directory: one name for each key, with the key's suffix."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] + PurePosixPath(key).suffix[:16]


def implied_headers(key: str) -> Headers:
    """What an object has unless something else was asked for; needs no record, and a web server can follow it too."""
    return Headers(content_type(key), _cache_control(key.split("/")))


def _cache_control(parts: list[str]) -> str:
    match parts:
        case ["media", _, "t" | "b", _, *_] | ["artifacts", _, _, *_]:
            return IMMUTABLE
        case ["media", _, _]:
            return POINTER
        case _:
            return PRIVATE
