"""What was measured of tracks that were encoded in chunks, and which of them are replaced by a second try. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rushes.model import TracksResult
from rushes.tracks import Track


def mean_vmaf(parts: Sequence[Track]) -> float | None:
    """Of one track in several parts, by their length; None where one of them was not measured."""
    known = [(part.vmaf, part.ticks) for part in parts if part.vmaf is not None]
    if len(known) < len(parts) or not known:
        return None
    return round(sum(vmaf * ticks for vmaf, ticks in known) / max(1, sum(ticks for _, ticks in known)), 3)


def measured(tracks: Iterable[Track]) -> dict[str, float]:
    """VMAF by name, of the tracks that were measured in all of their parts."""
    return {name: found for name, part in _parts(tracks).items() if (found := mean_vmaf(part)) is not None}


def spent(tracks: Iterable[Track]) -> dict[str, float]:
    """Bits per second by name."""
    return {name: _rate(part) for name, part in _parts(tracks).items()}


def _rate(parts: Sequence[Track]) -> float:
    ticks, size = sum(part.ticks for part in parts), sum(part.bytes for part in parts)
    return 8 * size * parts[0].timescale / max(1, ticks)


def _parts(tracks: Iterable[Track]) -> dict[str, list[Track]]:
    parts: dict[str, list[Track]] = {}
    for track in tracks:
        parts.setdefault(track.name, []).append(track)
    return parts


def replaced(results: Sequence[TracksResult]) -> list[TracksResult]:
    """The same results, without the tracks that a second try stands in for."""
    names = {track.name for result in results if result.replaces for track in result.tracks}
    return [result if result.replaces else _without(result, names) for result in results]


def _without(result: TracksResult, names: set[str]) -> TracksResult:
    kept = tuple(track for track in result.tracks if track.name not in names)
    return result if len(kept) == len(result.tracks) else result.model_copy(update={"tracks": kept})
