"""Which version of ffmpeg makes our outputs: a part of every recipe, so that a new one makes new outputs."""

from __future__ import annotations

from functools import lru_cache

from rushes.engine.job import ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.door import Door


@lru_cache(maxsize=8)
def _banner(binary: str, sandbox: str) -> str:
    parts: list[bytes] = []
    Door(ToolSettings(ffmpeg=binary, sandbox=sandbox)).run(["-version"], stdout=parts.append)
    return b"".join(parts).decode("utf-8", "replace")


def version(tools: ToolSettings) -> str:
    """Such as `n9.0.2` or `5.1.6-0+deb12u1`. Asked once per binary. Raises StepFailure where it does not run."""
    words = _banner(tools.ffmpeg, tools.sandbox).split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise StepFailure("internal", Blame.TRANSIENT, message="The configured ffmpeg is no ffmpeg.")
    return words[2]
