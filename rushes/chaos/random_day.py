"""A random day: a few uploads, and things that go wrong at random moments. The same seed gives the same incidents, if not the same
moments: processes have a will of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from rushes.chaos.member import thaw
from rushes.chaos.rehearsal import Rehearsal
from rushes.chaos.stack import Stack
from rushes.clock import pause
from rushes.errors import Conflict
from rushes.states import AssetState, Publication

UPLOADS, INCIDENTS = 3, 3
LONGEST = 0.6
"""Seconds: of an encode, and between two incidents."""


@dataclass
class Day:
    stack: Stack
    chance: Random
    assets: list[str]
    deleted: set[str]


def live(stack: Stack, seed: int) -> tuple[list[str], list[str]]:
    """Names of what happened, and what is broken after it: none where all was published once, but for what was deleted."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    stack.heal()
    stack.rehearse(Rehearsal(seconds={"encode": chance.uniform(0.1, LONGEST), "audio": chance.uniform(0.0, 0.3)}))
    day = Day(stack, chance, stack.submit(UPLOADS), set())
    told = []
    for _ in range(INCIDENTS):
        pause(chance.uniform(0.0, LONGEST))
        incident = chance.choice(INCIDENTS_THERE_ARE)
        told.append(incident.__name__)
        incident(day)
        stack.fill_up()
    stack.heal()
    try:
        stack.settled(day.assets, 90.0)
    except TimeoutError as error:
        return told, [str(error), *stack.broken(day.assets)]
    return told, [*stack.broken(day.assets), *_not_published(day)]


def _not_published(day: Day) -> list[str]:
    found = [day.stack.catalog.asset(asset) for asset in day.assets if asset not in day.deleted]
    sad = [one for one in found if (one.state, one.publication) != (AssetState.READY, Publication.PUBLISHED)]
    return [f"{one.id} is {one.state} and {one.publication}: {one.reason}" for one in sad]


# -- Incidents ------------------------------------------------------------------------------------------------------------


def kill_a_worker(day: Day) -> None:
    day.chance.choice(day.stack.workers).kill()


def freeze_a_worker(day: Day) -> None:
    """Past its lease; then it goes on where it was."""
    frozen = day.chance.choice(day.stack.workers).freeze()
    try:
        pause(day.stack.lease * day.chance.uniform(0.5, 2.0))
    finally:
        thaw(frozen)


def stop_a_worker(day: Day) -> None:
    day.chance.choice(day.stack.workers).end(signal.SIGTERM)


def kill_a_child(day: Day) -> None:
    children = day.chance.choice(day.stack.workers).children()
    if children:
        with suppress(ProcessLookupError):
            os.kill(day.chance.choice(children).pid, signal.SIGKILL)


def flush_redis(day: Day) -> None:
    day.stack.services.broker.flush()


def kill_redis(day: Day) -> None:
    _away(day, day.stack.services.broker.kill, day.stack.services.broker.start)


def restart_database(day: Day) -> None:
    _away(day, day.stack.services.database.stop, day.stack.services.database.start)


def kill_database(day: Day) -> None:
    _away(day, day.stack.services.database.kill, day.stack.services.database.start)


def _away(day: Day, gone: Callable[[], None], back: Callable[[], None]) -> None:
    gone()
    pause(day.chance.uniform(0.0, 1.5))
    back()


def kill_the_server(day: Day) -> None:
    """Somebody uploads as soon as there is another."""
    day.stack.kill_api()
    day.stack.heal_api()
    day.assets += day.stack.submit()


def delete_one(day: Day) -> None:
    asset = day.chance.choice(day.assets)
    day.deleted.add(asset)
    with suppress(Conflict):
        day.stack.catalog.delete(asset)


def cancel_and_retry(day: Day) -> None:
    asset = day.chance.choice(day.assets)
    with suppress(Conflict):
        day.stack.catalog.cancel(asset)
    pause(day.chance.uniform(0.0, LONGEST))
    with suppress(Conflict):
        day.stack.catalog.retry(asset)


def upload_another(day: Day) -> None:
    day.assets += day.stack.submit()


INCIDENTS_THERE_ARE: tuple[Callable[[Day], None], ...] = (
    kill_a_worker, kill_a_worker, freeze_a_worker, stop_a_worker, kill_a_child, flush_redis, kill_redis, restart_database,
    kill_database, kill_the_server, delete_one, cancel_and_retry, upload_another,
)  # fmt: skip
