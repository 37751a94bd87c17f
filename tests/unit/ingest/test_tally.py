from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from rushes.ingest.tally import Tally


def lines(tally: Tally) -> set[str]:
    registry = CollectorRegistry()
    registry.register(tally)
    text = generate_latest(registry).decode()
    return {line for line in text.splitlines() if not line.startswith("#") and "_created{" not in line}


def test_what_was_done_is_counted() -> None:
    tally = Tally()
    for kind in ("whole", "part", "part"):
        tally.created(kind)
    tally.finished("joined")
    tally.ended("upload_expired")
    tally.received(5)
    tally.received(7)
    tally.discarded("checksum_mismatch")
    tally.orphans(3)
    assert {
        'rushes_uploads_created_total{kind="whole"} 1.0',
        'rushes_uploads_created_total{kind="part"} 2.0',
        'rushes_uploads_finished_total{kind="joined"} 1.0',
        'rushes_uploads_ended_total{reason="upload_expired"} 1.0',
        "rushes_upload_bytes_received_total 12.0",
        'rushes_upload_bodies_discarded_total{reason="checksum_mismatch"} 1.0',
        "rushes_upload_orphans_removed_total 3.0",
    } <= lines(tally)


def test_nothing_is_shared_between_two() -> None:
    one, other = Tally(), Tally()
    one.received(5)
    assert "rushes_upload_bytes_received_total 0.0" in lines(other)


def test_bytes_are_never_taken_away() -> None:
    tally = Tally()
    tally.received(-3)
    assert "rushes_upload_bytes_received_total 0.0" in lines(tally)
