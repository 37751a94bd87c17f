"""One-time upload addresses and what uploads reserve, on each database: exact, also where many come at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from rushes.catalog import sampling, tickets
from rushes.catalog.bookings import Decide
from rushes.catalog.records import Ticket, Upload, UploadLimits
from rushes.errors import NotFound, Refused, RushesError
from rushes.facts import SourceRef
from rushes.ingest import reservations
from rushes.ingest.reservations import Premises, decide
from rushes.keys import new_id
from rushes.model import Asset
from rushes.quotas import Quota
from rushes.states import AssetState, Pool
from tests.contract.parallel import together
from tests.contract.shop import Shop

DAY = 86_400.0


def ticket(shop: Shop, tenant: str = "acme", **fields: Any) -> Ticket:
    now = shop.clock.now()
    return Ticket(
        id=new_id(now), tenant=tenant, secret="a" * 64, created_at=now, expires_at=now + 3600, **fields
    )  # fmt: skip


def create(shop: Shop, ticket: Ticket, key: str | None = None, request: str = "r") -> Ticket:
    return shop.catalog.create_ticket(ticket, retry_key=key, request=request)


def begin(
    shop: Shop, tenant: str = "acme", *, quota: Quota | None = None, decide_by: Decide | None = None, **fields: Any
) -> Upload:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant=tenant, created_at=now)
    values = {"length": 10, "created_at": now, "expires_at": now + 60, **fields}
    is_part = values.get("kind") == "part"
    upload = Upload(id=new_id(now), asset=None if is_part else asset.id, tenant=tenant, **values)
    premises = Premises(quota or Quota(), None, shop.catalog.load(), 10**9, step=500)
    rule = partial(decide, upload, premises=premises) if decide_by is None else decide_by
    if is_part:
        shop.catalog.create_part(upload, rule)
    else:
        shop.catalog.create_upload(upload, asset, rule)
    return upload


def finish(shop: Shop, upload: Upload) -> None:
    shop.catalog.finish_upload(upload.id, SourceRef(key=f"sources/{upload.id}", size=upload.length or 0))


def test_a_ticket_comes_back_as_it_was_made(shop: Shop) -> None:
    limits = UploadLimits(max_bytes=9, max_duration=1.5, types=("video/*",), origins=("https://a.test",))
    made = create(shop, ticket(shop, places=3, limits=limits, title="T", metadata={"ü": "\n"}, profile="p", policy="q"))
    assert shop.catalog.ticket(made.id) == made
    with pytest.raises(NotFound):
        shop.catalog.ticket("0" * 26)


def test_the_same_request_again_gives_the_first_ticket(shop: Shop) -> None:
    first = create(shop, ticket(shop), key="one")
    assert create(shop, ticket(shop), key="one") == first
    assert create(shop, ticket(shop, tenant="others"), key="one").id != first.id
    assert create(shop, ticket(shop), key="two").id != first.id
    assert create(shop, ticket(shop)).id != create(shop, ticket(shop)).id
    with pytest.raises(Refused) as refused:
        create(shop, ticket(shop), key="one", request="something else")
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


def test_pages_are_of_one_tenant_and_the_newest_come_first(shop: Shop) -> None:
    made = []
    for _ in range(5):
        made.append(create(shop, ticket(shop)).id)
        create(shop, ticket(shop, tenant="others"))
        shop.clock.advance(1)
    first, cursor = shop.catalog.tickets(tenant="acme", limit=3)
    rest, end = shop.catalog.tickets(tenant="acme", after=cursor, limit=3)
    assert ([found.id for found in first + rest], end) == (made[::-1], None)


def test_what_became_of_its_uploads(shop: Shop) -> None:
    made = create(shop, ticket(shop, places=9))
    done, broken, given_up, under_way = (begin(shop, ticket=made.id) for _ in range(4))
    begin(shop, ticket=made.id, kind="part")
    begin(shop)
    finish(shop, done)
    finish(shop, broken)
    assert broken.asset is not None
    shop.catalog.cancel(broken.asset)
    shop.catalog.terminate_upload(given_up.id)
    found = {upload.id: upload for upload in shop.catalog.ticket_uploads(made.id)}
    assert [(found[one.id].state, found[one.id].asset_state) for one in (done, broken, given_up, under_way)] == [
        ("finished", AssetState.INGESTED),
        ("finished", AssetState.FAILED),
        ("terminated", AssetState.DELETED),
        ("open", AssetState.UPLOADING),
    ]
    assert [upload.reason.code for upload in found.values() if upload.reason] == ["cancelled"]
    assert len(found) == 4


def test_places_are_taken_by_what_is_not_given_up(shop: Shop) -> None:
    made = create(shop, ticket(shop, places=2))
    first, second = begin(shop, ticket=made.id), begin(shop, ticket=made.id)
    with pytest.raises(RushesError, match="ticket_used"):
        begin(shop, ticket=made.id)
    finish(shop, first)
    with pytest.raises(RushesError, match="ticket_used"):
        begin(shop, ticket=made.id)
    shop.catalog.terminate_upload(second.id)
    begin(shop, ticket=made.id)


def test_what_is_given_up_counts_as_an_attempt(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "ATTEMPTS", 3)
    monkeypatch.setattr(reservations, "PARTS", 2)
    made = create(shop, ticket(shop))
    for _ in range(3):
        shop.catalog.terminate_upload(begin(shop, ticket=made.id).id)
    for _ in range(6):
        shop.catalog.terminate_upload(begin(shop, ticket=made.id, kind="part").id)
    for kind in ("whole", "part"):
        with pytest.raises(RushesError, match="ticket_attempts"):
            begin(shop, ticket=made.id, kind=kind)
    begin(shop, ticket=create(shop, ticket(shop)).id)


def test_bytes_are_reserved_also_where_nothing_is_asked(shop: Shop) -> None:
    known, unknown = begin(shop, decide_by=10), begin(shop, length=None, decide_by=700)
    part = begin(shop, kind="part", length=None, decide_by=30)
    assert shop.catalog.reservations() == {known.id: 10, unknown.id: 700, part.id: 30}


def test_a_refused_upload_leaves_nothing_behind(shop: Shop) -> None:
    made = create(shop, ticket(shop, places=1))
    begin(shop, ticket=made.id)
    events = shop.catalog.last_event()
    with pytest.raises(RushesError, match="ticket_used"):
        begin(shop, ticket=made.id)
    assert len(shop.catalog.kept_uploads()) == 1
    assert shop.catalog.last_event() == events


def test_a_ticket_ends_with_its_time_and_when_it_is_cancelled(shop: Shop) -> None:
    late, revoked = create(shop, ticket(shop)), create(shop, ticket(shop, places=2))
    part, whole = begin(shop, ticket=revoked.id, kind="part"), begin(shop, ticket=revoked.id)
    done = begin(shop, ticket=revoked.id)
    finish(shop, done)
    assert shop.catalog.cancel_ticket(revoked.id) == sorted([part.id, whole.id])
    first = shop.catalog.ticket(revoked.id).cancelled_at
    shop.clock.advance(10)
    shop.catalog.cancel_ticket(revoked.id)
    assert shop.catalog.ticket(revoked.id).cancelled_at == first
    with pytest.raises(RushesError, match="ticket_cancelled"):
        begin(shop, ticket=revoked.id)
    begin(shop, ticket=late.id)
    shop.clock.advance(3600)
    with pytest.raises(RushesError, match="ticket_expired"):
        begin(shop, ticket=late.id)


def test_the_upload_of_a_request_that_was_sent_again(shop: Shop) -> None:
    made, other = create(shop, ticket(shop, places=9)), create(shop, ticket(shop, places=9))
    first = begin(shop, ticket=made.id, raw_metadata="filename YQ==")
    begin(shop, ticket=other.id, raw_metadata="filename YQ==")
    like = shop.catalog.upload_like
    assert like(first.model_copy(update={"id": new_id(shop.clock.now())})) == first
    for change in ({"length": 11}, {"length": None}, {"raw_metadata": ""}, {"kind": "part"}, {"ticket": "none"}):
        assert like(first.model_copy(update=change)) is None
    # Also when it is complete, unless it came to nothing
    finish(shop, first)
    assert like(first) == first.model_copy(update={"state": "finished"})
    assert first.asset is not None
    shop.catalog.cancel(first.asset)
    assert like(first) is None
    given_up = begin(shop, ticket=made.id, raw_metadata="b")
    shop.catalog.terminate_upload(given_up.id)
    assert like(given_up) is None


def test_what_is_booked_is_what_lies_here_or_will(shop: Shop) -> None:
    def booked(tenant: str = "acme") -> tuple[int, int, int, int]:
        found = shop.catalog.booked(tenant)
        return found.bytes, found.tenant_uploads, found.tenant_bytes, found.day_bytes

    assert booked() == (0, 0, 0, 0)
    first = begin(shop, length=100)
    deferred = begin(shop, length=None)
    begin(shop, "others", length=7)
    part = begin(shop, kind="part", length=30)
    assert booked() == (637, 3, 630, 630)
    joined = begin(shop, kind="joined", parts=(part.id,), length=30)
    assert booked() == (637, 4, 630, 630)
    assert booked("others") == (637, 1, 7, 7)
    # One of unknown length counts for what it is said to; a length that becomes known is what counts
    shop.catalog.reserve(deferred.id, 510)
    shop.catalog.reserve(first.id, 999)
    assert booked() == (647, 4, 640, 640)
    shop.catalog.declare_length(deferred.id, 40)
    assert booked() == (177, 4, 170, 170)
    # What is finished lies elsewhere, but it was brought today; a part lies here until it is gone
    finish(shop, first)
    finish(shop, joined)
    shop.catalog.finish_part(part.id, shop.clock.now() + 60)
    assert booked() == (77, 1, 70, 170)
    shop.catalog.terminate_upload(part.id)
    shop.catalog.terminate_upload(deferred.id)
    assert booked() == (7, 0, 0, 130)
    assert shop.catalog.booked("acme").day_ends == first.created_at + DAY
    shop.clock.advance(DAY)
    assert booked() == (7, 0, 0, 0)
    assert shop.catalog.booked("acme").day_ends is None


def test_parts_that_something_was_joined_from_are_taken(shop: Shop) -> None:
    first, second, third = (begin(shop, kind="part") for _ in range(3))
    taken = lambda *parts: shop.catalog.booked("acme", parts=[part.id for part in parts]).parts_taken  # noqa: E731 - short
    assert not taken(first, second)
    joined = begin(shop, kind="joined", parts=(first.id, second.id), length=None)
    assert (taken(first), taken(third, second), taken(third), taken()) == (True, True, False, False)
    shop.catalog.terminate_upload(joined.id)
    assert not taken(first, second)


def test_reservations_by_upload(shop: Shop) -> None:
    whole, deferred, gone = begin(shop), begin(shop, length=None), begin(shop)
    shop.catalog.terminate_upload(gone.id)
    assert shop.catalog.reservations() == {whole.id: 10, deferred.id: 500}


def test_the_load_is_what_is_left_of_all_planned_steps(shop: Shop) -> None:
    assert shop.catalog.load().work == {}
    shop.upload()
    assert shop.catalog.load().work == {}  # nobody has counted since
    shop.clock.advance(sampling.EVERY)
    before = shop.catalog.load()
    assert before.work[Pool.IO] > 0
    assert (before.slots, before.all_slots) == ({}, 0)
    claim = shop.claim()
    shop.pipeline.renew(claim.job, 0.5)
    shop.clock.advance(sampling.EVERY)
    assert 0 < shop.catalog.load().work[Pool.IO] < before.work[Pool.IO]


@pytest.mark.parametrize(
    ("quota", "places"),
    [(Quota(open_uploads=10), 50), (Quota(bytes_open=109), 50), (Quota(bytes_per_day=100), 50), (Quota(), 10)],
)
def test_of_fifty_at_once_exactly_those_that_may_are_let_in(shop: Shop, quota: Quota, places: int) -> None:
    made = create(shop, ticket(shop, places=places))

    def attempt(_: int) -> str:
        try:
            return begin(shop, quota=quota, ticket=made.id).id
        except RushesError as error:
            return error.code

    outcomes = together(50, attempt)
    let_in = {outcome for outcome in outcomes if len(outcome) == 26}
    assert len(let_in) == 10
    assert {upload.id for upload in shop.catalog.kept_uploads()} == let_in


def test_whoever_is_let_in_while_a_ticket_is_cancelled_is_found_by_the_cancelling(shop: Shop) -> None:
    made = create(shop, ticket(shop, places=1000))

    def attempt(number: int) -> list[str]:
        if number == 7:
            return shop.catalog.cancel_ticket(made.id)
        try:
            return [begin(shop, ticket=made.id).id]
        except RushesError:
            return []

    outcomes = together(16, attempt)
    let_in = [upload for number, found in enumerate(outcomes) if number != 7 for upload in found]
    assert sorted(outcomes[7]) == sorted(let_in)


def test_the_same_idempotency_key_from_many_at_once_makes_one_ticket(shop: Shop) -> None:
    assert len({found.id for found in together(16, lambda _: create(shop, ticket(shop), key="same"))}) == 1


def test_old_tickets_that_led_to_nothing_are_forgotten(shop: Shop) -> None:
    nothing, something = create(shop, ticket(shop)), create(shop, ticket(shop))
    begin(shop, ticket=something.id)
    shop.clock.advance(3600 + tickets.KEPT + 1)
    with shop.database.write() as tx:
        tickets.forget(tx, shop.clock.now())
    assert shop.catalog.ticket(something.id) == something
    with pytest.raises(NotFound):
        shop.catalog.ticket(nothing.id)


def test_a_narrower_limit_of_duration_is_kept_with_the_asset(shop: Shop) -> None:
    def limit(limits: UploadLimits) -> float:
        upload = begin(shop, limits=limits)
        finish(shop, upload)
        for _ in range(2):
            claim = shop.claim()
            if claim.job.asset == upload.asset and claim.job.key == "probe":
                return claim.job.profile.limits.duration
        raise AssertionError("no probe")

    assert limit(UploadLimits(max_duration=12.5)) == 12.5
    assert limit(UploadLimits(max_duration=1e9)) == limit(UploadLimits()) == 4 * 3600.0
