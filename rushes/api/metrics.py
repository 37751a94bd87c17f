"""`/metrics`: the fleet as the catalog knows it, and what this process has served (Prometheus text format).

The catalog's numbers are sampled for all (`catalog.loads`): a scrape reads a few rows and scans nothing.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rushes.catalog.catalog import Catalog
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Counts, Fleet, PoolView
from rushes.engine.scaling import scale_cpu_seconds

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PATCH", "PUT", "DELETE"})
CATALOG_UP = ("rushes_catalog_up", "Whether this server gets at the database, and it takes changes")
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
        """While the catalog is away, that alone: what this process has served is shown all the same."""
        try:
            counts, fleet = self._catalog.counts(), self._catalog.fleet()
        except DatabaseUnavailable:
            yield _gauge(*CATALOG_UP, 0.0)
            return
        yield _gauge(*CATALOG_UP, 1.0)
        yield from _of_counts(counts)
        yield from _of_fleet(fleet)


Rows = list[tuple[list[str], float]]


def _family(kind: type[Any], name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = kind(name, text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    metric: Metric = family
    return metric


def _gauge(name: str, text: str, rows: Rows | float | None, *labels: str) -> Metric:
    """`rows`: (values of the labels, number), or the one number of a gauge without labels; None: it is not known."""
    if not isinstance(rows, list):
        rows = [] if rows is None else [([], float(rows))]
    return _family(GaugeMetricFamily, name, text, list(labels), rows)


def _of_counts(counts: Counts) -> Iterator[Metric]:
    steps = [([state, kind, pool], float(number)) for state, kind, pool, number in counts.steps]
    yield _gauge("rushes_steps", "Steps that are not finished, by state", steps, "state", "kind", "pool")
    assets = [([state], float(number)) for state, number in counts.assets.items()]
    yield _gauge("rushes_assets", "Assets by state", assets, "state")
    yield _gauge("rushes_uploads_active", "Uploads under way", counts.uploads_open)
    yield _gauge("rushes_outbox_lag_seconds", "Age of the oldest delivery due", counts.outbox_lag_seconds)
    text = "Since the reconciler came round last"
    yield _gauge("rushes_reconciler_last_run_age_seconds", text, counts.reconciled_seconds)
    yield _gauge("rushes_sample_age_seconds", "Since the steps were counted last", counts.sampled_seconds)
    yield _gauge("rushes_quarantined_steps", "Steps that are set aside", counts.quarantined)
    copied = [([kind], float(number)) for kind, number, _ in counts.avoided]
    text = "Steps whose results were copied, because the same work had been done before"
    yield _family(CounterMetricFamily, "rushes_steps_avoided", text, ["kind"], copied)
    saved = [([kind], seconds) for kind, _, seconds in counts.avoided]
    yield _family(CounterMetricFamily, "rushes_avoided_cpu_seconds", "CPU seconds saved by it", ["kind"], saved)


_OF_POOLS: tuple[tuple[str, str, Callable[[PoolView], float]], ...] = (
    (
        "rushes_backlog_cpu_seconds",
        "Estimated CPU seconds of ready steps, and of what is left of running ones",
        lambda pool: pool.ready_cpu_seconds + pool.running_cpu_seconds,
    ),
    ("rushes_planned_cpu_seconds", "Estimated CPU seconds of steps that wait", lambda pool: pool.planned_cpu_seconds),
    (
        "rushes_scale_cpu_seconds",
        "What to scale a pool by: as the backlog, but a paused pool begins nothing, and no running step counts for nothing",
        lambda pool: scale_cpu_seconds(
            pool.ready_cpu_seconds,
            pool.running_cpu_seconds,
            ready=pool.ready,
            running=pool.running,
            paused=pool.paused,
        ),
    ),
    (
        "rushes_backlog_seconds",
        "Until the workers there are have done that; without any, as if they had one core",
        lambda pool: pool.backlog_seconds,
    ),
    (
        "rushes_oldest_ready_step_age_seconds",
        "Longest that a step could have run and did not",
        lambda pool: pool.oldest_ready_seconds,
    ),
    ("rushes_pool_workers", "Workers that take steps of the pool", lambda pool: float(pool.workers)),
    ("rushes_pool_cores", "Their cores; a worker of several pools counts in each", lambda pool: pool.cores),
    ("rushes_pool_paused", "1 where an operator has paused it", lambda pool: float(pool.paused)),
)


def _of_fleet(fleet: Fleet) -> Iterator[Metric]:
    for name, text, number in _OF_POOLS:
        yield _gauge(name, text, [([pool.pool], number(pool)) for pool in fleet.pools], "pool")
    workers = fleet.workers
    busy = sum(len(worker.steps) for worker in workers)
    total = sum(worker.slots for worker in workers)
    slots = [(["busy"], float(busy)), (["free"], float(max(0, total - busy)))]
    yield _gauge("rushes_worker_slots", "Slots of the workers that are alive", slots, "state")
    yield _gauge("rushes_workers", "Workers that are alive", len(workers))
    states = Tally(worker.state for worker in workers)
    yield _gauge("rushes_worker_draining", "Workers that take nothing more and leave", states["draining"])
    yield _gauge("rushes_worker_cordoned", "Workers that take nothing more and stay", states["cordoned"])
    skew = max((abs(worker.skew) for worker in workers), default=None)
    yield _gauge("rushes_clock_skew_seconds", "Most that a worker's clock differs from the database's", skew)
    speed = min((worker.speed for worker in workers if worker.speed > 0), default=None)
    yield _gauge("rushes_worker_slowest_speed", "Estimated by real CPU seconds, of the slowest worker", speed)
    modes = Tally(worker.sandbox or "none" for worker in workers)
    text = "Workers that are alive, by how they shut in the tools that open uploads"
    rows = [([mode], float(number)) for mode, number in sorted(modes.items())]
    yield _gauge("rushes_worker_sandbox", text, rows, "mode")
