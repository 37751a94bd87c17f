"""A large file in several parts at once (tus 1.0.0, Concatenation, and "concatenation-unfinished").

One connection seldom fills a mobile network, and when it is cut only its own part waits. Each part is an upload of its
own. The whole is created before their bytes: so its asset is known from the start, no retry at the end can make a second
one, and the server, which knows what comes last, can look at a film's tail before the film is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from rushes.ingest.answers import ASSET
from rushes.ingest.memo import Memo
from rushes.ingest.patience import Patience
from rushes.ingest.wire import Report, Trouble, Wire, metadata_of

AT_ONCE = 4
LARGE = 64 * 2**20
"""Bytes from which on a file goes in parts; a smaller one is through before several connections are up to speed."""


@dataclass(frozen=True)
class Span:
    """Bytes of a file."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def count_of(size: int, wanted: int | None) -> int:
    """How many parts a file of `size` bytes goes in. `wanted` None: that is for us to say."""
    if wanted is None:
        return AT_ONCE if size >= LARGE else 1
    return max(1, min(wanted, size))


def spans(size: int, count: int) -> list[Span]:
    """The whole in `count` pieces, none of them empty, that differ by one byte at most."""
    return [Span(size * index // count, size * (index + 1) // count) for index in range(count)]


class Stopped(Exception):
    """Another part has failed, or the user has had enough."""


def begin(file: Path, count: int, wire: Wire, said: Mapping[str, str]) -> Memo:
    """Make the parts and the whole, with what is `said` of it, at the server. Raises Trouble."""
    parts = []
    for span in spans(file.stat().st_size, count):
        url, _ = wire.create({"Upload-Length": str(span.size), "Upload-Concat": "partial"})
        parts.append(url)
    url, answer = wire.create({"Upload-Concat": f"final;{' '.join(parts)}", **metadata_of(file, said)})
    return Memo(url, answer.headers.get(ASSET, ""), tuple(parts))


class PartedTransfer:
    """The bytes of one file on their way into its parts."""

    def __init__(
        self, file: Path, parts: Sequence[str], wire: Wire, patience: Callable[[], Patience], report: Report
    ) -> None:
        self._file, self._parts, self._wire = file, parts, wire
        self._patience, self._report = patience, report
        self._size = file.stat().st_size
        self._spans = spans(self._size, len(parts))
        self._done = [0] * len(parts)
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def send(self, tell: Callable[[Trouble], None]) -> None:
        """Until every part has its bytes. `tell` hears of each trouble that is waited for. Raises Trouble, OSError; then
        the other parts have stopped too."""
        with ThreadPoolExecutor(len(self._parts), "part") as threads:
            parts = [threads.submit(self._part, index, tell) for index in range(len(self._parts))]
            try:
                wait(parts, return_when=FIRST_EXCEPTION)
            finally:
                self._stop.set()
        _raise_first(parts)

    def _part(self, index: int, tell: Callable[[Trouble], None]) -> None:
        patience = replace(self._patience(), sleep=self._rest)
        while not self._stop.is_set():
            try:
                self._try(index, patience)
                return
            except Trouble as trouble:
                if not trouble.is_passing or not patience.wait():
                    raise
                tell(trouble)
        raise Stopped

    def _rest(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _try(self, index: int, patience: Patience) -> None:
        span, url = self._spans[index], self._parts[index]
        at = self._wire.offset(url)
        self._progress(index, at)
        while at < span.size:
            at = self._wire.send(url, self._file, at, span.start, span.end, lambda sent: self._progress(index, sent))
            patience.success()

    def _progress(self, index: int, sent: int) -> None:
        if self._stop.is_set():
            raise Stopped
        with self._lock:
            self._done[index] = sent
            self._report(sum(self._done), self._size)


def _raise_first(parts: Sequence[Future[None]]) -> None:
    """The error that stopped the others comes before theirs."""
    errors = [error for part in parts if (error := part.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
