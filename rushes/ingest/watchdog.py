"""Ends a connection to a stranger on which nothing of use comes, though single bytes may: time-outs of a socket begin
anew with each byte, and headers or the frames of chunks can be sent for weeks at a byte a minute."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rushes.clock import Clock, SystemClock

_MADE = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""Events of httpcore's trace (its documentation, "Extensions"), which bring the connection's stream."""


_LONG = 86_400.0


class Watchdog:
    """Bites when it was not patted for `seconds`: whoever reads from the connection then reads its end."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._over = threading.Event()
        self._socket: socket.socket | None = None
        self.pat()

    def __enter__(self) -> Watchdog:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def pat(self) -> None:
        self._deadline = self._clock.monotonic() + self._seconds

    def rest(self) -> None:
        """Until it is patted."""
        self._deadline = self._clock.monotonic() + _LONG

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """For the extension `trace` of a request."""
        if event in _MADE:
            self._socket = about["return_value"].get_extra_info("socket")

    def _watch(self) -> None:
        while not self._over.wait(min(self._seconds, max(0.01, self._deadline - self._clock.monotonic()))):
            if self._clock.monotonic() >= self._deadline:
                self._bite()
                return

    def _bite(self) -> None:
        found = self._socket
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
