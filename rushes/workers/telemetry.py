"""The numbers of one process, for Prometheus: what the catalog tells of it, and what a worker sees itself.

One object for a process, passed in (`Plant.telemetry`, `Store.tell`), with a registry of its own. A worker shows it at
RUSHES_METRICS_PORT; a web side beside its other numbers at `/metrics`. Labels are bounded: kinds, pools, classes, codes.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import singledispatchmethod
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from rushes.catalog import telling
from rushes.engine.classes import Class
from rushes.errors import REASONS
from rushes.states import Pool, StepKind
from rushes.storage.timed import BUCKETS, Timings

WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400)
STEPS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
ASSETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600, 14_400, 86_400)
RATIOS = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8, 16, 32)
TENANTS = 100
"""Tenants that are counted by name in one process; all others are `other`. The ledger knows each of them."""
OTHER = "other"
_KINDS, _POOLS, _CODES = frozenset(StepKind), frozenset(Pool), frozenset(REASONS)


class Telemetry(Collector):
    """Safe for threads. Called with a happening (`catalog.telling`) it counts it; the rest has a name here."""

    def __init__(self, tenants: int = TENANTS) -> None:
        """`tenants`: how many are counted by name. None on a web server, whose numbers any tenant's key may read."""
        self.registry = CollectorRegistry()
        self._most_tenants = tenants
        self.storage = Timings()
        """What object stores took: `storage.timed.timed(store, telemetry.storage)`; `add` what a child has counted."""
        self.registry.register(_OfStorage(self.storage))
        self._tenants: set[str] = set()
        self._of_steps()
        self._of_repairs()
        self._of_the_worker()

    def _of_steps(self) -> None:
        self._waits = self._histogram("rushes_step_queue_wait_seconds", "From ready to claimed", WAITS, "pool", "class")
        self._durations = self._histogram(
            "rushes_step_duration_seconds", "From claimed to done, of attempts that were", STEPS, "kind"
        )
        self._attempts = self._counter(
            "rushes_step_attempts", "Attempts that ended, by how and why", "kind", "outcome", "reason"
        )
        text = (
            f"CPU seconds of attempts, wasted too; by name the first {self._most_tenants} tenants that this process met"
        )
        self._cpu = self._counter("rushes_tenant_cpu_seconds", text, "tenant")
        text = "From the last byte of a source to a video that plays"
        self._playable = self._histogram("rushes_time_to_playable_seconds", text, ASSETS)
        text = "From the last byte of a source to a video that is complete"
        self._ready = self._histogram("rushes_time_to_ready_seconds", text, ASSETS)

    def _of_repairs(self) -> None:
        text = "Steps whose worker went silent"
        self._expirations = self._counter("rushes_lease_expirations", text)
        self._fenced = self._counter("rushes_fenced_writes", "Writes refused because the step was somebody else's")
        self._repairs = self._counter("rushes_reconciler_repairs", "What the reconciler put right", "kind")
        self._quarantined = self._counter("rushes_poison_quarantined", "Steps set aside: they end who touches them")
        self._preemptions = self._counter("rushes_preemptions", "Steps told to make room", "pool")
        text = "Steps left to others, of a kind or version that this process does not know"
        self._unreadable = self._counter("rushes_unreadable_steps", text, "kind", "version")
        text = "Rows of history folded away, by what they were of"
        self._folded = self._counter("rushes_history_folded", text, "what")
        text = "Transactions that the database did not take"
        self._trouble = self._counter("rushes_database_errors", text, "code")

    def _of_the_worker(self) -> None:
        text = "Seconds of picture or sound made in a second, by encodes"
        self._speed = self._histogram("rushes_encode_speed_ratio", text, RATIOS)
        text = "Children and tools that were killed, by why"
        self._kills = self._counter("rushes_subprocess_kills", text, "reason")
        self._deliveries = self._counter("rushes_webhook_deliveries", "Webhooks sent, by how it went", "outcome")
        text = "Messages of the doorbell that were thrown away"
        self._dropped = self._counter("rushes_doorbell_dropped", text, "reason")
        text = "Spans of traces, or what they would have been made of, that were lost"
        self._spans = self._counter("rushes_spans_lost", text, "reason")

    def describe(self) -> list[Metric]:
        """Nothing: the names are known by what is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self.registry.collect()

    def __call__(self, happening: telling.Happening) -> None:
        self._count(happening)

    @singledispatchmethod
    def _count(self, happening: object) -> None:
        raise TypeError(f"nobody counts {happening!r}")

    @_count.register
    def _(self, told: telling.Claimed) -> None:
        pool = _known(told.pool, _POOLS)
        self._waits.labels(pool, Class(told.class_).name.lower()).observe(max(0.0, told.waited))

    @_count.register
    def _(self, told: telling.Ended) -> None:
        kind = _known(told.kind, _KINDS)
        self._attempts.labels(kind, told.outcome, _known(told.reason, _CODES) if told.reason else "").inc()
        if told.outcome == "done":
            self._durations.labels(kind).observe(max(0.0, told.seconds))
        if told.tenant and told.cpu_seconds > 0:
            self._cpu.labels(self._named(told.tenant)).inc(told.cpu_seconds)

    def _named(self, tenant: str) -> str:
        if tenant not in self._tenants and len(self._tenants) >= self._most_tenants:
            return OTHER
        self._tenants.add(tenant)
        return tenant

    @_count.register
    def _(self, _: telling.Fenced) -> None:
        self._fenced.inc()

    @_count.register
    def _(self, told: telling.Repaired) -> None:
        self._repairs.labels(told.kind).inc(told.count)
        if told.kind == "lease_expired":
            self._expirations.inc(told.count)

    @_count.register
    def _(self, _: telling.Quarantined) -> None:
        self._quarantined.inc()

    @_count.register
    def _(self, told: telling.Preempted) -> None:
        self._preemptions.labels(_known(told.pool, _POOLS)).inc()

    @_count.register
    def _(self, told: telling.Unreadable) -> None:
        self._unreadable.labels(_known(told.kind, _KINDS), str(min(told.version, 999))).inc()

    @_count.register
    def _(self, told: telling.Reached) -> None:
        (self._playable if told.state == "playable" else self._ready).observe(max(0.0, told.seconds))

    @_count.register
    def _(self, _: telling.Over) -> None:
        """For traces; the catalog counts assets."""

    @_count.register
    def _(self, told: telling.Folded) -> None:
        for what, count in asdict(told).items():
            self._folded.labels(what).inc(count)

    @_count.register
    def _(self, told: telling.Trouble) -> None:
        self._trouble.labels(told.code).inc()

    def killed(self, reason: str) -> None:
        """A child, or a tool below it, was killed: a reason's code, or cancelled, fenced, preempted, drain."""
        self._kills.labels(reason).inc()

    def encoded(self, media_seconds: float, wall_seconds: float) -> None:
        """An encode is done: how much it made, and how long it took."""
        if media_seconds > 0 and wall_seconds > 0:
            self._speed.observe(media_seconds / wall_seconds)

    def delivered(self, outcome: str, count: int = 1) -> None:
        """Webhooks: done, again, abandoned."""
        self._deliveries.labels(outcome).inc(count)

    def dropped(self, reason: str) -> None:
        """The doorbell threw a message away: malformed, unknown ..."""
        self._dropped.labels(reason).inc()

    def spans_lost(self, reason: str, count: int) -> None:
        """Of traces: `queue` (more than can be sent), `catalog`, `collector` (nobody took them), `error`."""
        self._spans.labels(reason).inc(count)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A number that is asked for at each scrape; once for each name. NaN while the system does not give it."""

        def asked() -> float:
            try:
                return read()
            except OSError:
                return math.nan

        Gauge(name, text, registry=self.registry).set_function(asked)

    def watch_disk(self, scratch: Path) -> None:
        """How much of the disk with that directory is free, asked at each scrape."""
        text = "Bytes free on the scratch disk"
        self.gauge("rushes_scratch_free_bytes", text, lambda: float(shutil.disk_usage(scratch).free))
        self.gauge("rushes_scratch_size_bytes", "Bytes of it", lambda: float(shutil.disk_usage(scratch).total))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)


class _OfStorage(Collector):
    def __init__(self, timings: Timings) -> None:
        self._timings = timings

    def describe(self) -> list[Metric]:
        """Nothing, as above."""
        return []

    def collect(self) -> Iterator[Metric]:
        text = "Until the object store answered; of streams until their first byte"
        family = HistogramMetricFamily("rushes_storage_request_seconds", text, labels=["op", "code"])
        bounds = [*map(str, BUCKETS), "+Inf"]
        for name, (seconds, *found) in sorted(self._timings.counts().items()):
            family.add_metric(name.split(" "), list(zip(bounds, accumulate(found), strict=True)), seconds)
        yield family


def _known(value: str, allowed: frozenset[str]) -> str:
    """Labels come from lists: what is on none is `other`."""
    return value if value in allowed else OTHER
