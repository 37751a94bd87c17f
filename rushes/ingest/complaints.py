"""What an operator hears of a store or a database that does not serve: what passes per request, what stays once."""

from __future__ import annotations

import logging

from rushes.clock import SystemClock
from rushes.storage.bucket import StoreRefused

AGAIN = 600.0
"""Seconds after which a complaint about the same fault is worth repeating."""


class Complaints:
    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._clock = SystemClock()
        self._refused_at: float | None = None

    def tell(self, what: str, error: Exception) -> None:
        """`what` could not be done now."""
        if not isinstance(error, StoreRefused):
            self._log.warning("%s cannot be done now: %s", what, error)
            return
        now = self._clock.monotonic()
        if self._refused_at is None or now - self._refused_at >= AGAIN:
            self._refused_at = now
            self._log.error(
                "The object store refuses us, so nothing can be uploaded: %s. Check the bucket's name, AWS_ACCESS_KEY_ID,"
                " AWS_SECRET_ACCESS_KEY and the rights that belong to them.",
                str(error).rstrip("."),
            )
