"""Which ffmpeg is used, and its version (a part of every recipe)."""

from __future__ import annotations

import os
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
    return _bundled().resolve()


def _bundled() -> Path:
    """The wheel's own binary, found without running it.

    `get_ffmpeg_exe` starts `ffmpeg -version` first, and remembers for the life of the process if that went wrong once
    (no memory for a fork, a kill): a worker's child would fail every step after that.
    """
    import imageio_ffmpeg  # deferred: only this branch needs it

    if "IMAGEIO_FFMPEG_EXE" not in os.environ:
        folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
        for path in sorted(folder.glob("ffmpeg-*")):
            if os.access(path, os.X_OK):
                return path
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise StepFailure("internal", Blame.TRANSIENT, message="There is no ffmpeg (RUSHES_FFMPEG).") from error
