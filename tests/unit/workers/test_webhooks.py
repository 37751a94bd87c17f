import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from rushes.catalog.records import Delivery, Event
from rushes.catalog.spans import Span
from rushes.clock import Clock, ManualClock, SystemClock
from rushes.settings import Settings, SettingsError
from rushes.tracing import caller_of, root_span
from rushes.workers.signature import secrets_of
from rushes.workers.spans import Spans
from rushes.workers.target import TargetRefused, check_url, choose
from rushes.workers.webhooks import GIVE_UP, Outcome, Webhooks, body_of, headers_of, next_attempt, outcome_of

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
NOW = 1_750_000_000.0


def event(at: float = NOW, type_: str = "asset.playable") -> Event:
    return Event(
        seq=7, id="evt_1", type=type_, asset="a1", tenant="default", at=at, data={"state": "playable", "title": "Größe"}
    )


def delivery(attempts: int = 0, at: float = NOW) -> Delivery:
    return Delivery(id="evt_1", event=event(at), attempts=attempts)


class FakeOutbox:
    def __init__(self, *due: Delivery, clock: Clock | None = None) -> None:
        self.due = {item.id: item for item in due}
        self.clock = clock or ManualClock(NOW)
        self.next_at: dict[str, float] = {}

    def take_deliveries(self, limit: int = 20) -> list[Delivery]:
        return [item for item in self.due.values() if self.next_at.get(item.id, 0) <= self.clock.now()][:limit]

    def delivery_done(self, delivery: Delivery) -> None:
        del self.due[delivery.id]

    def delivery_failed(self, delivery: Delivery, delay: float | None) -> None:
        item = self.due.pop(delivery.id)
        if delay is not None:
            self.due[delivery.id] = item.model_copy(update={"attempts": item.attempts + 1})
            self.next_at[delivery.id] = self.clock.now() + delay


class Receiver:
    """Answers what it is told to and keeps what it was sent."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.got: list[tuple[str, bytes, Mapping[str, str]]] = []

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        self.got.append((url, body, headers))
        return self.outcomes.pop(0)


DELIVERED = Outcome(True, True, "200")
FAILED = Outcome(False, False, "answered 503")
GONE = Outcome(False, True, "answered 410")


def settings(url: str = "https://hooks.example/rushes", secret: str = NEW) -> Settings:
    return Settings(webhook_url=url, webhook_secret=secret)


# -- signing ----------------------------------------------------------------------------------------------------------


def test_the_reference_library_accepts_our_signature() -> None:
    now, body = SystemClock().now(), body_of(event())
    headers = headers_of(secrets_of(NEW), "evt_1", now, body)
    assert Webhook(NEW).verify(body, dict(headers)) == json.loads(body)


def test_the_reference_library_refuses_what_was_changed() -> None:
    now, body = SystemClock().now(), body_of(event())
    headers = headers_of(secrets_of(NEW), "evt_1", now, body)
    for changed in ({"webhook-id": "evt_2"}, {"webhook-timestamp": str(int(now) + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(body, {**headers, **changed})
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body + b" ", dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, dict(headers))


def test_our_signature_is_the_reference_librarys() -> None:
    moment = datetime.fromtimestamp(NOW, UTC)
    ours = headers_of(secrets_of(NEW), "evt_1", NOW, b'{"a":1}')["webhook-signature"]
    assert ours == Webhook(NEW).sign("evt_1", moment, '{"a":1}')


def test_while_a_secret_is_replaced_both_verify() -> None:
    now, body = SystemClock().now(), body_of(event())
    headers = headers_of(secrets_of(f"{OLD}, {NEW}"), "evt_1", now, body)
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body, dict(headers))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", "whsec_!!!!", "whsec_" + base64.b64encode(b"x" * 23).decode()]
)
def test_weak_or_broken_secrets_are_refused(secret: str) -> None:
    with pytest.raises(SettingsError):
        secrets_of(secret)


def test_the_body_tells_type_time_and_data() -> None:
    assert json.loads(body_of(event())) == {
        "type": "asset.playable",
        "timestamp": "2025-06-15T15:06:40.000Z",
        "data": {"asset": "a1", "tenant": "default", "seq": 7, "state": "playable", "title": "Größe"},
    }


# -- retries ----------------------------------------------------------------------------------------------------------


def test_delays_grow_from_seconds_to_a_day() -> None:
    delays = [(next_attempt(delivery(n), NOW, 0, 0.5) or 0) - NOW for n in range(9)]
    assert delays == [5, 20, 80, 320, 1280, 5120, 20480, 81920, 86400]


def test_delays_are_spread() -> None:
    spread = {next_attempt(delivery(2), NOW, 0, chance) for chance in (0.0, 0.5, 1.0)}
    assert spread == {NOW + 64, NOW + 80, NOW + 96}


def test_it_goes_on_for_days_and_then_gives_up() -> None:
    now, attempts = NOW, 0
    while (at := next_attempt(delivery(attempts), now, 0, 0.5)) is not None:
        now, attempts = at, attempts + 1
    assert 4 * 86_400 < now - NOW <= GIVE_UP
    assert attempts == 11


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert next_attempt(delivery(), NOW, 600, 0.5) == NOW + 600
    assert next_attempt(delivery(), NOW, 9e8, 0.5) == NOW + 86_400


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Outcome(True, True, "200")),
        (204, {}, Outcome(True, True, "204")),
        (302, {"location": "http://169.254.169.254/"}, Outcome(False, False, "answered 302")),
        (410, {}, Outcome(False, True, "answered 410")),
        (429, {"retry-after": "30"}, Outcome(False, False, "answered 429", 30.0)),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, Outcome(False, False, "answered 503")),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], outcome: Outcome) -> None:
    assert outcome_of(status, headers) == outcome


async def test_an_id_stays_the_same_until_the_message_is_through() -> None:
    # Given a receiver that fails twice
    clock = ManualClock(NOW)
    outbox = FakeOutbox(delivery(), clock=clock)
    receiver = Receiver(FAILED, FAILED, DELIVERED)
    hooks = Webhooks(outbox, clock, settings(), receiver)
    # When time goes on
    assert await hooks.deliver_due() == {"delivered": 0, "failed": 1, "abandoned": 0}
    assert await hooks.deliver_due() == {"delivered": 0, "failed": 0, "abandoned": 0}  # not due yet
    clock.advance(7)
    await hooks.deliver_due()
    clock.advance(30)
    assert await hooks.deliver_due() == {"delivered": 1, "failed": 0, "abandoned": 0}
    # Then it came three times under one id, each time with a time and signature of its own
    assert {headers["webhook-id"] for _, _, headers in receiver.got} == {"evt_1"}
    assert len({headers["webhook-signature"] for _, _, headers in receiver.got}) == 3
    assert len({body for _, body, _ in receiver.got}) == 1
    assert outbox.due == {}


async def test_who_says_gone_is_left_alone() -> None:
    outbox = FakeOutbox(delivery())
    assert await Webhooks(outbox, ManualClock(NOW), settings(), Receiver(GONE)).deliver_due() == {
        "delivered": 0,
        "failed": 0,
        "abandoned": 1,
    }
    assert outbox.due == {}


async def test_what_cannot_be_delivered_for_days_is_given_up() -> None:
    outbox = FakeOutbox(delivery(attempts=11, at=NOW - GIVE_UP))
    assert (await Webhooks(outbox, ManualClock(NOW), settings(), Receiver(FAILED)).deliver_due())["abandoned"] == 1


def about(number: int, asset: str) -> Delivery:
    return Delivery(id=f"evt_{number}", event=event().model_copy(update={"asset": asset}), attempts=0)


def test_messages_about_one_asset_come_in_their_order() -> None:
    items = [about(number, f"a{number % 2}") for number in range(10)]
    receiver = Receiver(*[DELIVERED] * 10)
    Webhooks(FakeOutbox(*items), ManualClock(NOW), settings(), receiver).run_once()
    ids = [headers["webhook-id"] for _, _, headers in receiver.got]
    for parity in (0, 1):
        assert [name for name in ids if int(name[4:]) % 2 == parity] == [f"evt_{n}" for n in range(parity, 10, 2)]


async def test_what_cannot_be_sent_while_it_is_ours_is_left_to_the_next() -> None:
    # Given four messages about one asset, and a receiver that takes 9 s for each
    clock, sent = ManualClock(NOW), []

    async def send(url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        sent.append(headers["webhook-id"])
        clock.advance(9)
        return DELIVERED

    outbox = FakeOutbox(*[about(number, "a") for number in range(4)], clock=clock)
    # When they are sent
    await Webhooks(outbox, clock, settings(), send).deliver_due()
    # Then none is begun that could end after the 30 s for which they are ours
    assert sent == ["evt_0", "evt_1", "evt_2"]
    assert set(outbox.due) == {"evt_3"}


def test_one_slow_message_does_not_hold_up_those_of_other_assets() -> None:
    # Given five deliveries, the first of which is answered only after all others have been
    items = [about(number, f"a{number}") for number in range(5)]
    others: list[str] = []

    async def send(url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        if headers["webhook-id"] == "evt_0":
            async with asyncio.timeout(10):
                while len(others) < 4:
                    await asyncio.sleep(0)
        else:
            others.append(headers["webhook-id"])
        return DELIVERED

    assert Webhooks(FakeOutbox(*items), ManualClock(NOW), settings(), send).run_once()["delivered"] == 5


# -- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "http://hooks.example/",
        "https://user:pw@hooks.example/",
        "https:///path",
        "http://10.0.0.1/",
    ],
)
def test_addresses_that_are_refused_at_the_start(url: str) -> None:
    with pytest.raises(TargetRefused):
        check_url(url)
    with pytest.raises(SettingsError):
        Webhooks(FakeOutbox(), ManualClock(), settings(url))


@pytest.mark.parametrize(
    "url", ["https://hooks.example/a?b=c", "http://localhost:9000/", "http://127.0.0.1:9000/", "http://[::1]:9000/"]
)
def test_addresses_that_are_taken(url: str) -> None:
    assert check_url(url).host


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_names_that_resolve_to_the_inside_are_refused(address: str) -> None:
    with pytest.raises(TargetRefused):
        choose("hooks.example", [ip_address(address)])
    with pytest.raises(TargetRefused):
        choose("hooks.example", [ip_address("93.184.215.14"), ip_address(address)])


def test_public_addresses_and_a_loopback_that_was_asked_for_are_taken() -> None:
    for host, address in (
        ("hooks.example", "93.184.215.14"),
        ("hooks.example", "2606:2800:21f::1"),
        ("localhost", "127.0.0.1"),
        ("::1", "::1"),
    ):
        assert choose(host, [ip_address(address)]) == ip_address(address)


def test_localhost_that_leads_elsewhere_is_refused() -> None:
    with pytest.raises(TargetRefused):
        choose("localhost", [ip_address("10.0.0.1")])
    with pytest.raises(TargetRefused):
        choose("localhost", [])


def traced(*outcomes: Outcome, share: float = 1.0) -> tuple[Receiver, list[Span]]:
    """A receiver that answers that, and the spans of the deliveries to it."""
    clock, receiver, sent = ManualClock(NOW), Receiver(*outcomes), list[Span]()
    spans = Spans(lambda some: sent.extend(some) or "", share=share)
    spans.start(lambda _: [])
    hooks = Webhooks(FakeOutbox(delivery(at=NOW - 3), clock=clock), clock, settings(), receiver, spans)
    for _ in outcomes:
        hooks.run_once()
        clock.advance(20)
    spans.close()
    return receiver, sent


def test_a_delivery_carries_its_span_to_the_receiver_and_a_retry_is_linked() -> None:
    receiver, spans = traced(outcome_of(503, {}), outcome_of(204, {}))
    told = [caller_of(headers["traceparent"]) for _, _, headers in receiver.got]
    assert told == [(span.trace, span.span) for span in spans]
    first, second = spans
    assert (first.name, first.kind, first.parent) == ("webhook asset.playable", "client", root_span("a1"))
    assert (first.error, first.links, first.attributes["rushes.waited_seconds"]) == ("503", (), 3.0)
    assert (second.error, second.links) == (None, ((first.span, "retry"),))
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["http.response.status_code"] == 204
    assert not any("/hook" in str(value) for span in spans for value in span.attributes.values())


def test_a_receiver_that_gave_no_answer_is_named_by_the_error() -> None:
    _, (span,) = traced(Outcome(False, False, "ConnectError: https://user:secret@example is away"))
    assert span.error == span.attributes["error.type"] == "ConnectError"
    assert "http.response.status_code" not in span.attributes


def test_who_is_not_traced_gets_a_header_that_says_so_or_none() -> None:
    (_, _, headers), *_ = traced(outcome_of(204, {}), share=1e-9)[0].got
    assert headers["traceparent"].endswith("-00")
    (_, _, headers), *_ = traced(outcome_of(204, {}), share=0.0)[0].got
    assert "traceparent" not in headers
