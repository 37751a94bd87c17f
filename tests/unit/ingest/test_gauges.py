from __future__ import annotations

from collections.abc import Mapping

from rushes.catalog.records import Load
from rushes.clock import ManualClock
from rushes.ingest.gauges import ENDLESS, LAPSE, Gauges
from rushes.ingest.memory import MemoryUploadStore
from rushes.quotas import Quota, Quotas
from rushes.settings import Settings


class Books:
    def __init__(self, **reserved: int) -> None:
        self.reserved, self.asked = reserved, 0

    def reservations(self) -> Mapping[str, int]:
        return self.reserved

    def load(self) -> Load:
        self.asked += 1
        return Load(work={"video": float(self.asked)})


def store(capacity: int, **stored: int) -> MemoryUploadStore:
    uploads = MemoryUploadStore(capacity=capacity)
    for name, size in stored.items():
        uploads.create(name, f"key/{name}", None)
        appender = uploads.append(name)
        appender.write([bytes(size)])
        appender.commit()
        appender.close()
    return uploads


def gauges(uploads: MemoryUploadStore, books: Books, clock: ManualClock | None = None, **settings: float) -> Gauges:
    values = {"min_free_bytes": 100, **settings}
    return Gauges(books, uploads, Settings(**values), Quotas(Quota(requests=3)), clock or ManualClock())  # type: ignore[arg-type] # settings by name


def test_room_is_what_is_free_and_what_uploads_hold_of_what_they_reserved() -> None:
    books = Books(a=500, b=20)
    assert gauges(store(1000), books).premises("t").room == 900
    assert gauges(store(1000, a=300), books).premises("t").room == 900  # moved from the one to the other
    assert gauges(store(1000, a=300, b=50), books).premises("t").room == 870  # beyond what was reserved
    assert gauges(store(1000, orphan=300), books).premises("t").room == 600


def test_what_a_silent_upload_reserved_is_for_others_after_a_while() -> None:
    clock = ManualClock(1_800_000_000.0)
    uploads = MemoryUploadStore(capacity=1000, now=clock.now)
    uploads.create("a", "key/a", 500)
    found = gauges(uploads, Books(a=500), clock)
    assert found.premises("t").room == 900  # of which 500 are taken
    clock.advance(LAPSE + 1)
    assert found.premises("t").room == 1400


def test_a_store_without_an_end_has_no_room_to_run_out_of() -> None:
    assert gauges(store(ENDLESS), Books()).premises("t").room is None


def test_the_load_is_asked_for_once_a_second_and_only_where_it_is_limited() -> None:
    books, clock = Books(), ManualClock()
    limited = gauges(store(1000), books, clock, max_backlog_seconds=60.0)
    assert [limited.premises("t").load.work["video"] for _ in range(3)] == [1.0] * 3
    clock.advance(1.0)
    assert limited.premises("t").load.work["video"] == 2.0
    assert gauges(store(1000), books).premises("t").load == Load()
    assert books.asked == 2


def test_the_rest_is_as_it_is_set() -> None:
    found = gauges(
        store(1000), Books(), max_backlog_seconds=5.0, cpu_seconds_per_gb=7.0, upload_reserve_bytes=9
    ).premises("t")
    assert (found.quota, found.max_backlog, found.cpu_seconds_per_gb, found.step) == (Quota(requests=3), 5.0, 7.0, 9)
