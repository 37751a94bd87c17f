"""What tells one version of a file from the next: strong entity tags (RFC 9110 section 8.8.1) without a database."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SMALL = 16_384
"""Bytes up to which the tag is made of the content: pointers and playlists, where conditional puts matter."""


def version_of(status: os.stat_result) -> str:
    """Names one version of a file; known before the file is renamed into place, and not changed by that."""
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"


def etag_of(path: Path, status: os.stat_result) -> str | None:
    """Strong tag, in quotes. None where the file at `path` is no longer the one that `status` tells of."""
    if status.st_size > SMALL:
        return f'"{version_of(status)}"'
    with path.open("rb") as file:
        if version_of(os.fstat(file.fileno())) != version_of(status):
            return None
        return f'"{hashlib.sha256(file.read(SMALL)).hexdigest()[:32]}"'
