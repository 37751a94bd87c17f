"""Where the secret of preview tokens comes from."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from rushes.settings import Settings

NAME = "preview-secret"


def preview_secret(settings: Settings) -> bytes:
    """The setting, or a secret made at the first start and kept in the data directory, readable by its owner only.

    Several servers of one fleet must share `RUSHES_PREVIEW_SECRET`, or each refuses the tokens of the others.
    """
    if settings.preview_secret:
        return settings.preview_secret.encode()
    return kept_secret(settings.data / NAME)


def kept_secret(path: Path) -> bytes:
    """The secret in a file, made now if there is none."""
    if not path.is_file():
        _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    """Two processes may start at once: the first link wins, and nobody ever reads half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
