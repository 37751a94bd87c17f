"""The doorbell between processes and hosts: dramatiq on Redis.

To each pool there is one dramatiq queue, which holds at most one ring (two, when bells ring at the same instant): it means
"there is work since somebody last looked", and the first worker with a free slot takes it. See decision 0014.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import redis
from dramatiq import Actor, Consumer, Message, MessageProxy, Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed, DecodeError
from redis.backoff import NoBackoff
from redis.retry import Retry

from rushes.clock import SystemClock
from rushes.states import Pool
from rushes.workers.doorbell_address import Address
from rushes.workers.doorbell_local import Ear

SEND_PATIENCE = 2.0
"""Seconds for an answer to a ring."""
REST = 4
"""Seconds a consumer waits in Redis at a time. Below the heartbeat, which a consumer gives when it looks."""
HEARTBEAT = 10.0
"""Seconds of silence after which dramatiq puts the unanswered messages of a process back."""
PAUSE = (0.2, 0.8)
"""Seconds between two attempts while Redis is away: from, to."""
SHORT = 0.2
"""Seconds that closing may wait for a thread which has something in hand."""
CLOSE_PATIENCE = 1.0
TROUBLE = (redis.RedisError, ConnectionClosed, OSError)
REFUSED, UNREACHABLE, MALFORMED = "doorbell_refused", "doorbell_unreachable", "doorbell_malformed"
_REFUSING = (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.exceptions.NoPermissionError)
log = logging.getLogger("rushes.doorbell")


def _client(address: Address, patience: float) -> redis.Redis:
    """Connects when first used. Tries nothing twice: what follows an error is decided here."""
    tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": address.certificates} if address.tls else {}
    return redis.Redis(
        host=address.host, port=address.port, db=address.database, username=address.user, password=address.password,
        socket_timeout=patience, socket_connect_timeout=SEND_PATIENCE, retry=Retry(NoBackoff(), 0), **tls,
    )  # fmt: skip


def ping(address: Address) -> str:
    """The server's version. Raises one of TROUBLE where it does not answer, or not to us."""
    with contextlib.closing(_client(address, SEND_PATIENCE)) as client:
        version: str = client.info("server")["redis_version"]
        return version


def nonsense(address: Address) -> int:
    """How many messages wait in it that are no rings. Raises one of TROUBLE."""
    with contextlib.closing(_client(address, SEND_PATIENCE)) as client:
        waiting = [(pool, text) for pool in Pool for text in client.hvals(f"{address.namespace}:{pool.value}.msgs")]
    return sum(not _is_ring_of(text, pool.value) for pool, text in waiting)


def trouble_code(error: Exception) -> str:
    """`doorbell_refused`: there is a Redis, which does not let us in, or not do that. Else `doorbell_unreachable`."""
    causes = (error, error.__cause__, *error.args)  # dramatiq hands some on inside of its own
    return REFUSED if any(isinstance(one, _REFUSING) for one in causes) else UNREACHABLE


class _Health:
    """Logs when the bell falls silent and when it rings again: once each, not with each ring."""

    def __init__(self, address: Address, what: str) -> None:
        self._name = f"{what} at {address}"
        self._broken = False
        self._lock = threading.Lock()

    @property
    def well(self) -> bool:
        return not self._broken

    def bad(self, error: Exception) -> None:
        if self._changes(broken=True):
            text = "The doorbell is out of order (%s: %s); workers look for themselves."
            log.warning(text, self._name, error, extra={"code": trouble_code(error)})

    def good(self) -> None:
        if self._broken and self._changes(broken=False):
            log.info("The doorbell works again (%s).", self._name)

    def _changes(self, *, broken: bool) -> bool:
        with self._lock:
            before, self._broken = self._broken, broken
        return before != broken


class _Broker(RedisBroker):
    """dramatiq's broker without middleware and delay queues, whose consumers wait in Redis and not between two looks."""

    def __init__(self, address: Address, patience: float) -> None:
        super().__init__(  # type: ignore[no-untyped-call] # dramatiq types it not
            client=_client(address, patience), namespace=address.namespace, middleware=[],
            maintenance_chance=1_000_000, heartbeat_timeout=int(HEARTBEAT * 1000), dead_message_ttl=60_000,
        )  # fmt: skip

    def key(self, queue: str) -> str:
        """The list of message ids of a queue (the head of dramatiq's dispatch.lua)."""
        return f"{self.namespace}:{queue}"

    def ring(self, pool: Pool) -> None:
        """Unless a ring waits there already. One actor and one queue to a pool, all of its name."""
        if not self.client.llen(self.key(pool)):
            self.enqueue(
                Message(queue_name=pool.value, actor_name=pool.value, args=(pool.value,), kwargs={}, options={})
            )


class RedisDoorbell:
    """Rings from a thread of its own, which holds at most one ring of each pool and keeps trying while Redis is away."""

    def __init__(self, address: Address) -> None:
        self._broker = _Broker(address, SEND_PATIENCE)
        self._health = _Health(address, "ringing")
        self._waiting: set[Pool] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ring(self, pools: Iterable[Pool]) -> None:
        with self._changed, contextlib.suppress(RuntimeError):  # no thread can be had: a ring may be lost
            if self._closed:
                return
            self._waiting.update(pools)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send, name="doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """What waits is sent, if that goes at once. A thread that waits for Redis ends when its patience does."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(SHORT)

    def _send(self) -> None:
        while pools := self._next():
            try:
                for pool in sorted(pools):
                    self._broker.ring(pool)
            except TROUBLE as error:
                self._health.bad(error)
                if not self._try_later(pools):
                    return
            else:
                self._health.good()

    def _next(self) -> set[Pool]:
        """Wait for rings and take them; none when the bell is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            pools, self._waiting = self._waiting, set()
        return pools

    def _try_later(self, pools: set[Pool]) -> bool:
        with self._changed:
            self._waiting |= pools
            return not self._changed.wait_for(lambda: self._closed, _pause())


class _Consumer(Consumer):
    """What dramatiq takes the messages of one queue from. Where there are none it waits in Redis, at no cost."""

    def __init__(self, inner: Any, broker: _HearingBroker, queue: str) -> None:  # noqa: ANN401 - dramatiq's own, of no public type
        self._inner = inner
        self._broker = broker
        self._queue = queue
        self._redis = broker.client
        self._key = broker.key(queue)
        self._gate = broker.gates[Pool(queue)]
        self._health = broker.health
        self._closing = broker.closing

    def __next__(self) -> MessageProxy | None:
        if not self._gate.wait(REST) or self._closing.is_set():
            return None
        try:
            message = self._fetched()
            if message is None:
                # Onto its own place: nothing moves. It waits until there is a message and leaves it to be fetched.
                self._redis.blmove(self._key, self._key, REST, "LEFT", "LEFT")
        except Exception as error:
            if self._closing.is_set():
                return None  # the connection was cut under its hands, which may end in any error
            if not isinstance(error, TROUBLE):
                raise
            self._health.bad(error)
            self._closing.wait(_pause())
            return None
        self._health.good()
        return message

    def _fetched(self) -> MessageProxy | None:
        """The next ring, if one waits; what is none is thrown away, and means at the most that somebody may look."""
        try:
            message: MessageProxy | None = next(self._inner)
        except DecodeError:
            message = None
        else:
            if message is None or is_ring(message, self._queue):
                return message
            self._inner.queued_message_ids.discard(message.message_id)  # or it would count as in hand, for ever
        self._broker.throw_away(self._queue)
        return None

    def ack(self, message: MessageProxy) -> None:
        with self._forgiving():  # it was heard; maintenance may put it back once more, which does no harm
            self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        with self._forgiving():  # a ring may be lost
            self._inner.requeue(messages)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Nothing follows from what goes wrong in here; what is no trouble with Redis only while the connection is being cut,
        which may end in any error."""
        try:
            yield
        except TROUBLE:
            return
        except Exception:
            if not self._closing.is_set():
                raise


def is_ring(message: Message[Any] | MessageProxy, pool: str) -> bool:
    """Whether it is one that a bell of ours may have rung. Anybody who reaches Redis may have written it: a delay would be
    kept by a queue that nobody listens at, and what has no number there could never be acknowledged."""
    said = message.options if isinstance(message.options, dict) else {}
    numbered = isinstance(said.get("redis_message_id"), str) and "eta" not in said
    return numbered and (message.queue_name, message.actor_name, tuple(message.args)) == (pool, pool, (pool,))


class _HearingBroker(_Broker):
    """The broker of a listener. `dropped` is told of each message that is none of ours."""

    def __init__(self, address: Address, pools: Iterable[Pool], dropped: Callable[[str], None]) -> None:
        super().__init__(address, REST + SEND_PATIENCE)
        self._dropped = dropped
        self.gates = {pool: threading.Event() for pool in pools}
        """Open while the worker has a slot free for the pool; a message behind a closed gate stays in Redis."""
        self.health = _Health(address, "listening")
        self.closing = threading.Event()

    def throw_away(self, queue: str) -> None:
        """Of what we have in hand from this queue, all that is no ring: dramatiq would put it back for the next listener once we
        are gone, and so for ever. (Names of keys: the head of its dispatch.lua.)"""
        acks, texts = f"{self.namespace}:__acks__.{self.broker_id}.{queue}", f"{self.key(queue)}.msgs"
        for number in self.client.smembers(acks):
            text = self.client.hget(texts, number)
            if text is not None and not _is_ring_of(text, queue):
                self.client.srem(acks, number)
                self.client.hdel(texts, number)
                self._dropped(MALFORMED)
                log.warning("A message that is no ring was thrown away (pool %s).", queue, extra={"code": MALFORMED})

    def declare_queue(self, queue_name: str) -> None:
        """As dramatiq does, but without the queue of delayed messages, which would cost a consumer of its own."""
        self.emit_before("declare_queue", queue_name)
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 0) -> Consumer:
        """dramatiq's own consumer, told to hold one message and never to sleep, within ours."""
        return _Consumer(super().consume(queue_name, prefetch=1, timeout=0), self, queue_name)


def _is_ring_of(text: bytes | str, pool: str) -> bool:
    try:
        return is_ring(Message.decode(text if isinstance(text, bytes) else text.encode()), pool)
    except (DecodeError, AttributeError, TypeError):  # the last two: JSON of any other form
        return False


def _unwatched(_: str) -> None:
    """Nobody counts."""


class RedisListener:
    """A worker's ear: a dramatiq worker with one actor to a pool, which does nothing but wake the event loop."""

    def __init__(self, address: Address, pools: Iterable[Pool], dropped: Callable[[str], None] = _unwatched) -> None:
        self._broker = _HearingBroker(address, pools, dropped)
        self._bell = RedisDoorbell(address)
        self._ear = Ear()
        self._lock = threading.Lock()
        self._heard: set[Pool] = set()
        """Rings that were taken and are not yet answered by a look."""
        for pool, gate in self._broker.gates.items():
            gate.set()
            Actor(self._hear, broker=self._broker, actor_name=pool, queue_name=pool, priority=0, options={})
        self._worker = Worker(self._broker, worker_threads=1, worker_timeout=int(SHORT * 1000))
        self._worker.start()

    @property
    def up(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._broker.health.well

    def _hear(self, name: str) -> None:
        pool = Pool(name)
        with self._lock:
            free = self._broker.gates[pool].is_set() and not self._broker.closing.is_set()
            if free:
                self._heard.add(pool)
        if free:
            self._ear.touch()
        else:  # the last slot was taken while the message was on its way
            self._bell.ring((pool,))

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see doorbell.Listener
        return await self._ear.wait(timeout)

    def free(self, pools: Iterable[Pool]) -> frozenset[Pool]:
        with self._lock:
            for pool in pools:
                self._broker.gates[pool].set()
            return self._take(pools)

    def hand_on(self, pools: Iterable[Pool]) -> None:
        self._bell.ring(pools)

    def busy(self, pools: Iterable[Pool]) -> None:
        with self._lock:
            for pool in pools:
                self._broker.gates[pool].clear()
            unanswered = self._take(pools)
        self._bell.ring(unanswered)

    def _take(self, pools: Iterable[Pool]) -> frozenset[Pool]:
        taken = self._heard.intersection(pools)
        self._heard -= taken
        return frozenset(taken)

    def close(self) -> None:
        """What was taken and not answered is rung again, for those who stay."""
        self.busy(self._broker.gates)
        self._broker.closing.set()
        consumers = list(self._worker.consumers.values())
        for consumer in consumers:
            consumer.stop()  # before its connection is cut, or it would start again
        for gate in self._broker.gates.values():
            gate.set()
        _cut(self._broker.client, consumers)
        self._worker.stop(timeout=int(CLOSE_PATIENCE * 1000))
        self._bell.close()
        self._broker.client.close()


def _pause() -> float:
    return random.uniform(*PAUSE)  # noqa: S311 - so that workers do not come back all at once


def _cut(client: redis.Redis, threads: Iterable[threading.Thread]) -> None:
    """Cut the connections under the hands of these threads until they have ended, with bounded patience."""
    clock = SystemClock()
    until = clock.monotonic() + CLOSE_PATIENCE
    for thread in threads:
        while thread.is_alive() and clock.monotonic() < until:
            client.connection_pool.disconnect()
            thread.join(0.02)
