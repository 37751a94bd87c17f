"""What a real worker counts, shows and charges of the steps that its real children do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rushes.catalog.spans import Span
from rushes.clock import rfc3339
from rushes.engine.classes import Class
from rushes.tracing import root_span, trace_id
from rushes.workers.spans import Spans, both
from tests.integration.workers.conftest import Works, until

CLASSES = [chosen.name.lower() for chosen in Class]


async def test_a_video_is_in_the_numbers_the_ledger_and_a_trace(works: Works, quick_clip: Path) -> None:
    sent: list[Span] = []
    telemetry, spans = works.telemetry, Spans(lambda some: sent.extend(some) or "")
    works.store = replace(works.store, tell=both(telemetry, spans))
    spans.start(works.catalog.spans)
    asset = works.ingest(quick_clip)
    async with works.working():
        await until(lambda: works.all_final(asset), 120)
    spans.close()
    noun = works.catalog.asset(asset)

    def value(name: str, **labels: str) -> float:
        return telemetry.registry.get_sample_value(name, labels) or 0.0

    # Numbers
    assert value("rushes_step_attempts_total", kind="encode", outcome="done", reason="") >= 1
    assert value("rushes_time_to_ready_seconds_count") == 1
    assert value("rushes_encode_speed_ratio_sum") > 0
    assert value("rushes_step_duration_seconds_count", kind="probe") == 1
    assert value("rushes_storage_request_seconds_count", op="put", code="ok") > 3  # by children
    waits = [value("rushes_step_queue_wait_seconds_count", **{"pool": "video", "class": name}) for name in CLASSES]
    assert sum(waits) >= 1
    # The ledger
    days = (rfc3339(noun.created_at)[:10], "9999-12-31")
    tenant = works.catalog.ledger("tenant", days).entries["default"]
    assert tenant.cpu_seconds > 0
    assert tenant.bytes_written > sum(track.bytes for track in noun.tracks) / 2
    assert noun.source is not None
    assert tenant.bytes_read >= noun.source.size
    assert tenant.bytes_stored == noun.source.size + sum(track.bytes for track in noun.tracks)
    charged = works.catalog.cost(asset)["cpu_seconds"]
    by_rendition = works.catalog.asset_ledger(asset, "rendition").entries
    assert abs(sum(entry.cpu_seconds for entry in by_rendition.values()) - charged) < 0.01
    assert {"", "source", *(track.name for track in noun.tracks)} <= set(by_rendition)
    # One trace, with every step of the asset and the whole above them
    assert {span.trace for span in sent} == {trace_id(asset)}
    steps = {span.name for span in sent if not span.name.startswith("wait ")}
    assert steps == {"asset", "upload", *(step.key for step in works.catalog.steps(asset))}
    assert [span.span for span in sent if span.parent is None] == [root_span(asset)]
    assert all(span.ended >= span.began for span in sent)
