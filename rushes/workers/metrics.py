"""Numbers of one worker process (Prometheus), beside those that every server reads from the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


class WorkerMetrics:
    """In a registry of its own: nothing is global, and tests see only what they did."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = self._counter("rushes_worker_attempts", "Attempts that ended", "kind", "outcome", "reason")
        self._leases = self._counter("rushes_lease_expirations", "Steps taken back from silent workers")
        self._fenced = self._counter("rushes_fenced_writes", "Results of overtaken workers that were refused")
        self._repairs = self._counter("rushes_reconciler_repairs", "What the reconciler put right", "kind")
        self._kills = self._counter("rushes_subprocess_kills", "Children that were killed", "reason")
        self._webhooks = self._counter("rushes_webhook_deliveries", "Attempts to deliver a webhook", "outcome")
        self._duration = Histogram(
            "rushes_step_duration_seconds", "Wall time of attempts", ["kind"], registry=self.registry, buckets=SECONDS
        )
        self._waited = Histogram(
            "rushes_step_queue_wait_seconds",
            "From ready to running",
            ["kind"],
            registry=self.registry,
            buckets=SECONDS,
        )
        self._draining = Gauge("rushes_worker_draining", "1 while it takes no new steps", registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def attempt_ended(self, kind: str, outcome: str, seconds: float, reason: str = "") -> None:
        self._attempts.labels(kind, outcome, reason).inc()
        self._duration.labels(kind).observe(seconds)

    def step_claimed(self, kind: str, waited: float) -> None:
        self._waited.labels(kind).observe(waited)

    def lease_expired(self) -> None:
        self._leases.inc()

    def write_fenced(self) -> None:
        self._fenced.inc()

    def repaired(self, kind: str, number: int = 1) -> None:
        self._repairs.labels(kind).inc(number)

    def child_killed(self, reason: str) -> None:
        self._kills.labels(reason).inc()

    def webhooks_tried(self, results: Mapping[str, int]) -> None:
        """Takes what `Webhooks.run_once` gives."""
        for outcome, number in results.items():
            self._webhooks.labels(outcome).inc(number)

    def draining(self, yes: bool) -> None:
        self._draining.set(float(yes))

    def watch_scratch(self, free_bytes: Callable[[], float]) -> None:
        """Ask for the free bytes of the scratch disk at each scrape."""
        gauge = Gauge("rushes_scratch_free_bytes", "Free bytes where steps work", registry=self.registry)
        gauge.set_function(free_bytes)

    def text(self) -> bytes:
        return generate_latest(self.registry)
