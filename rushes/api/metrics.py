"""`/metrics`: what the catalog counts and what this process has served (Prometheus text format)."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Counts, Fleet

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PATCH", "PUT", "DELETE"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HttpMetrics:
    """Counters of one process, in a registry of their own. Routes, not paths, are labels: paths are without number."""

    def __init__(self, catalog: Catalog) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(CatalogCollector(catalog))
        self._requests = Counter(
            "rushes_http_requests", "Requests answered", ["method", "route", "code"], registry=self.registry
        )
        self._seconds = Histogram(
            "rushes_http_response_start_seconds",
            "Seconds from a request's headers to the first byte of its answer",
            ["method", "route"],
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in METHODS else "other"
        found = self._found.get((method, route, status))
        if found is None:
            found = self._found[method, route, status] = self._labelled(method, route, status)
        found[0].inc()
        found[1].observe(seconds)

    def _labelled(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Looked up once: by labels it costs as much as the rest of a small answer. Few, as labels must be."""
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)

    def text(self) -> bytes:
        """Blocks on the catalog."""
        return generate_latest(self.registry)


class CatalogCollector(Collector):
    """Asks the catalog at each scrape, so that every server shows the same numbers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def describe(self) -> list[Metric]:
        """Nothing: else the registry would collect once just to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        counts, fleet = self._catalog.counts(), self._catalog.fleet()
        yield from _of_counts(counts)
        yield from _of_fleet(fleet)


def _family(kind: type[Any], name: str, text: str, labels: list[str], rows: list[tuple[list[str], float]]) -> Metric:
    family = kind(name, text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    metric: Metric = family
    return metric


def _of_counts(counts: Counts) -> Iterator[Metric]:
    gauge = GaugeMetricFamily
    steps = [([state, kind, pool], float(number)) for state, kind, pool, number in counts.steps]
    yield _family(gauge, "rushes_steps", "Steps by state", ["state", "kind", "pool"], steps)
    assets = [([state], float(number)) for state, number in counts.assets.items()]
    yield _family(gauge, "rushes_assets", "Assets by state", ["state"], assets)
    yield _family(gauge, "rushes_uploads_active", "Uploads under way", [], [([], float(counts.uploads_open))])
    lag: list[tuple[list[str], float]] = [([], counts.outbox_lag_seconds)]
    yield _family(gauge, "rushes_outbox_lag_seconds", "Age of the oldest delivery due", [], lag)
    attempts = [([kind, outcome], float(number)) for kind, outcome, number in counts.attempts]
    labels = ["kind", "outcome"]
    yield _family(CounterMetricFamily, "rushes_step_attempts", "Attempts that ended", labels, attempts)
    copied = [([kind], float(number)) for kind, number, _ in counts.avoided]
    text = "Steps whose results were copied, because the same work had been done before"
    yield _family(CounterMetricFamily, "rushes_steps_avoided", text, ["kind"], copied)
    saved = [([kind], seconds) for kind, _, seconds in counts.avoided]
    yield _family(CounterMetricFamily, "rushes_avoided_cpu_seconds", "CPU seconds saved by it", ["kind"], saved)


def _of_fleet(fleet: Fleet) -> Iterator[Metric]:
    gauge = GaugeMetricFamily
    backlog = [([pool.pool], pool.backlog_seconds) for pool in fleet.pools]
    yield _family(gauge, "rushes_backlog_cpu_seconds", "Estimated CPU seconds of ready steps", ["pool"], backlog)
    oldest = [([pool.pool], pool.oldest_ready_seconds) for pool in fleet.pools]
    text = "Longest that a step could have run and did not"
    yield _family(gauge, "rushes_oldest_ready_step_age_seconds", text, ["pool"], oldest)
    busy = sum(len(worker.steps) for worker in fleet.workers)
    total = sum(worker.slots for worker in fleet.workers)
    slots = [(["busy"], float(busy)), (["free"], float(max(0, total - busy)))]
    yield _family(gauge, "rushes_worker_slots", "Slots of the workers that are alive", ["state"], slots)
    yield _family(gauge, "rushes_workers", "Workers that are alive", [], [([], float(len(fleet.workers)))])
    modes = Tally(worker.sandbox or "none" for worker in fleet.workers)
    text = "Workers that are alive, by how they shut in the tools that open uploads"
    rows = [([mode], float(number)) for mode, number in sorted(modes.items())]
    yield _family(gauge, "rushes_worker_sandbox", text, ["mode"], rows)
