"""ffmpeg's `-progress` reports: `key=value` lines, a block ends with `progress=`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Progress:
    """What the last complete lines said. `advanced` is raised by one whenever work went on."""

    frames: int | None = None
    out_seconds: float | None = None
    advanced: int = 0
    ended: bool = False
    """The last report has come: all is written, and the tool is about to end."""
    _rest: bytes = field(default=b"", repr=False)
    _sizes: dict[str, str] = field(default_factory=dict, repr=False)

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-4096:]
        for line in lines:
            key, _, value = line.decode("ascii", "replace").partition("=")
            self._take(key.strip(), value.strip())

    def fraction(self, duration: float | None) -> float | None:
        """How much of `duration` seconds is done, 0..1; None where that is not known."""
        if not duration or self.out_seconds is None:
            return None
        return min(1.0, max(0.0, self.out_seconds / duration))

    def _take(self, key: str, value: str) -> None:
        if key not in ("frame", "out_time_us", "total_size", "progress"):
            return
        if self._sizes.get(key) == value and key != "progress":
            return
        if key == "progress":  # the last report proves life even where nothing else moved
            self.ended = value == "end"
            self.advanced += self.ended
            return
        self._sizes[key] = value
        if not value.lstrip("-").isdigit():  # "N/A" before the first output
            return
        self.advanced += 1
        if key == "frame":
            self.frames = int(value)
        elif key == "out_time_us":
            self.out_seconds = int(value) / 1e6
