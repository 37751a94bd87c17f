"""The packets of one stream as they pass: how long it is, where it begins, where its keyframes are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

_MAX_TIMES = 4000
_MAX_KEYFRAMES = 5000
_MOMENT = 0.1
_JUMP_BACK, _JUMP_ON = -0.5, 10.0
"""Seconds by which decoding times may step in a broadcast stream before it counts as a new beginning."""


@dataclass
class Timeline:
    """All in seconds. `joins`: the clock may restart (MPEG-TS and PS), and its parts follow each other."""

    joins: bool = False
    packets: int = 0
    bytes: int = 0
    start: float | None = None
    end: float | None = None
    times: list[float] = field(default_factory=list)
    """Presentation times of the first packets."""
    keyframes: list[float] = field(default_factory=list)
    restarts: int = 0
    """How often the clock began anew."""
    holes: float = 0.0
    """Seconds between packets that do not follow each other, where they are more than a moment. Of sound only it means that
    something is not there."""
    _untimed: list[tuple[float, bool]] = field(default_factory=list)
    """Duration and keyframe flag of packets without any time."""
    _last: float | None = None
    _step: float = 0.0
    _shift: float = 0.0

    def add(self, pts: float | None, dts: float | None, duration: float, size: int, *, key: bool) -> None:
        """One packet that is shown. Without a pts the dts counts; without both only the packet."""
        self.packets += 1
        self.bytes += size
        self._join(dts if dts is not None else pts, duration)
        time = pts if pts is not None else dts
        if time is None:
            self._untimed.append((duration, key))
            return
        time += self._shift
        if self.start is None:
            self._lead()
        if len(self.times) < _MAX_TIMES:
            self.times.append(time)
        self._note(time, duration, key=key)

    @property
    def duration(self) -> float | None:
        return None if self.start is None or self.end is None else self.end - self.start

    def _lead(self) -> None:
        """Packets before the first time run from zero, as decoders take them (some formats write no times below zero)."""
        start = 0.0
        for duration, key in self._untimed:
            self._note(start, duration, key=key)
            start += duration
        self._untimed.clear()

    def _note(self, time: float, duration: float, *, key: bool) -> None:
        self.start = time if self.start is None else min(self.start, time)
        self.end = time + duration if self.end is None else max(self.end, time + duration)
        if key and len(self.keyframes) < _MAX_KEYFRAMES:
            self.keyframes.append(time)

    def _join(self, clock: float | None, duration: float) -> None:
        if clock is None:
            return
        if self._last is not None:
            step = clock - self._last
            if self.joins and not _JUMP_BACK < step < _JUMP_ON:
                self._shift += self._step - step
                self.restarts += 1
            elif step > 0:
                self.holes += step - self._step if self._step and step > self._step + _MOMENT else 0.0
                self._step = duration or step
        self._last = clock
