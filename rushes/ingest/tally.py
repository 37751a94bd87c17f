"""What this process has done with uploads since it began, for `/metrics`. The catalog says how many there are now."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """Counters that may be raised from any thread. After a kill, a step that is done again counts again."""

    def __init__(self) -> None:
        self._created = _counter("rushes_uploads_created", "Uploads that began", "kind")
        self._finished = _counter("rushes_uploads_finished", "Uploads whose last byte is stored", "kind")
        self._ended = _counter("rushes_uploads_ended", "Uploads that ended without their last byte", "reason")
        self._received = Counter("rushes_upload_bytes_received", "Bytes of uploads that were stored", registry=None)
        self._bytes = Counter("rushes_upload_bytes", "The same under its newer name", registry=None)
        self._rejected = _counter("rushes_upload_rejected", "Requests to begin or go on that were refused", "reason")
        self._discarded = _counter("rushes_upload_bodies_discarded", "Bodies of which nothing was kept", "reason")
        self._orphans = Counter(
            "rushes_upload_orphans_removed", "Remains of uploads that nothing led to", registry=None
        )

    def created(self, kind: str) -> None:
        """`whole`, `part` or `joined`."""
        self._created.labels(kind).inc()

    def finished(self, kind: str) -> None:
        self._finished.labels(kind).inc()

    def ended(self, reason: str) -> None:
        """`terminated` by its client, or the reason's code."""
        self._ended.labels(reason).inc()

    def received(self, size: int) -> None:
        """Bytes that may be acknowledged."""
        for counter in (self._received, self._bytes):
            counter.inc(max(0, size))

    def rejected(self, reason: str) -> None:
        """The error's code."""
        self._rejected.labels(reason).inc()

    def discarded(self, reason: str) -> None:
        self._discarded.labels(reason).inc()

    def orphans(self, number: int) -> None:
        self._orphans.inc(number)

    def describe(self) -> list[Metric]:
        """Nothing: the names are known by what is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        for counter in (
            self._created, self._finished, self._ended, self._received, self._bytes, self._rejected, self._discarded,
            self._orphans,
        ):  # fmt: skip
            yield from counter.collect()


def _counter(name: str, text: str, label: str) -> Counter:
    return Counter(name, text, [label], registry=None)
