from prometheus_client.parser import text_string_to_metric_families

from rushes.workers.metrics import WorkerMetrics


def samples(metrics: WorkerMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (item.name, tuple(sorted(item.labels.items()))): item.value for family in families for item in family.samples
    }


def test_what_is_told_is_counted() -> None:
    metrics = WorkerMetrics()
    metrics.attempt_ended("encode", "done", 12.0)
    metrics.attempt_ended("encode", "failed", 0.2, "stalled")
    metrics.step_claimed("encode", 0.4)
    metrics.lease_expired()
    metrics.write_fenced()
    metrics.repaired("orphan", 3)
    metrics.child_killed("memory")
    metrics.draining(True)
    metrics.watch_scratch(lambda: 123.0)
    metrics.webhooks_tried({"delivered": 2, "failed": 0, "abandoned": 1})
    found = samples(metrics)
    assert (
        found["rushes_worker_attempts_total", (("kind", "encode"), ("outcome", "failed"), ("reason", "stalled"))] == 1
    )
    assert found["rushes_step_duration_seconds_sum", (("kind", "encode"),)] == 12.2
    assert found["rushes_step_queue_wait_seconds_count", (("kind", "encode"),)] == 1
    assert found["rushes_lease_expirations_total", ()] == 1
    assert found["rushes_fenced_writes_total", ()] == 1
    assert found["rushes_reconciler_repairs_total", (("kind", "orphan"),)] == 3
    assert found["rushes_subprocess_kills_total", (("reason", "memory"),)] == 1
    assert found["rushes_worker_draining", ()] == 1
    assert found["rushes_scratch_free_bytes", ()] == 123
    assert found["rushes_webhook_deliveries_total", (("outcome", "delivered"),)] == 2


def test_two_workers_in_one_process_do_not_mix() -> None:
    one, two = WorkerMetrics(), WorkerMetrics()
    one.lease_expired()
    assert samples(two)["rushes_lease_expirations_total", ()] == 0
