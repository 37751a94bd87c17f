from __future__ import annotations

from typing import Any

import pytest

from rushes.catalog.records import Booked, Load, Ticket, Upload, UploadLimits
from rushes.errors import RushesError
from rushes.ingest.reservations import (
    ATTEMPTS,
    PARTS,
    OverQuota,
    Premises,
    backlog_seconds,
    check_declared,
    decide,
    reserve_of,
    rule_of,
)
from rushes.ingest.store import StoreFull
from rushes.quotas import Quota

NOW = 1_750_000_000.0


def upload(length: int | None = 10, **fields: Any) -> Upload:
    return Upload(id="u", asset="a", tenant="t", length=length, created_at=NOW, expires_at=NOW + 60, **fields)


def ticket(**fields: Any) -> Ticket:
    return Ticket(id="k", tenant="t", secret="s", created_at=NOW - 60, expires_at=NOW + 60, **fields)


def premises(quota: Quota | None = None, room: int | None = None, load: Load | None = None, **rest: float) -> Premises:
    return Premises(quota or Quota(), room, load or Load(), 2000, **rest)  # type: ignore[arg-type] # numbers by name


def refusal(*, of: Upload | None = None, at: Premises | None = None, **taken: Any) -> tuple[int, str]:
    with pytest.raises(RushesError) as refused:
        decide(of or upload(), Booked(at=NOW, **taken), at or premises())
    return refused.value.status, refused.value.code


def test_an_upload_reserves_its_length_or_else_what_has_arrived_and_a_step() -> None:
    at = premises(step=1000)
    booked = Booked(at=NOW)
    assert decide(upload(10), booked, at) == 10
    assert decide(upload(None), booked, at) == 1000
    assert decide(upload(None, limits=UploadLimits(max_bytes=77)), booked, at) == 77
    assert decide(upload(500, kind="joined", parts=("a", "b")), booked, at) == 0
    assert reserve_of(upload(None), 1000, arrived=5000) == 6000
    assert reserve_of(upload(None, limits=UploadLimits(max_bytes=5500)), 1000, arrived=5000) == 5500


def test_room_counts_what_others_have_reserved() -> None:
    assert decide(upload(10), Booked(at=NOW, bytes=90), premises(room=100)) == 10
    assert refusal(bytes=91, at=premises(room=100)) == (507, "insufficient_storage")
    # A joined upload is written once more beside its parts
    assert refusal(of=upload(10, kind="joined", parts=("a",)), bytes=91, at=premises(room=100))[0] == 507


def test_a_length_that_is_said_later_takes_nobody_elses_room() -> None:
    at, booked = premises(room=100, step=40), Booked(at=NOW, bytes=90)  # 50 of others, 40 of its own
    check_declared(upload(None), 40, 0, booked, at)
    check_declared(upload(None), 50, 0, booked, at)
    with pytest.raises(StoreFull):
        check_declared(upload(None), 51, 0, booked, at)
    check_declared(upload(None), 51, 0, booked, premises(room=None))
    check_declared(upload(None), 51, 20, booked, at)  # of which 20 are there already, and count
    check_declared(upload(None), 30, 0, Booked(at=NOW, bytes=500), at)  # what was promised is kept, come what may


def test_a_tenant_has_so_many_uploads_at_a_time() -> None:
    at = premises(Quota(open_uploads=3))
    assert decide(upload(), Booked(at=NOW, tenant_uploads=2), at) == 10
    assert refusal(at=at, tenant_uploads=3) == (429, "too_many_uploads")


def test_a_tenant_has_so_many_bytes_under_way() -> None:
    at = premises(Quota(bytes_open=100))
    assert decide(upload(), Booked(at=NOW, tenant_bytes=90), at) == 10
    assert refusal(at=at, tenant_bytes=91) == (429, "quota_bytes_open")


def test_a_days_bytes_come_back_when_the_oldest_is_a_day_old() -> None:
    at = premises(Quota(bytes_per_day=100))
    assert decide(upload(), Booked(at=NOW, day_bytes=90, day_ends=NOW + 5), at) == 10
    with pytest.raises(OverQuota) as refused:
        decide(upload(), Booked(at=NOW, day_bytes=91, day_ends=NOW + 123.5), at)
    assert (refused.value.code, refused.value.retry_after) == ("quota_bytes_per_day", 123.5)


@pytest.mark.parametrize("quota", [Quota(bytes_open=9), Quota(bytes_per_day=9)])
def test_what_could_never_fit_is_not_told_to_come_back(quota: Quota) -> None:
    assert refusal(at=premises(quota)) == (413, "over_limit_bytes")


def test_the_backlog_is_the_slowest_pools_or_all_pools_together() -> None:
    assert backlog_seconds(Load(), 0, 900.0) == 0.0
    shared = Load(work={"video": 60.0, "io": 20.0}, slots={"video": 4, "io": 4}, all_slots=4)
    assert backlog_seconds(shared, 0, 900.0) == 20.0
    apart = Load(work={"video": 60.0, "io": 20.0}, slots={"video": 1, "io": 7}, all_slots=8)
    assert backlog_seconds(apart, 0, 900.0) == 60.0
    assert backlog_seconds(Load(work={"video": 60.0}), 0, 900.0) == 60.0  # nobody is there: as if one were


def test_uploads_under_way_count_in_the_backlog_by_their_bytes() -> None:
    busy = Load(slots={"video": 2}, all_slots=2)
    assert backlog_seconds(busy, 2_000_000_000, 900.0) == pytest.approx(900.0)


def test_over_its_backlog_the_server_takes_nothing_and_says_for_how_long() -> None:
    busy = Load(work={"video": 500.0}, slots={"video": 1}, all_slots=1)
    assert decide(upload(), Booked(at=NOW), premises(load=busy, max_backlog=500.0)) == 10
    with pytest.raises(RushesError) as refused:
        decide(upload(), Booked(at=NOW), premises(load=busy, max_backlog=400.0))
    assert (refused.value.status, refused.value.code) == (503, "backlog_too_long")
    assert refused.value.retry_after == 100.0
    # What is reserved decides as well
    at = premises(load=busy, max_backlog=600.0, cpu_seconds_per_gb=900.0)
    assert refusal(at=at, bytes=200_000_000) == (503, "backlog_too_long")


def test_a_ticket_makes_so_many_uploads_until_it_ends() -> None:
    assert decide(upload(), Booked(at=NOW, ticket=ticket(places=2), ticket_uploads=1), premises()) == 10
    assert refusal(ticket=ticket(places=2), ticket_uploads=2) == (403, "ticket_used")
    assert refusal(ticket=ticket(cancelled_at=NOW)) == (403, "ticket_cancelled")
    ended = ticket().model_copy(update={"expires_at": NOW})
    assert refusal(ticket=ended) == (403, "ticket_expired")


def test_an_upload_whose_parts_were_let_in_is_let_in_too() -> None:
    joined = upload(500, kind="joined", parts=("a", "b"))
    busy = Load(work={"video": 500.0}, slots={"video": 1}, all_slots=1)
    strict = premises(Quota(open_uploads=1, bytes_open=9, bytes_per_day=9), load=busy, max_backlog=1.0)
    ended = ticket().model_copy(update={"expires_at": NOW})
    taken = Booked(at=NOW, tenant_uploads=1, tenant_bytes=500, day_bytes=500, ticket=ended)
    assert decide(joined, taken, strict) == 0
    # But once, and not as often as anybody likes
    assert refusal(of=joined, at=strict, parts_taken=True)[0] == 413
    twice = upload(500, kind="joined", parts=("a", "a"))
    assert refusal(of=twice, at=premises(Quota(bytes_per_day=600)), day_bytes=101) == (429, "quota_bytes_per_day")
    assert refusal(of=joined, ticket=ended, ticket_uploads=1) == (403, "ticket_used")
    assert refusal(of=joined, ticket=ticket(cancelled_at=NOW)) == (403, "ticket_cancelled")


def test_parts_are_no_uploads_but_may_not_be_without_end() -> None:
    part = upload(10, kind="part").model_copy(update={"asset": None})
    limited = ticket(limits=UploadLimits(max_bytes=100))
    assert decide(part, Booked(at=NOW, ticket=limited, ticket_uploads=1, ticket_part_bytes=90), premises()) == 10
    assert refusal(of=part, ticket=limited, ticket_part_bytes=91) == (403, "ticket_used")
    assert refusal(of=part, ticket=ticket(), ticket_parts=PARTS) == (403, "ticket_used")
    assert refusal(of=part, ticket=ticket(), ticket_part_bytes=1991) == (403, "ticket_used")


def test_an_address_is_not_good_for_uploads_without_end_that_are_given_up() -> None:
    made = ticket(places=2)
    assert decide(upload(), Booked(at=NOW, ticket=made, ticket_begun=2 * ATTEMPTS - 1), premises()) == 10
    assert refusal(ticket=made, ticket_begun=2 * ATTEMPTS) == (403, "ticket_attempts")
    part = upload(10, kind="part").model_copy(update={"asset": None})
    most = 2 * ATTEMPTS * PARTS
    assert decide(part, Booked(at=NOW, ticket=made, ticket_parts_begun=most - 1), premises()) == 10
    assert refusal(of=part, ticket=made, ticket_parts_begun=most) == (403, "ticket_attempts")


def test_what_nothing_can_refuse_asks_for_nothing() -> None:
    free = premises(step=1000)
    assert rule_of(upload(10), free) == 10
    assert rule_of(upload(None), free) == 1000
    assert callable(rule_of(upload(), premises(room=10**9)))
    assert callable(rule_of(upload(), premises(Quota(open_uploads=1))))
    assert callable(rule_of(upload(), premises(max_backlog=1.0)))
    assert callable(rule_of(upload(ticket="k"), free))
    assert callable(rule_of(upload(kind="joined", parts=("a",)), free))
