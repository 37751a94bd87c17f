"""What `rushes push` remembers between runs: where an unfinished upload of a file lies.

One small file per upload in the user's state directory (XDG Base Directory Specification, `XDG_STATE_HOME`). An
upload's address lets anybody who knows it append to it, so the files are the user's alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = 2**20
"""Bytes at the start of a file that are hashed, beside size and time, to notice that it has changed."""
FORGET_AFTER = 7 * 86_400.0


@dataclass(frozen=True)
class Memo:
    url: str
    asset: str = ""
    parts: tuple[str, ...] = ()
    """Addresses of its parts, in order."""


def state_directory(environment: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/rushes`, or `~/.local/state/rushes`. A relative setting is ignored, as the specification says."""
    given = Path(environment.get("XDG_STATE_HOME", ""))
    base = given if given.is_absolute() else Path.home() / ".local" / "state"
    return base / "rushes"


def fingerprint(file: Path, server: str) -> str:
    """A name for this very content at this server. A changed file has another name, so it never resumes a wrong upload."""
    status = file.stat()
    with file.open("rb") as stream:
        head = hashlib.sha256(stream.read(HEAD)).hexdigest()
    parts = [server.rstrip("/"), str(file.resolve()), status.st_size, status.st_mtime_ns, head]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


class Memos:
    def __init__(self, directory: Path) -> None:
        self._directory = directory / "uploads"

    def find(self, name: str) -> Memo | None:
        """None also for a memo that cannot be read: then the upload starts anew."""
        try:
            found = json.loads(self._path(name).read_text(encoding="utf-8"))
            return Memo(**{**found, "parts": tuple(found.get("parts", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def keep(self, name: str, memo: Memo, now: float) -> None:
        """Written aside and renamed, so that a kill leaves the old memo or the new one."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path(name).with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(memo)), encoding="utf-8")
        draft.replace(self._path(name))
        self._forget_old(now)

    def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _forget_old(self, now: float) -> None:
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime + FORGET_AFTER < now:
                    path.unlink()

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"
