"""How loud sound is (EBU R 128, ITU-R BS.1770-4) and by how much it has to be changed. Pure.

One gain for a whole track, so that what was soft beside what was loud stays so. Only peaks that would pass the ceiling are
held down, by a limiter that looks ahead.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rushes.profiles import AudioTargets
from rushes.tracks import Loudness

MOST_GAIN = 20.0
"""dB."""
FAINT = -55.0
"""LUFS below which there is only a room's noise, or a microphone's, as a rule: it stays as it is, louder it would hiss."""
MOST_LIMITED = 12.0
"""dB by which peaks may be held down: a raw voice's peaks are up to 25 dB above its loudness. Beyond that speech pumps: the
track stays softer than its target instead."""
CODING_ROOM = 1.0
"""dB below the ceiling that the encoder is given: lossy coding adds to peaks (AES TD1008 section 6)."""
NEAR = 0.2
"""LU from the target that are not worth a second gain; the measurement itself is good to 0.1 (EBU Tech 3341)."""
SILENCE = -70.0
"""LUFS: the absolute gate of BS.1770-4. Nothing below it is counted, so a track that measures it has no loudness."""

_SUMMARY = re.compile(
    r"\[Parsed_ebur128_\d+ @[^\n]*Summary:\s+Integrated loudness:\s+I:\s+(\S+) LUFS.*?LRA:\s+(\S+) LU\b"
    r".*?True peak:\s+Peak:\s+(\S+) dBFS",
    re.DOTALL,
)


@dataclass(frozen=True)
class Level:
    """What is done to a track: `gain` in dB, then peaks held below `ceiling` dBTP; None: no limiter."""

    gain: float = 0.0
    ceiling: float | None = None


def read_loudness(messages: str) -> Loudness | None:
    """The last summary of ffmpeg's `ebur128` filter; None where there is none, or not one number in it.

    The last, for a title in the file can look like one, but is printed before.
    """
    found = [match.groups() for match in _SUMMARY.finditer(messages)]
    if not found:
        return None
    integrated, spread, peak = (_number(text) for text in found[-1])
    heard = integrated is not None and integrated > SILENCE
    return Loudness(integrated=integrated if heard else None, range=(spread or 0.0) if heard else 0.0, true_peak=peak)


def level_for(found: Loudness | None, targets: AudioTargets, channels: int) -> Level:
    """The gain from what was measured; 0 for silence and faint noise, for what is too short to be measured (0.4 s), and
    without a target.

    The limiter is there only where it has something to do, or where several channels are added up and nothing is known.
    """
    ceiling = targets.true_peak - CODING_ROOM
    if found is None or found.integrated is None or found.true_peak is None or targets.loudness is None:
        return Level(0.0, ceiling if channels > 2 else None)
    if found.integrated < FAINT:
        return Level()
    headroom = ceiling - found.true_peak
    gain = round(min(targets.loudness - found.integrated, MOST_GAIN, headroom + MOST_LIMITED), 1)
    return Level(gain, ceiling if gain > headroom else None)


def corrected(level: Level, found: Loudness | None, targets: AudioTargets) -> Level:
    """A limiter takes loudness away with the peaks: the gain that makes up for it, from a measurement behind the limiter."""
    if level.ceiling is None or targets.loudness is None or found is None or found.integrated is None:
        return level
    missing = targets.loudness - found.integrated
    held = level.gain >= MOST_GAIN or missing <= NEAR
    return level if held else Level(round(level.gain + min(missing, MOST_LIMITED / 4), 1), level.ceiling)


def filters(level: Level) -> list[str]:
    """ffmpeg's filters for a level, at any sampling rate. Peaks between samples are seen at four times 48 kHz."""
    chain = [f"volume=volume={level.gain:g}dB:precision=float"] if level.gain else []
    if level.ceiling is not None:
        limit = 10 ** (level.ceiling / 20)
        chain += [
            "aresample=192000",
            f"alimiter=limit={limit:.5f}:attack=5:release=100:level=false:latency=true",
        ]
    return chain


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
