"""Traces: one for each asset, a span for each attempt at its steps and for what reaches it and leaves it, sent by a thread of
its own to an OpenTelemetry collector.

Nothing waits for it. What the catalog tells after a commit is looked up again, in this thread, and sent in batches; what others
have seen (`later`) is made into spans there too; when nobody takes them, they are dropped and counted.
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
from rushes.tracing import is_sampled, trace_id

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own names; without any of them nothing is traced."""
MOST = 10_000
"""Happenings that wait; more are dropped."""
MOST_MADE = 1_000
"""How many may wait before what would be made of them is dropped: the steps themselves are worth more than their parts."""
BATCH = 200
LINGER = 1.0
"""Seconds that the first of a batch waits for others."""
LAST_WORDS = 3.0
"""Seconds that sending may take at the end of the process."""
Read = Callable[[Sequence[Happening]], list[Span]]
Send = Callable[[Sequence[Span]], str]
"""Why they were not taken; empty: they were. Blocks."""
Make = Callable[[], Sequence[Span]]
Lost = Callable[[str, int], None]
"""Why, and how many: `queue`, `catalog`, `collector`."""
log = logging.getLogger("rushes.tracing")


def _nobody(_: str, __: int) -> None:
    """Nobody counts."""


class Spans:
    """Told by the catalog (`Store.tell`). Takes no part in the work: neither blocks nor raises."""

    def __init__(self, send: Send | None, clock: Clock | None = None, lost: Lost = _nobody, share: float = 1.0) -> None:
        """Without `send` nothing is traced. `share`: of all traces, 0 to 1, that are."""
        self._send = send if share > 0 else None
        self._clock = clock or SystemClock()
        self._lost = lost
        self._share = share
        self._waiting: queue.Queue[Happening | Make | None] = queue.Queue(MOST)
        self._thread: threading.Thread | None = None
        self._is_refused = False
        self.dropped = 0

    def traces(self, asset: str) -> bool:
        """Whether somebody wants to know of that asset."""
        return self._send is not None and is_sampled(trace_id(asset), self._share)

    @property
    def is_on(self) -> bool:
        return self._send is not None

    def __call__(self, happening: Happening) -> None:
        if self._send is None or not isinstance(happening, Ended | Over):
            return
        if self._share >= 1 or self.traces(happening.asset):
            self._put(happening)

    def later(self, make: Make) -> None:
        """Spans that no row tells of; made in the thread that sends them. Of an asset that is traced (`traces`)."""
        if self._waiting.qsize() < MOST_MADE:
            self._put(make)
        else:
            self._drop("queue", 1)

    def _put(self, one: Happening | Make) -> None:
        try:
            self._waiting.put_nowait(one)
        except queue.Full:
            self._drop("queue", 1)

    def _drop(self, why: str, number: int) -> None:
        self.dropped += number
        self._lost(why, number)

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
                self._forward(batch, read, send)
            except Exception:  # whatever is wrong with one batch, the next may be sent
                log.exception("what happened is not traced")
                self._drop("error", len(batch))

    def _forward(self, batch: Sequence[Happening | Make], read: Read, send: Send) -> None:
        spans = [span for one in batch if callable(one) for span in one()]
        spans += self._looked_up([one for one in batch if not callable(one)], read)
        if spans:
            self._note(send(spans), len(spans))

    def _looked_up(self, happened: Sequence[Happening], read: Read) -> list[Span]:
        try:
            return read(happened) if happened else []
        except DatabaseUnavailable as error:
            log.warning("what happened is not traced: %s", error)
            self._drop("catalog", len(happened))
            return []

    def _note(self, refused: str, number: int) -> None:
        """Whether a batch was taken. One line when that ends and one when it is so again; the counter says how many."""
        if refused:
            self._drop("collector", number)
        if refused and not self._is_refused:
            log.warning("the collector does not take our spans, they are lost until it does: %s", refused)
        if self._is_refused and not refused:
            log.info("the collector takes spans again")
        self._is_refused = bool(refused)

    def _batch(self) -> tuple[list[Happening | Make], bool]:
        """What waits, and whether that was the last."""
        batch: list[Happening | Make] = []
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


def open_spans(environment: Mapping[str, str], service: str, lost: Lost = _nobody) -> Spans:
    """`service`: the process as traces call it, unless OTEL_SERVICE_NAME says otherwise. Raises SettingsError."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not any(environment.get(name) for name in ENDPOINTS):
        return Spans(None)
    share = share_of(environment)
    try:
        from rushes.workers.otlp import sender
    except ImportError as error:
        raise SettingsError(
            f"{ENDPOINTS[0]} is set, and the extra for it is not: pip install 'rushes[tracing]'."
        ) from error
    return Spans(sender(environment.get("OTEL_SERVICE_NAME") or service), lost=lost, share=share)


def share_of(environment: Mapping[str, str]) -> float:
    """Of all traces, that are sent, by OTEL_TRACES_SAMPLER and its ARG. Raises SettingsError."""
    named = environment.get("OTEL_TRACES_SAMPLER") or "always_on"
    match named.removeprefix("parentbased_"):
        case "always_on":
            return 1.0
        case "always_off":
            return 0.0
        case "traceidratio":
            return _ratio(environment.get("OTEL_TRACES_SAMPLER_ARG") or "1")
    raise SettingsError(f"OTEL_TRACES_SAMPLER={named} is not known here: always_on, always_off or traceidratio.")


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise SettingsError(f"OTEL_TRACES_SAMPLER_ARG={text} is not a number from 0 to 1.")
    return ratio


def both(*tellers: Callable[[Happening], Any]) -> Callable[[Happening], None]:
    """Tell several."""

    def tell(happening: Happening) -> None:
        for teller in tellers:
            teller(happening)

    return tell
