"""The doorbell says "there is work" and nothing else; what the work is, the database knows.

Rings may be lost, doubled or reordered: workers also look for themselves every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Protocol

from rushes.settings import Settings, SettingsError
from rushes.states import Pool
from rushes.workers.doorbell_address import LOCAL, Address
from rushes.workers.doorbell_local import LocalDoorbell, LocalListener, MemoryDoorbell

__all__ = ["Doorbell", "Listener", "LocalDoorbell", "LocalListener", "MemoryDoorbell", "open_doorbell", "open_listener"]


class Doorbell(Protocol):
    def ring(self, pools: Iterable[Pool]) -> None:
        """Wake a worker of each of these pools that has a slot free. From any thread; never blocks, never raises."""
        ...

    def close(self) -> None:
        """Ring no more. What was rung just before may be lost."""
        ...


class Listener(Protocol):
    """A worker's ear for its pools.

    Where several workers hear the same bell, one of them takes a ring, and owes the others an answer. Hence the rule: a
    ring that was taken ends with a look that began after it and found no work, or it is rung again. `free` begins a look,
    `hand_on` says that it found some, `busy` that there is no slot to look for.
    """

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the time-out is the contract: a silent bell is normal
        """Wait for a ring, at most `timeout` seconds; True if it rang, be it before the call."""
        ...

    def free(self, pools: Iterable[Pool]) -> frozenset[Pool]:
        """A slot is free for these pools (as it is at first), and the worker looks for work now.

        Gives the pools that rang since the last look, to be handed on where this look finds work.
        """
        ...

    def hand_on(self, pools: Iterable[Pool]) -> None:
        """There was work and there may be more: another worker is to look too."""
        ...

    def busy(self, pools: Iterable[Pool]) -> None:
        """No slot is free for these pools: until `free`, their rings are for other workers, also those just taken."""
        ...

    def close(self) -> None:
        """Hear no more."""
        ...


def open_doorbell(settings: Settings) -> Doorbell:
    """The bell that `broker_url` names. Connects to nothing yet. Raises SettingsError."""
    if settings.broker_url == LOCAL:
        return LocalDoorbell(settings.data)
    address = _fleet_address(settings)
    from rushes.workers.doorbell_redis import RedisDoorbell

    return RedisDoorbell(address)


class Watch(Protocol):
    """Who keeps numbers about the doorbell (`workers.telemetry`)."""

    def dropped(self, reason: str) -> None: ...

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None: ...


def open_listener(settings: Settings, pools: Iterable[Pool], watch: Watch | None = None) -> Listener:
    """An ear for these pools; needs a running event loop.

    Raises SettingsError; OSError where another worker listens at the local bell of this data directory.
    """
    if settings.broker_url == LOCAL:
        return LocalListener(settings.data, pools)
    address = _fleet_address(settings)
    from rushes.workers.doorbell_redis import RedisListener

    if watch is None:
        return RedisListener(address, pools)
    listener = RedisListener(address, pools, watch.dropped)
    watch.gauge("rushes_doorbell_up", "Whether the doorbell answered when it was last asked", lambda: listener.up)
    return listener


def _fleet_address(settings: Settings) -> Address:
    address = Address.parse(settings.broker_url)
    if not (find_spec("dramatiq") and find_spec("redis")):
        raise SettingsError("RUSHES_BROKER_URL names a Redis, which needs an extra: pip install 'rushes[fleet]'.")
    return address
