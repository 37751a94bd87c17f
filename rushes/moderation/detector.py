"""What a detector of visible things is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rushes.moderation.taxonomy import Name

Picture = npt.NDArray[np.uint8]
"""height x width x 3, RGB."""


class Detection(NamedTuple):
    name: Name
    score: float
    """0..1."""


class Detector(Protocol):
    """Looks at one picture at a time; a detector that cannot be had is an Absent, never an empty answer."""

    name: str
    version: str

    def detect(self, picture: Picture) -> Sequence[Detection]: ...


class Absent(NamedTuple):
    """A detector that could not look, and why."""

    name: str
    reason: str
