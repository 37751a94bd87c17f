"""Alerts and dashboard ask for metrics that there are, and Prometheus' own tool finds nothing wrong with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from rushes.api.metrics import HttpMetrics, _of_counts, _of_fleet
from rushes.api.player_metrics import PlayerMetrics
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Counts, Fleet, PoolView, WorkerView
from rushes.ingest.tally import Tally
from rushes.workers import doorbell
from rushes.workers.telemetry import Telemetry

DOCKER = Path(__file__).parents[2] / "docker"
RULES, DASHBOARD = DOCKER / "prometheus" / "rules.yml", DOCKER / "grafana" / "rushes.json"
PROMISED = re.findall(
    r"\w+",
    """
    rushes_steps rushes_backlog_cpu_seconds rushes_oldest_ready_step_age_seconds rushes_step_queue_wait_seconds_bucket
    rushes_step_duration_seconds_bucket rushes_step_attempts_total rushes_lease_expirations_total rushes_fenced_writes_total
    rushes_reconciler_repairs_total rushes_poison_quarantined_total rushes_worker_slots rushes_worker_draining
    rushes_encode_speed_ratio_bucket rushes_subprocess_kills_total rushes_scratch_free_bytes
    rushes_time_to_playable_seconds_bucket rushes_time_to_ready_seconds_bucket rushes_outbox_lag_seconds
    rushes_webhook_deliveries_total rushes_storage_request_seconds_bucket rushes_tenant_cpu_seconds_total
    rushes_uploads_active rushes_upload_bytes_total rushes_upload_rejected_total rushes_backlog_seconds
""",
)


class _OfNobody(Catalog):
    """Numbers of a fleet that is not there."""

    def __init__(self) -> None:
        """Without a store."""

    def counts(self) -> Counts:
        return Counts(steps=(), assets={}, uploads_open=0, outbox_lag_seconds=0, reconciled_seconds=1.0)

    def fleet(self) -> Fleet:
        pool = PoolView(pool="video", ready=0, running=0, waiting=0, backlog_seconds=0, oldest_ready_seconds=0)
        worker = WorkerView(id="w", pools=("video",), slots=1, started_at=0, seen_at=0, speed=1.0)
        return Fleet(pools=(pool,), workers=(worker,))


def names(collector: Collector | CollectorRegistry) -> Iterator[str]:
    """Of all series that it may ever show."""
    for family in collector.collect():
        for end in {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",)):
            yield family.name + end


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    http = HttpMetrics(_OfNobody())
    PlayerMetrics(http.registry)
    telemetry = Telemetry()
    telemetry.watch_disk(tmp_path_factory.mktemp("scratch"))
    doorbells = re.findall(r'gauge\("(rushes_\w+)"', Path(doorbell.__file__).read_text())  # with Redis only
    return {name for collector in (http.registry, Tally(), telemetry) for name in names(collector)} | set(doorbells)


def used(text: str) -> set[str]:
    return set(re.findall(r"\brushes_\w+", text))


def expressions() -> list[str]:
    board = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_every_metric_that_was_promised_is_there(there: set[str]) -> None:
    assert set(PROMISED) - there == set()


def test_alerts_ask_for_what_is_there(there: set[str]) -> None:
    assert len(used(RULES.read_text())) > 20
    assert used(RULES.read_text()) - there == set()


def test_the_dashboard_asks_for_what_is_there(there: set[str]) -> None:
    assert len(expressions()) > 30
    assert {name for expression in expressions() for name in used(expression)} - there == set()
    recorded = set(re.findall(r"\brushes:[\w:]+", " ".join(expressions())))
    assert recorded <= set(re.findall(r"rushes:[\w:]+", RULES.read_text()))


def test_the_dashboard_is_whole() -> None:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")


def promtool(*arguments: str | Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus); the compose test has it in its container")
    ran = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_alerts_fire_when_they_must_and_not_else() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", RULES.with_name("rules_test.yml"))


def test_prometheus_understands_each_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_a_name_that_is_not_there_would_be_found(there: set[str]) -> None:
    assert used("sum(rushes_step_atempts_total)") - there == {"rushes_step_atempts_total"}
    assert next(_of_counts(_OfNobody().counts())).name == "rushes_steps"
    assert next(_of_fleet(_OfNobody().fleet())).name == "rushes_backlog_cpu_seconds"
