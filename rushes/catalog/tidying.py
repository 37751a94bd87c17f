"""What nobody has to ask for: cleanups of sources that are over their days and of what lost attempts left behind, and what
somebody asked for too early."""

from __future__ import annotations

import contextlib
import logging

from rushes.catalog import assets, demands, holds, ledger, steps, tickets, workforce
from rushes.catalog.change import Change, Store
from rushes.catalog.database import Row, Turn
from rushes.engine import outcome
from rushes.states import AssetState

logger = logging.getLogger(__name__)


def tidy(store: Store, keep_originals: float) -> int:
    """How many cleanups were planned. A cheap look where there is nothing to do; each asset in a transaction of its own.

    Rows that the dead left behind go at once.
    """
    ledger.roll(store, "housekeeping")
    with store.database.write() as tx:
        now = store.now(tx)
        workforce.forget(tx, now)
        holds.forget_ended(tx, now)
        tickets.forget(tx, now)
    with store.database.read() as tx:
        before = store.now(tx) - keep_originals * 86_400
        due = [(asset, _original) for asset in (assets.with_original(tx, before) if keep_originals >= 0 else ())]
        due += [(asset, _losers) for asset in assets.with_litter(tx)]
        due += [(asset, _wanted) for asset in demands.waiting(tx)]
    count = 0
    for asset, plan in due:
        with store.change() as change:
            if not change.tx.turn(Turn.HOUSEKEEP, wait=False):
                break  # another process is at it
            found = assets.row(change.tx, asset)
            if plan is _wanted or not steps.under_way(change.tx, asset):
                count += plan(change, found)
    return count


def _wanted(change: Change, found: Row) -> int:
    """What could not be planned when it was asked for; no cleanup is."""
    try:
        demands.carry_on(change, assets.noun(found))
    except ValueError:
        logger.warning("what is wanted of %s cannot be planned: its record cannot be read", found["id"])
    return 0


def _original(change: Change, found: Row) -> int:
    """1 if a cleanup was planned."""
    if not found["original"] or found["state"] != "ready":
        return 0
    assets.part_with_original(change.tx, found["id"])
    with contextlib.suppress(ValueError):  # what cannot be read is left as it is
        change.add_steps(assets.noun(found), [outcome.cleanup_step("original", 0)])
    return 1


def _losers(change: Change, found: Row) -> int:
    """1 if a cleanup was planned. The number of the losers names that state of things: it is collected once."""
    if not found["litter"]:
        return 0
    assets.no_litter(change.tx, found["id"])
    if found["state"] == AssetState.DELETED:
        return 0  # everything goes
    step = outcome.losers_step(steps.losers(change.tx, found["id"]), steps.winners(change.tx, found["id"]))
    with contextlib.suppress(ValueError):
        change.add_steps(assets.noun(found), [step])
    return 1
