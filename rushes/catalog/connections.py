"""A few connections that threads share: opened when needed, handed round, let go when nobody has needed them for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from rushes.catalog.database import DatabaseUnavailable
from rushes.clock import Clock, SystemClock


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Connections(Generic[C]):
    """At most `size` at a time. The one that was used last goes out first, so that those beyond the usual need grow old."""

    def __init__(
        self, connect: Callable[[], C], *, size: int, patience: float, idle: float, clock: Clock | None = None
    ) -> None:
        """`patience`: seconds to wait for a free one; `idle`: seconds after which an unused one is closed."""
        self._connect, self._size, self._patience, self._keep = connect, size, patience, idle
        self._clock = clock or SystemClock()
        self._places = threading.BoundedSemaphore(size)
        self._guard = threading.Lock()
        self._idle: list[tuple[C, float]] = []
        self._closed = False

    def take(self) -> tuple[C, bool]:
        """A connection, and whether it is a new one; an old one may have died meanwhile. Raises what connecting raises."""
        if not self._places.acquire(timeout=self._patience):
            raise DatabaseUnavailable(f"all {self._size} connections were in use for {self._patience:.0f} s")
        with self._guard:
            if self._idle:
                return self._idle.pop()[0], False
        try:
            return self._connect(), True
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: C) -> None:
        """For a connection that is whole and between two transactions."""
        now = self._clock.monotonic()
        with self._guard:
            if not self._closed:
                self._idle.append((connection, now))
            old = [one for one, since in self._idle if now - since > self._keep]
            self._idle = [(one, since) for one, since in self._idle if now - since <= self._keep]
            old += [connection] if self._closed else []
        self._places.release()
        for one in old:
            one.close()

    def drop(self, connection: C) -> None:
        """For a connection that broke."""
        connection.close()
        self._places.release()

    def clear(self) -> None:
        """Close all that are idle: they are likely to have died with the one that did."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def close(self) -> None:
        """Those in use are closed when they come back."""
        self._closed = True
        self.clear()
