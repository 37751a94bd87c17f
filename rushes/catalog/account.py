"""What the cost ledger says."""

from __future__ import annotations

from rushes.noun import Noun


class Entry(Noun):
    """What was used, for whatever it is told of."""

    cpu_seconds: float = 0.0
    """Of all attempts."""
    wasted_cpu_seconds: float = 0.0
    """Those among them whose attempts failed, were lost, cancelled or given back."""
    bytes_read: int = 0
    bytes_written: int = 0
    """From and to the object store."""
    bytes_stored: int = 0
    """Now: of sources and newest builds."""

    def plus(self, other: Entry) -> Entry:
        return Entry(
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            wasted_cpu_seconds=self.wasted_cpu_seconds + other.wasted_cpu_seconds,
            bytes_read=self.bytes_read + other.bytes_read,
            bytes_written=self.bytes_written + other.bytes_written,
            bytes_stored=self.bytes_stored + other.bytes_stored,
        )


class Account(Noun):
    by: str
    """tenant, kind, rendition or day."""
    entries: dict[str, Entry]
    """By its name; the empty rendition is for what was done for the asset as a whole."""
    as_of: float
    """Until when everything that ended is in it, seconds since the epoch."""
