"""What the reconciler puts right beside lost steps. Each is safe at any time, doubled and beside all other work: it looks
without a lock, and looks again with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from rushes.catalog import assets, fleet, loads, offices, outbox, queue, steps
from rushes.catalog.change import Store
from rushes.catalog.database import Session

AT_ONCE = 50
"""Assets whose counts are looked after in one round."""
OVERDUE = 10.0
"""Seconds after which a ready step beside a free worker was not heard of."""


def delays(store: Store) -> int:
    """Steps whose time has come, and that no claim has woken."""
    with store.database.read() as tx:
        if not queue.is_due(tx, store.now(tx)):
            return 0
    with store.change() as change:
        rows = queue.wake(change.tx, change.now)
        change.ready(rows)
    return len(rows)


def undispatched(store: Store) -> int:
    """Ring for all that is ready. Gives how many pools had work for too long beside workers with nothing to do."""
    with store.database.read() as tx:
        ready, forgotten = queue.ready_pools(tx), _forgotten(tx, store.now(tx))
    if ready:
        store.ring(ready)
    return forgotten


def _forgotten(tx: Session, now: float) -> int:
    """By the last sample. A worker that does anything at all may be full: its slots are shared by its pools."""
    busy = {row["lease_owner"] for row in tx.all("SELECT DISTINCT lease_owner FROM steps WHERE state = 'running'")}
    hands = fleet.hands([worker for worker in fleet.living(tx, now) if worker["id"] not in busy])
    closed = {row["pool"] for row in fleet.paused(tx)}
    return sum(
        load.running == 0
        and load.oldest_ready is not None
        and load.oldest_ready < load.sampled_at - OVERDUE
        and pool not in closed
        and any(pool in one.pools for one in hands)
        for pool, load in loads.read(tx).items()
    )


def outbox_stuck(store: Store) -> int:
    """Deliveries whose sender died with them."""
    with store.database.read() as tx:
        if not outbox.is_stuck(tx, store.now(tx)):
            return 0
    with store.database.write() as tx:
        return outbox.free(tx, store.now(tx))


def queue_drift(store: Store) -> int:
    """Ready steps that no lane leads to."""
    with store.database.write() as tx:
        return queue.mend(tx, store.now(tx))


def waiting_drift(store: Store) -> int:
    """Assets whose steps wait for another number of steps than they say, among the next few; in some rounds it comes around."""
    with store.database.read() as tx:
        place = offices.place(tx, offices.RECONCILE)
        found = next_waiting(tx, place)
        wrong = _miscounted(tx, found[0], found[-1]) if found else []
    onward = found[-1] if len(found) == AT_ONCE else ""
    if onward != place:
        with store.database.write() as tx:
            offices.leave_off(tx, offices.RECONCILE, onward)
    return sum(_recounted(store, asset) for asset in wrong)


def next_waiting(tx: Session, place: str) -> list[str]:
    """Assets with steps that wait."""
    rows = tx.all(
        "SELECT DISTINCT asset FROM steps WHERE state = 'waiting' AND asset > :place ORDER BY asset LIMIT :most",
        {"place": place, "most": AT_ONCE},
    )
    return [row["asset"] for row in rows]


def _miscounted(tx: Session, first: str, last: str) -> list[str]:
    still = (
        "(SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = s.id"
        f" AND d.state NOT IN {steps.FINISHED})"
    )
    rows = tx.all(
        "SELECT DISTINCT s.asset FROM steps s WHERE s.state = 'waiting' AND s.asset >= :first AND s.asset <= :last"
        f" AND (s.waiting <> {still} OR (s.waiting = 0 AND s.not_before <= 0))",
        {"first": first, "last": last},
    )
    return [row["asset"] for row in rows]


def _recounted(store: Store, asset: str) -> bool:
    """Looked at again with the asset in hand: what was seen may have been half of a change."""
    with store.change() as change:
        assets.row(change.tx, asset)
        wrong = bool(_miscounted(change.tx, asset, asset))
        if wrong:
            change.settle(asset)
        return wrong


OFTEN: dict[str, Callable[[Store], int]] = {
    "delays": delays,
    "undispatched": undispatched,
    "outbox_stuck": outbox_stuck,
    "waiting_drift": waiting_drift,
}
"""Name of the repair, as metrics have it -> what does it. In each round."""
USUAL = frozenset({"delays"})
"""Those that put nothing right: a time has come where no claim was looking just then."""


def told(found: Mapping[str, int]) -> tuple[int, str]:
    """What a round did, for the log: level and text."""
    text = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
    if USUAL.issuperset(found):
        return logging.INFO, f"begun again, their time had come: {text}"
    return logging.WARNING, f"put right: {text}"
