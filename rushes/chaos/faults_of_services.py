"""Redis, PostgreSQL, the store and a receiver of webhooks go away, forget, or say nonsense."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from rushes.chaos.bounds import WITHOUT_BELL, Bounds
from rushes.chaos.fault import Fault
from rushes.chaos.rehearsal import Rehearsal
from rushes.chaos.stack import Stack
from rushes.clock import pause

QUICK = 0.3
"""Seconds of a stand-in's encode, so that work is under way for a while."""
SLOW = 1.0
"""And so that one can be met."""


def no_bell(stack: Stack, bounds: Bounds) -> None:
    """Redis forgets every ring, then dies, and comes back later; what was ready is begun all the same."""
    stack.rehearse(Rehearsal(seconds={"encode": QUICK, "audio": QUICK}))
    assets = stack.submit(2)
    stack.services.broker.flush()
    bounds.within("after FLUSHALL: all that was ready is begun", WITHOUT_BELL, _all_begun(stack))
    assets += stack.submit(2)
    stack.services.broker.kill()
    try:
        bounds.within("after kill -9: all that was ready is begun", WITHOUT_BELL, _all_begun(stack))
        late = stack.submit()
        bounds.within("without Redis: a new upload is done", 6 * WITHOUT_BELL, stack.settled([*assets, *late]))
    finally:
        stack.services.broker.start()


def _all_begun(stack: Stack) -> float:
    """Seconds until what is ready now has been begun. Nobody is told of it."""
    ready = [row["id"] for row in stack.rows("SELECT id FROM steps WHERE state = 'ready'")]

    def begun() -> bool:
        rows = stack.rows("SELECT id FROM steps WHERE state = 'ready' AND fence = 0")
        return not {row["id"] for row in rows} & set(ready)

    return stack.until(begun, "the beginning of what is ready")


def _next_end(stack: Stack) -> float:
    """Seconds until a step more has ended; 0 where there is nothing left to end."""
    count = "SELECT count(*) AS n FROM attempts WHERE outcome IS NOT NULL"
    before = stack.rows(count)[0]["n"]
    return stack.until(
        lambda: stack.rows(count)[0]["n"] > before or stack.is_settled(stack.acknowledged), "another step"
    )


def restart_database(stack: Stack, bounds: Bounds) -> None:
    """PostgreSQL is restarted in order and killed while steps are claimed and completed by the dozen."""
    stack.rehearse(Rehearsal(seconds={"encode": QUICK}))
    assets = stack.submit(8)
    for how in (stack.services.database.stop, stack.services.database.kill) * (3 if stack.thorough else 1):
        how()
        pause(0.5)
        stack.services.database.start()
        name = "a restart" if how == stack.services.database.stop else "kill -9"
        bounds.within(f"after {name} of the database: work goes on", stack.recovery, _next_end(stack))
    stack.settled(assets)
    doubled = stack.rows(
        "SELECT t.step FROM attempts t WHERE t.outcome = 'done' AND t.result IS NULL GROUP BY t.step HAVING count(*) > 1"
    )
    bounds.at_most("steps done twice", 0, len(doubled))


def no_store(stack: Stack, bounds: Bounds) -> None:
    """The object store is away for a while: what is under way fails or is given back, and is done when it returns."""
    place = Path(urlsplit(stack.storage_url).path)
    stack.rehearse(Rehearsal(seconds={"encode": SLOW}))
    assets = stack.submit(3)
    stack.caught("encode.0")
    away = place.with_name("away")
    place.rename(away)
    place.write_text("not a directory", encoding="utf-8")
    pause(2.0)
    place.unlink()
    away.rename(place)
    bounds.within("with the store back: all is done", 60.0, stack.settled(assets))
    states = [stack.catalog.asset(asset).publication for asset in assets]
    bounds.at_most("assets that were not published", 0, sum(state != "published" for state in states))


def wild_rings(stack: Stack, bounds: Bounds) -> None:
    """Rings are doubled, dropped, reordered, and there is nonsense among them; the database alone says what is to be done."""
    import redis  # deferred: it needs an extra

    client = redis.Redis.from_url(stack.services.broker_url.partition("?")[0], socket_timeout=5)
    space = stack.services.broker_url.rpartition("namespace=")[2]
    stack.rehearse(Rehearsal(seconds={"encode": QUICK}))
    assets = []
    for turn in range(6):
        assets += stack.submit()
        for pool in ("io", "video", "publish"):
            _disturb(client, f"{space}:{pool}", turn)
    took = stack.settled(assets)
    client.close()
    bounds.within("all is done", 30.0, took)
    stack.until(lambda: any("doorbell_malformed" in worker.said() for worker in stack.workers), "the nonsense in a log")
    steps = [step for asset in assets for step in stack.catalog.steps(asset)]
    bounds.at_most("steps that were tried more than once", 0, sum(len(stack.tries(step.id)) > 1 for step in steps))


NONSENSE = (b"", b"\xff\xfe", b"{", b"[]", b'{"queue_name": "io"}', b"null")


def _disturb(client: object, queue: str, turn: int) -> None:
    """One queue of the doorbell: a list of ids, and a hash of what they stand for."""
    from redis import Redis, ResponseError

    assert isinstance(client, Redis)  # noqa: S101 - for the type checker
    known = list(client.hkeys(f"{queue}.msgs"))
    match turn % 3:
        case 0:  # doubled, and in another order
            for ring in reversed(known):
                client.rpush(queue, ring, ring)
        case 1:  # dropped
            client.delete(queue, f"{queue}.msgs")
        case _:
            for number, text in enumerate(NONSENSE):
                with suppress(ResponseError):
                    client.hset(f"{queue}.msgs", f"nonsense-{turn}-{number}", text)
                    client.rpush(queue, f"nonsense-{turn}-{number}")


def deaf_receiver(stack: Stack, bounds: Bounds) -> None:
    """The receiver of webhooks was away for a day: nothing waited for it, and when it is back it hears everything."""
    assets = stack.submit(2)
    stack.settled(assets)
    wanted = {
        row["id"]
        for asset in assets
        for row in stack.rows(
            "SELECT d.id FROM deliveries d JOIN events e ON e.seq = d.seq WHERE e.asset = :a", a=asset
        )
    }
    bounds.true("there is something to tell", wanted)
    with stack.store.database.write() as tx:
        # As if a day had passed; of those that somebody is at, the next try comes in a few seconds.
        tx.execute("UPDATE deliveries SET next_at = 0 WHERE state = 'due' AND lease_expires IS NULL")
    with stack.receiver.listening() as heard:
        took = stack.until(lambda: wanted <= set(heard), "what it had missed")
        bounds.within("back again: it has heard everything", 20.0, took)


FAULTS = (
    Fault("no-bell", 2, "FLUSHALL, then kill -9 of Redis, which stays away for a while", no_bell),
    Fault(
        "restart-database", 3, "PostgreSQL restarted and killed while steps are claimed and completed", restart_database
    ),
    Fault("no-store", 4, "the object store away in the middle of encodes", no_store),
    Fault("wild-rings", 7, "rings doubled, reordered, dropped, and nonsense among them", wild_rings),
    Fault("deaf-receiver", 16, "the receiver of webhooks away for a day", deaf_receiver),
)
