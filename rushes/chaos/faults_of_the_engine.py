"""What meets the engine itself: steps that kill workers, deletions, mixed releases, reconcilers that are dead or too many."""

from __future__ import annotations

from rushes.catalog.offices import RECONCILE
from rushes.catalog.reconciling import EVERY
from rushes.catalog.repairs import queue_drift
from rushes.chaos.bounds import Bounds
from rushes.chaos.fault import Fault
from rushes.chaos.member import thaw
from rushes.chaos.promise import leftovers
from rushes.chaos.rehearsal import Rehearsal, Trap, What
from rushes.chaos.stack import Stack
from rushes.chaos.stand_in import OLDER
from rushes.clock import pause
from rushes.engine.version import GRAPH
from rushes.states import AssetState, Publication
from rushes.storage.open import open_store


def delete_midway(stack: Stack, bounds: Bounds) -> None:
    """An asset is deleted in the middle of an encode: nothing of it is left, and its other steps end."""
    stack.rehearse(Rehearsal(seconds={"encode": 8.0}))
    asset = stack.submit()[0]
    _, worker = stack.caught("encode.0", asset)
    stack.catalog.delete(asset)
    bounds.within("its steps ended", 10.0, stack.settled([asset]))
    bounds.true("it is deleted", stack.catalog.asset(asset).state is AssetState.DELETED)
    bounds.at_most("objects of it", 0, len(leftovers(open_store(stack.storage_url), asset)))
    bounds.true("its worker goes on", worker.lives)


def poison(stack: Stack, bounds: Bounds) -> None:
    """A step kills whoever does it, each time: it is set aside, and its neighbours are done."""
    what: What = "kill_worker" if stack.thorough else "kill_child"
    stack.rehearse(Rehearsal(traps=(Trap(what=what, key="encode.0", times=100),)))
    bad = stack.submit()[0]
    stack.rehearse(Rehearsal(traps=(Trap(what=what, key="encode.0", asset=bad, times=100),)))
    good = stack.submit(2)

    def ended() -> bool:
        if not all(worker.lives for worker in stack.workers):
            stack.fill_up()  # as whoever minds the processes would
        return stack.is_settled([bad, *good])

    bounds.within("all ended", 120.0, stack.until(ended, "the end of all", 180.0))
    reason = stack.catalog.asset(bad).reason
    bounds.true("the poisonous one is quarantined", reason is not None and reason.code == "quarantined")
    published = [stack.catalog.asset(one).publication is Publication.PUBLISHED for one in good]
    bounds.true("its neighbours are published", all(published))


def reconcilers(stack: Stack, bounds: Bounds) -> None:
    """Whoever reconciles has just died with the office in hand; then the office is everybody's at every moment."""
    stack.rehearse(Rehearsal(seconds={"encode": 1.0}))
    _occupy(stack, seconds=EVERY)
    _lose_one(stack, bounds, "the reconciler dead: a lost step elsewhere")
    if not stack.thorough:
        return
    step = _lose_one(stack, bounds, "as many as there are processes: a lost step elsewhere", at_each_look=-1.0)
    bounds.at_most("times it was taken back", 1, stack.outcomes(step).count("lost"))


def _occupy(stack: Stack, seconds: float) -> None:
    with stack.store.database.write() as tx:
        tx.execute(
            "INSERT INTO offices (name, holder, until) VALUES (:name, 'somebody dead', :until)"
            " ON CONFLICT (name) DO UPDATE SET holder = 'somebody dead', until = :until",
            {"name": RECONCILE, "until": tx.now + seconds},
        )


def _lose_one(stack: Stack, bounds: Bounds, what: str, *, at_each_look: float = 0.0) -> str:
    """`at_each_look`: what the office is set to then, if not 0."""
    asset = stack.submit()[0]
    step, worker = stack.caught("encode.0", asset)
    worker.kill()
    stack.worker()
    moved = stack.elsewhere(step)

    def look() -> bool:
        if at_each_look:
            _occupy(stack, at_each_look)
        return moved()

    bounds.within(what, stack.recovery, stack.until(look, "the step elsewhere"))
    stack.settled([asset])
    return str(step["id"])


def mixed_releases(stack: Stack, bounds: Bounds) -> None:
    """In the middle of a graph only workers of the release before are left, which know neither its version nor all its kinds."""
    stack.rehearse(Rehearsal(seconds={"encode": 1.0}))
    new, older = list(stack.workers), stack.worker(**{OLDER: "1"})
    stack.until(lambda: stack.knows(older), "the older worker")
    asset = stack.submit()[0]
    stack.caught("encode.0", asset)
    frozen = [process for worker in new for process in worker.freeze()]
    try:
        pause(2 * stack.lease)
        bounds.true("the older worker lives", older.lives)
        bounds.true("nothing has failed by it", stack.catalog.asset(asset).state is not AssetState.FAILED)
    finally:
        thaw(frozen)
    bounds.within("with newer ones all is done", 60.0, stack.settled([asset]))
    bounds.true("and published", stack.catalog.asset(asset).publication is Publication.PUBLISHED)
    older.end()
    _unknown(stack, bounds, version=GRAPH + 1)
    if stack.thorough:
        _unknown(stack, bounds, version=GRAPH)


def _unknown(stack: Stack, bounds: Bounds, version: int) -> None:
    """A step of a kind that nobody here knows waits for somebody who does, whatever its version says; no other is disturbed."""
    stack.fill_up()
    stack.rehearse(Rehearsal(seconds={"encode": 1.0}))
    asset, other = stack.submit(2)
    stack.caught("encode.0", asset)
    _rename(stack, asset, "telepathy", version)
    stack.until(lambda: stack.catalog.asset(asset).publication is Publication.PUBLISHED, "its publication")
    stack.settled([other])
    pause(stack.lease)
    state = stack.rows("SELECT state FROM steps WHERE asset = :asset AND key = 'poster'", asset=asset)[0]["state"]
    bounds.true(f"a step of an unknown kind and version {version} is left alone", state in ("ready", "waiting"))
    bounds.true("and no worker died of it", all(worker.lives for worker in stack.workers))
    _rename(stack, asset, "poster", GRAPH)
    queue_drift(stack.store)


def _rename(stack: Stack, asset: str, kind: str, version: int) -> None:
    with stack.store.database.write() as tx:
        tx.execute(
            "UPDATE steps SET kind = :kind, version = :version,"
            " not_before = CASE WHEN not_before > 0 THEN 1 ELSE 0 END WHERE asset = :asset AND key = 'poster'",
            {"kind": kind, "version": version, "asset": asset},
        )


FAULTS = (
    Fault("poison", 8, "a step that kills the process that does it, each time", poison),
    Fault("delete-midway", 14, "DELETE in the middle of an encode", delete_midway),
    Fault("mixed-releases", 15, "workers of two releases in the middle of a graph", mixed_releases),
    Fault("reconcilers", 17, "the reconciler dead, and several at a time", reconcilers),
)
