"""What a process counts of its work, and how it is shown."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.sqlite import SqliteDatabase
from rushes.catalog.telling import (
    Claimed,
    Ended,
    Fenced,
    Folded,
    Happening,
    Over,
    Preempted,
    Quarantined,
    Reached,
    Repaired,
    Trouble,
    Unreadable,
)
from rushes.catalog.watched import Watched
from rushes.chaos.member import free_port
from rushes.clock import ManualClock
from rushes.errors import RushesError
from rushes.storage.memory import MemoryStore
from rushes.storage.store import Fetched, ObjectMissing
from rushes.storage.timed import Timings, timed
from rushes.workers.exposition import shown
from rushes.workers.telemetry import OTHER, TENANTS, Telemetry


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_attempts_by_how_and_why_they_ended() -> None:
    found = Telemetry()
    for told in (
        Ended("encode", "done", tenant="ann", seconds=4.0, cpu_seconds=8.0),
        Ended("encode", "failed", "stalled", "ann", 60.0, 2.0),
        Ended("encode", "failed", "a code of the future", "bea", 1.0, 1.0),
        Ended("a kind of the future", "done"),
    ):
        found(told)
    assert value(found, "rushes_step_attempts_total", kind="encode", outcome="done", reason="") == 1
    assert value(found, "rushes_step_attempts_total", kind="encode", outcome="failed", reason="stalled") == 1
    assert value(found, "rushes_step_attempts_total", kind="encode", outcome="failed", reason=OTHER) == 1
    assert value(found, "rushes_step_attempts_total", kind=OTHER, outcome="done", reason="") == 1
    assert value(found, "rushes_step_duration_seconds_sum", kind="encode") == 4.0  # of what was done
    assert value(found, "rushes_tenant_cpu_seconds_total", tenant="ann") == 10.0  # and of what was for nothing


def test_labels_are_bounded_whoever_comes() -> None:
    found = Telemetry()
    for number in range(TENANTS + 5):
        found(Ended("probe", "done", tenant=f"t{number}", cpu_seconds=1.0))
    found(Ended("probe", "done", tenant="t0", cpu_seconds=1.0))
    assert value(found, "rushes_tenant_cpu_seconds_total", tenant=OTHER) == 5
    assert value(found, "rushes_tenant_cpu_seconds_total", tenant="t0") == 2


def test_where_any_key_may_read_them_no_tenant_is_named() -> None:
    found = Telemetry(tenants=0)
    found(Ended("encode", "lost", tenant="ann", cpu_seconds=2.0))
    assert value(found, "rushes_tenant_cpu_seconds_total", tenant="ann") is None
    assert value(found, "rushes_tenant_cpu_seconds_total", tenant=OTHER) == 2.0


def test_each_happening_has_its_number() -> None:
    found = Telemetry()
    for told in (
        Claimed("video", 3, 0.2), Fenced(), Repaired("lease_expired", 3), Repaired("queue_drift"), Quarantined(),
        Preempted("video"), Unreadable("dream", 9), Reached("playable", 0.2), Reached("ready", 9.0), Trouble("database_full"),
        Over("a"), Folded(20, 3),
    ):  # fmt: skip
        found(told)
    assert value(found, "rushes_step_queue_wait_seconds_count", **{"pool": "video", "class": "fast"}) == 1
    assert value(found, "rushes_fenced_writes_total") == 1
    assert value(found, "rushes_lease_expirations_total") == 3
    assert value(found, "rushes_reconciler_repairs_total", kind="queue_drift") == 1
    assert value(found, "rushes_poison_quarantined_total") == 1
    assert value(found, "rushes_preemptions_total", pool="video") == 1
    assert value(found, "rushes_unreadable_steps_total", kind=OTHER, version="9") == 1
    assert value(found, "rushes_time_to_playable_seconds_sum") == 0.2
    assert value(found, "rushes_time_to_ready_seconds_sum") == 9.0
    assert value(found, "rushes_database_errors_total", code="database_full") == 1
    assert value(found, "rushes_history_folded_total", what="attempts") == 20
    assert value(found, "rushes_history_folded_total", what="bundles") == 0


def test_what_a_worker_sees_itself(tmp_path: Path) -> None:
    found = Telemetry()
    found.encoded(20.0, 10.0)
    found.encoded(0.0, 10.0)  # nothing was made: no speed
    found.killed("stalled")
    found.delivered("delivered", 2)
    found.dropped("doorbell_malformed")
    found.watch_disk(tmp_path)
    found.gauge("rushes_doorbell_up", "x", lambda: 1.0)
    assert value(found, "rushes_encode_speed_ratio_sum") == 2.0
    assert value(found, "rushes_encode_speed_ratio_count") == 1
    assert value(found, "rushes_subprocess_kills_total", reason="stalled") == 1
    assert value(found, "rushes_webhook_deliveries_total", outcome="delivered") == 2
    assert value(found, "rushes_doorbell_dropped_total", reason="doorbell_malformed") == 1
    assert 0 < (value(found, "rushes_scratch_free_bytes") or 0) <= (value(found, "rushes_scratch_size_bytes") or 0)


def test_a_disk_that_is_gone_does_not_take_the_other_numbers_with_it(tmp_path: Path) -> None:
    found = Telemetry()
    found.watch_disk(tmp_path / "gone")
    found(Fenced())
    assert str(value(found, "rushes_scratch_free_bytes")) == "nan"
    assert value(found, "rushes_fenced_writes_total") == 1


def test_the_database_that_refuses_is_counted_by_its_code(tmp_path: Path) -> None:
    told: list[Happening] = []
    database = Watched(SqliteDatabase(tmp_path / "x.db"), told.append)
    database.migrate()
    with database.write() as tx:
        assert tx.one("SELECT 1 AS one") is not None
    with pytest.raises(DatabaseUnavailable), database.read():
        raise DatabaseUnavailable("away")
    with pytest.raises(ValueError, match="mine"), database.write():
        raise ValueError("mine")
    assert [type(one) for one in told] == [Trouble]
    database.close()


class _Slow(MemoryStore):
    """Each read takes a quarter of a second."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._ticking = clock

    def read(self, key: str) -> bytes:
        self._ticking.advance(0.25)
        return super().read(key)


def test_a_store_is_measured_and_stays_what_it_is() -> None:
    clock, found = ManualClock(), Telemetry()
    store = timed(_Slow(clock), found.storage, clock)
    assert isinstance(store, _Slow)
    store.put_bytes("a/b", b"12345")
    assert store.read("a/b") == b"12345"
    with pytest.raises(ObjectMissing):
        store.read("a/c")
    store.fetch("a/b", 1, 3).stream.close()
    assert (found.storage.bytes_read, found.storage.bytes_written) == (5 + 2, 5)
    name = "rushes_storage_request_seconds"
    assert value(found, f"{name}_count", op="get", code="ok") == 2
    assert value(found, f"{name}_count", op="get", code="missing") == 1
    assert value(found, f"{name}_sum", op="get", code="ok") == 0.25
    assert value(found, f"{name}_bucket", op="get", code="ok", le="0.1") == 1
    assert value(found, f"{name}_bucket", op="get", code="ok", le="0.25") == 2
    assert value(found, f"{name}_bucket", op="get", code="ok", le="+Inf") == 2


class _Remote(MemoryStore):
    """Its methods ask each other, as those of a bucket do."""

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        self.head(key)
        return super().fetch(key, start, stop)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def localize(self, key: str, scratch: Path) -> Path:
        with self.fetch(key).stream as stream:
            (scratch / "copy").write_bytes(stream.read())
        return scratch / "copy"


def test_a_request_that_asks_for_others_counts_once(tmp_path: Path) -> None:
    found = Telemetry()
    store = timed(_Remote(), found.storage)
    store.put_file("a/b", _file(tmp_path, b"12345"))
    store.read("a/b")
    store.localize("a/b", tmp_path)
    with pytest.raises(ObjectMissing):
        store.localize("a/c", tmp_path)
    assert (found.storage.bytes_read, found.storage.bytes_written) == (5 + 5, 5)
    counts = {name: sum(row[1:]) for name, row in found.storage.counts().items()}
    assert counts == {"put ok": 1, "get ok": 2, "get missing": 1}


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def test_what_a_child_has_measured_is_added() -> None:
    child, found = Timings(), Telemetry()
    for _ in range(2):
        child.observe("put", "ok", 0.02)
    child.moved(10, 20)
    counts, read, written = child.taken()
    assert (read, written) == (10, 20)
    found.storage.add(counts)
    found.storage.observe("put", "ok", 0.02)
    assert value(found, "rushes_storage_request_seconds_count", op="put", code="ok") == 3
    assert child.taken() == ({}, 0, 0)  # the next step's are its own


def test_numbers_are_shown_over_http_until_the_end() -> None:
    found = Telemetry()
    found(Fenced())
    with shown(found, "127.0.0.1", 0) as nowhere:
        assert nowhere == 0
    port = free_port()
    with shown(found, "127.0.0.1", port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert "rushes_fenced_writes_total 1.0" in answer.read().decode()
        with pytest.raises(RushesError, match="RUSHES_METRICS_PORT"), shown(found, "127.0.0.1", port):
            pass
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
