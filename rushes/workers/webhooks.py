"""Webhooks: events of the outbox, signed and delivered at least once, in the manner of Standard Webhooks 1.0."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from rushes.catalog.outbox import LEASE
from rushes.catalog.records import Delivery, Event
from rushes.catalog.spans import Attributes, Span
from rushes.clock import Clock, rfc3339
from rushes.settings import Settings, SettingsError
from rushes.tracing import delivery_span, root_span, trace_id, traceparent
from rushes.workers.signature import secrets_of, sign
from rushes.workers.spans import Spans
from rushes.workers.target import Target, TargetRefused, check_url

logger = logging.getLogger("rushes.webhooks")

TIMEOUT = 5.0
"""Seconds for each of connecting, writing and reading; twice that for a delivery as a whole."""
FIRST_DELAY, GROWTH, LONGEST_DELAY = 5.0, 4.0, 86_400.0
GIVE_UP = 5 * 86_400.0
"""Seconds after the event: a receiver that is down over a long weekend loses nothing."""
AT_ONCE = 8
GONE = 410
"""The receiver's way to say that it never wants to hear of this again."""


class Outbox(Protocol):
    """The part of the catalog that is needed here."""

    def take_deliveries(self, limit: int = ...) -> list[Delivery]:
        """What is due, ours alone for LEASE seconds."""
        ...

    def delivery_done(self, delivery: Delivery) -> None: ...

    def delivery_failed(self, delivery: Delivery, delay: float | None) -> None:
        """To be tried again after so many seconds; None gives up."""
        ...


def body_of(event: Event) -> bytes:
    """The payload: `type`, `timestamp` of the event, `data` with the asset's id and state."""
    data = {"asset": event.asset, "tenant": event.tenant, "seq": event.seq, **event.data}
    payload = {"type": event.type, "timestamp": rfc3339(event.at), "data": data}
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def headers_of(secrets: tuple[bytes, ...], identity: str, now: float, body: bytes) -> dict[str, str]:
    """The id stays the same across retries; time and signature are those of the attempt."""
    timestamp = int(now)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, identity, timestamp, body) for secret in secrets),
        "content-type": "application/json",
        "user-agent": "rushes-webhooks/1",
    }


def next_attempt(delivery: Delivery, now: float, wait: float, chance: float) -> float | None:
    """When to try again: 5 s, 20 s, 80 s ... a day, 20 % either way by `chance` (0 to 1); None when it is too late.

    `wait` is what the receiver asked for by Retry-After.
    """
    delay = min(FIRST_DELAY * GROWTH ** min(delivery.attempts, 16), LONGEST_DELAY) * (0.8 + 0.4 * chance)
    at = now + max(delay, min(wait, LONGEST_DELAY))
    return at if at - delivery.event.at <= GIVE_UP else None


@dataclass(frozen=True)
class Outcome:
    """Of one attempt. `final`: whether to leave it at that, delivered or not."""

    delivered: bool
    final: bool
    detail: str
    wait: float = 0.0
    status: int = field(default=0, compare=False)
    """What was answered; 0: nothing."""


def outcome_of(status: int, headers: Mapping[str, str]) -> Outcome:
    """2xx is delivered; redirects are not followed and count as failed."""
    if 200 <= status < 300:
        return Outcome(True, True, str(status), status=status)
    seconds = headers.get("retry-after", "")
    wait = float(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else 0.0
    return Outcome(False, status == GONE, f"answered {status}", wait, status)


def span_of(delivery: Delivery, outcome: Outcome, url: str, times: tuple[float, float]) -> Span:
    """Of one attempt. Of the address only the host: a path may hold a secret."""
    event, number, address = delivery.event, delivery.attempts, urlsplit(url)
    found: Attributes = {
        "http.request.method": "POST", "url.scheme": address.scheme, "server.address": address.hostname or "",
        "server.port": address.port or (443 if address.scheme == "https" else 80), "http.request.resend_count": number,
        "rushes.event.type": event.type, "rushes.event.id": event.id, "rushes.waited_seconds": max(0.0, times[0] - event.at),
    }  # fmt: skip
    if outcome.status:
        found["http.response.status_code"] = outcome.status
    error = "" if outcome.delivered else str(outcome.status or outcome.detail.partition(":")[0])
    return Span(
        trace=trace_id(event.asset), span=delivery_span(delivery.id, number), parent=root_span(event.asset),
        name=f"webhook {event.type}", began=times[0], ended=times[1], error=error or None, kind="client",
        links=((delivery_span(delivery.id, number - 1), "retry"),) if number else (),
        attributes={**found, "error.type": error} if error else found,
    )  # fmt: skip


def _header(delivery: Delivery, *, sampled: bool) -> dict[str, str]:
    """By which the receiver's trace goes on from ours."""
    span = delivery_span(delivery.id, delivery.attempts)
    return {"traceparent": traceparent(trace_id(delivery.event.asset), span, sampled=sampled)}


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[Outcome]]


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """One attempt. Never raises for what the other side does; its answer's body is not read."""
    try:
        async with asyncio.timeout(2 * TIMEOUT):
            target = await Target.resolve(url)
            async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
                request = client.build_request(
                    "POST", target.url, content=body, headers={**headers, "host": target.host}
                )
                request.extensions["sni_hostname"] = target.name
                response = await client.send(request, stream=True)
                await response.aclose()
                return outcome_of(response.status_code, response.headers)
    except (httpx.HTTPError, TargetRefused, TimeoutError, OSError) as error:
        return Outcome(False, False, f"{type(error).__name__}: {error}"[:300])


class Webhooks:
    """Delivers what is due. Several of these share the work; where one dies or takes too long a message may come twice,
    with the same id."""

    def __init__(
        self, outbox: Outbox, clock: Clock, settings: Settings, send: Post = post, spans: Spans | None = None
    ) -> None:
        """Raises SettingsError where the address or the secret cannot be used."""
        self._spans = spans or Spans(None)
        self._outbox, self._clock, self._send = outbox, clock, send
        self._url, self._secrets = settings.webhook_url, secrets_of(settings.webhook_secret)
        try:
            check_url(settings.webhook_url)
        except TargetRefused as error:
            raise SettingsError(f"RUSHES_WEBHOOK_URL cannot be used: {error}.") from error

    def run_once(self, limit: int = 40) -> dict[str, int]:
        """Try every delivery that is due, a few at a time. Gives how many were delivered, failed and abandoned."""
        return asyncio.run(self.deliver_due(limit))

    async def deliver_due(self, limit: int = 40) -> dict[str, int]:
        last = self._clock.monotonic() + LEASE - 2 * TIMEOUT
        due = await asyncio.to_thread(self._outbox.take_deliveries, limit)
        places = asyncio.Semaphore(AT_ONCE)
        in_turn = [[item for item in due if item.event.asset == asset] for asset in {item.event.asset for item in due}]
        results = list(chain(*await asyncio.gather(*(self._deliver_in_turn(items, places, last) for items in in_turn))))
        return {name: results.count(name) for name in ("delivered", "failed", "abandoned")}

    async def _deliver_in_turn(self, deliveries: list[Delivery], places: asyncio.Semaphore, last: float) -> list[str]:
        """Those of one asset, in their order as long as none has to be tried again; that much a receiver may expect.

        What cannot be sent while it is ours is left to whoever takes it next. `last` is by the monotonic clock.
        """
        async with places:
            return [await self._deliver(delivery) for delivery in deliveries if self._clock.monotonic() < last]

    async def _deliver(self, delivery: Delivery) -> str:
        body = body_of(delivery.event)
        headers = headers_of(self._secrets, delivery.id, self._clock.now(), body)
        if self._spans.is_on:
            headers |= _header(delivery, sampled=self._spans.traces(delivery.event.asset))
        began = self._clock.now()
        outcome = await self._send(self._url, body, headers)
        if self._spans.traces(delivery.event.asset):
            times = (began, self._clock.now())
            self._spans.later(lambda: [span_of(delivery, outcome, self._url, times)])
        result = await asyncio.to_thread(self._settle, delivery, outcome)
        fields = {"asset": delivery.event.asset, "event": delivery.event.type, "webhook_id": delivery.id}
        logger.info("webhook %s: %s (%s)", delivery.event.type, result, outcome.detail, extra=fields)
        return result

    def _settle(self, delivery: Delivery, outcome: Outcome) -> str:
        if outcome.delivered:
            self._outbox.delivery_done(delivery)
            return "delivered"
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        now = self._clock.now()
        at = None if outcome.final else next_attempt(delivery, now, outcome.wait, chance)
        self._outbox.delivery_failed(delivery, None if at is None else at - now)
        return "abandoned" if at is None else "failed"
