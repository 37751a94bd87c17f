"""Traces: one for each asset, a span for each attempt at its steps, sent by a thread of its own to an OpenTelemetry collector.

Nothing is measured and nothing handed on while the work is done. What the catalog tells after a commit is looked up again, in
this thread, and sent in batches; when nobody takes it, it is dropped.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.spans import Span
from rushes.catalog.telling import Ended, Happening, Over
from rushes.clock import Clock, SystemClock
from rushes.settings import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own names; without any of them nothing is traced."""
MOST = 10_000
"""Happenings that wait; more are dropped."""
BATCH = 200
LINGER = 1.0
"""Seconds that the first of a batch waits for others."""
LAST_WORDS = 3.0
"""Seconds that sending may take at the end of the process."""
Read = Callable[[Sequence[Happening]], list[Span]]
Send = Callable[[Sequence[Span]], None]
log = logging.getLogger("rushes.tracing")


class Spans:
    """Told by the catalog (`Store.tell`). Takes no part in the work: neither blocks nor raises."""

    def __init__(self, send: Send | None, clock: Clock | None = None) -> None:
        """Without `send` nothing is traced."""
        self._send = send
        self._clock = clock or SystemClock()
        self._waiting: queue.Queue[Happening | None] = queue.Queue(MOST)
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def __call__(self, happening: Happening) -> None:
        if self._send is None or not isinstance(happening, Ended | Over):
            return
        try:
            self._waiting.put_nowait(happening)
        except queue.Full:
            self.dropped += 1

    def start(self, read: Read) -> None:
        """`read` looks up what happened; it may block."""
        if self._send is not None:
            self._thread = threading.Thread(target=self._run, args=(read, self._send), daemon=True, name="spans")
            self._thread.start()

    def close(self) -> None:
        """Send what is left, as far as that goes quickly."""
        if self._thread is None:
            return
        try:
            self._waiting.put_nowait(None)
        except queue.Full:  # nobody has taken anything for long
            return
        self._thread.join(LAST_WORDS)

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        yield
        self.close()

    def _run(self, read: Read, send: Send) -> None:
        over = False
        while not over:
            batch, over = self._batch()
            try:
                if batch:
                    send(read(batch))
            except DatabaseUnavailable as error:
                log.warning("what happened is not traced: %s", error)
            except Exception:  # whatever is wrong with one batch, the next may be sent
                log.exception("what happened is not traced")

    def _batch(self) -> tuple[list[Happening], bool]:
        """What waits, and whether that was the last."""
        batch: list[Happening] = []
        one = self._waiting.get()
        ends = self._clock.monotonic() + LINGER
        while one is not None:
            batch.append(one)
            left = ends - self._clock.monotonic()
            if len(batch) >= BATCH or left <= 0:
                return batch, False
            try:
                one = self._waiting.get(timeout=left)
            except queue.Empty:
                return batch, False
        return batch, True


def open_spans(environment: Mapping[str, str], service: str) -> Spans:
    """`service`: the process as traces call it, unless OTEL_SERVICE_NAME says otherwise. Raises SettingsError."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return Spans(None)
    try:
        from rushes.workers.otlp import sender
    except ImportError as error:
        raise SettingsError(
            f"{ENDPOINTS[0]} is set, and the extra for it is not: pip install 'rushes[tracing]'."
        ) from error
    return Spans(sender(environment.get("OTEL_SERVICE_NAME") or service))


def both(*tellers: Callable[[Happening], Any]) -> Callable[[Happening], None]:
    """Tell several."""

    def tell(happening: Happening) -> None:
        for teller in tellers:
            teller(happening)

    return tell
