"""Step CHECKSUM: the SHA-256 of the source, by which it is recognised again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.model import ChecksumResult
from rushes.storage.workspace import Workspace

_PIECE = 4 * 1024 * 1024


def run(job: Job, workspace: Workspace) -> ChecksumResult:
    """Raises StepFailure `storage_unavailable` (transient) where the object has not the size that was acknowledged."""
    path = workspace.source(job)
    size = path.stat().st_size
    if size != job.source.size:
        raise StepFailure(
            "storage_unavailable", Blame.TRANSIENT, detail=f"{size} bytes are there, {job.source.size} were uploaded"
        )
    return ChecksumResult(sha256=sha256(path, size, workspace.progress))


def sha256(path: Path, size: int, progress: Callable[[float], None]) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces; `progress` is told the share after each."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            done += len(piece)
            progress(min(1.0, done / max(size, 1)))
    return digest.hexdigest()
