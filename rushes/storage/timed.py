"""How long an object store takes to answer, and how many bytes went either way: of this process, and of its children's steps."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from rushes.clock import Clock, SystemClock
from rushes.noun import Noun
from rushes.storage.store import Fetched, ObjectExists, ObjectInfo, ObjectMissing, ObjectStore, StoreError

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds."""
OPERATIONS = {
    "put_bytes": "put", "put_file": "put", "put_if": "put_if", "put_new": "put_many", "adopt": "adopt", "copy": "copy",
    "head": "head", "read": "get", "open": "get", "fetch": "get", "localize": "get", "delete": "delete",
    "delete_many": "delete_many",
}  # fmt: skip
"""Methods of a store -> label `op`. A listing is read bit by bit, so it has no time of its own."""
WRITES = frozenset({"put", "put_if", "adopt", "copy"})
Counts = dict[str, list[float]]
"""`op code` -> the sum of seconds, then how many fell into each bucket and beyond the last."""
S = TypeVar("S", bound=ObjectStore)


class Requests(Noun):
    """Requests of one sort, as far as they lie: from when the first was asked until the last was answered."""

    began: float
    """Seconds since the epoch by this machine's clock."""
    ended: float
    count: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Of all of them, many of which went side by side."""
    bytes: int = 0

    def with_one(self, began: float, seconds: float, *, failed: bool, moved: int) -> Requests:
        return Requests(
            began=min(self.began, began), ended=max(self.ended, began + seconds), count=self.count + 1,
            failed=self.failed + failed, seconds=self.seconds + seconds, bytes=self.bytes + moved,
        )  # fmt: skip


@dataclass
class Timings:
    """Safe for threads."""

    bytes_read: int = 0
    bytes_written: int = 0
    """Since it was made, or was last `taken`."""
    requests: dict[str, Requests] | None = None
    """By operation, at most as many as there are; None: nobody asks."""
    _counts: Counts = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, op: str, code: str, seconds: float) -> None:
        with self._lock:
            row = self._counts.setdefault(f"{op} {code}", [0.0] * (len(BUCKETS) + 2))
            row[0] += seconds
            row[1 + bisect_left(BUCKETS, seconds)] += 1

    def moved(self, read: int, written: int) -> None:
        with self._lock:
            self.bytes_read += read
            self.bytes_written += written

    def note(self, op: str, began: float, seconds: float, *, failed: bool, moved: int) -> None:
        """One request, for who asks when they were."""
        with self._lock:
            if self.requests is not None:
                before = self.requests.get(op) or Requests(began=began, ended=began)
                self.requests[op] = before.with_one(began, seconds, failed=failed, moved=moved)

    def taken(self) -> tuple[Counts, int, int]:
        """What was counted since the last time, the bytes read and written too; from now on it counts anew."""
        with self._lock:
            found = (self._counts, self.bytes_read, self.bytes_written)
            self._counts, self.bytes_read, self.bytes_written = {}, 0, 0
            return found

    def add(self, counts: Mapping[str, Sequence[float]]) -> None:
        """What another process has counted."""
        with self._lock:
            for name, row in counts.items():
                mine = self._counts.get(name, [0.0] * len(row))
                self._counts[name] = [one + other for one, other in zip(mine, row, strict=True)]

    def counts(self) -> Counts:
        """As they are now."""
        with self._lock:
            return {name: list(row) for name, row in self._counts.items()}


def timed(store: S, timings: Timings, clock: Clock | None = None) -> S:
    """The same store, measured from now on. It stays the object that it is: who asks what it can do is to see just that. What
    one of its methods asks of another is part of the one request."""
    asking = threading.local()
    for name, op in OPERATIONS.items():
        if hasattr(store, name):
            call = getattr(store, name)
            setattr(store, name, _outermost(call, _measured(call, op, timings, clock or SystemClock()), asking))
    return store


def _outermost(call: Callable[..., Any], measured: Callable[..., Any], asking: threading.local) -> Callable[..., Any]:
    """`measured`, but within another such call of this thread `call` itself."""

    @wraps(call)
    def either(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the method it stands for
        if getattr(asking, "now", False):
            return call(*args, **kwargs)
        asking.now = True
        try:
            return measured(*args, **kwargs)
        finally:
            asking.now = False

    return either


def _measured(call: Callable[..., Any], op: str, timings: Timings, clock: Clock) -> Callable[..., Any]:
    def measured(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the method it stands for
        began, code, moved = clock.monotonic(), "error", (0, 0)
        try:
            answer = call(*args, **kwargs)
            code, moved = "ok", _bytes_of(op, answer, *args[1:], **kwargs)
            timings.moved(*moved)
            return answer
        except (StoreError, OSError) as error:
            code = _code(error)
            raise
        finally:
            seconds = clock.monotonic() - began
            timings.observe(op, code, seconds)
            if timings.requests is not None:
                timings.note(op, clock.now() - seconds, seconds, failed=code == "error", moved=sum(moved))

    return measured


def _code(error: Exception) -> str:
    match error:
        case ObjectMissing():
            return "missing"
        case ObjectExists():
            return "exists"
        case _:
            return "error"


def _bytes_of(op: str, answer: object, *args: Any, **kwargs: Any) -> tuple[int, int]:  # noqa: ANN401 - of the call
    """Read and written, as far as an answer says it. A stream counts as if it were read to its end."""
    match answer:
        case ObjectInfo(size=size) if op in WRITES:
            return 0, size
        case bytes():
            return len(answer), 0
        case Path():
            return answer.stat().st_size, 0
        case Fetched(info=info):
            return _span(info.size, *args, **kwargs), 0
        case _:
            return 0, 0


def _span(size: int, start: int = 0, stop: int | None = None) -> int:
    return max(0, (size if stop is None else min(size, stop)) - start)
