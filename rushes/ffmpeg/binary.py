"""Which ffmpeg is used, and its version (a part of every recipe)."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from rushes.errors import Blame, StepFailure


@lru_cache(maxsize=8)
def find_binary(setting: str = "") -> Path:
    """The absolute path of ffmpeg: the one that is set, else the one inside the `imageio-ffmpeg` wheel.

    Raises StepFailure `internal` where it is not there: an operator has to act, no creator.
    """
    if setting:
        found = shutil.which(setting)
        if found is None:
            raise StepFailure("internal", Blame.TRANSIENT, message=f"There is no ffmpeg at {setting} (RUSHES_FFMPEG).")
        return Path(found).resolve()
    import imageio_ffmpeg  # deferred: only this branch needs it

    return Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve()
