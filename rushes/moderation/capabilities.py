"""What each detector is able to see, and what nobody here can see. Pure."""

from __future__ import annotations

from rushes.model import CoverageEntry
from rushes.states import Coverage

PROVIDES: dict[str, tuple[str, ...]] = {"nudenet": ("visual", "nudity")}
"""Detector -> the capabilities a policy may require. A detector also provides a capability of its own name."""

WITHOUT_MODEL = ("violence", "weapons", "hate-symbols")
"""Capabilities for which there is no honest offline model. Reported, so that nobody takes silence for clean."""


def blind_spots() -> tuple[CoverageEntry, ...]:
    return tuple(not_evaluated(name, "There is no honest offline model for this.") for name in WITHOUT_MODEL)


def not_evaluated(detector: str, reason: str) -> CoverageEntry:
    return CoverageEntry(detector=detector, state=Coverage.NOT_EVALUATED, reason=reason)


def provided(entry: CoverageEntry) -> tuple[str, ...]:
    """The capabilities that this entry really covers: none unless the detector looked at all that it should."""
    if entry.state is not Coverage.EVALUATED:
        return ()
    return (entry.detector, *PROVIDES.get(entry.detector, ()))
