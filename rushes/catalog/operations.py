"""The catalog as operators reach it: try again, go first, stand still, look at what was set aside. One transaction each."""

from __future__ import annotations

from rushes.catalog import assets, encodes, moving, quarantine, reopening, steps, trials
from rushes.catalog.change import Change
from rushes.catalog.on_demand import OnDemand
from rushes.catalog.records import PoolState, Quarantined, UnreadableSteps
from rushes.engine.bundle import Bundle
from rushes.engine.classes import Class
from rushes.engine.graph import republication
from rushes.engine.outcome import Outcome, revived
from rushes.errors import Conflict
from rushes.model import Asset
from rushes.states import AssetState, Pool


class Operations(OnDemand):
    def retry(self, asset: str, *, from_step: str = "") -> Asset:
        """Start failed and cancelled steps again, and checks that refused a build; with `from_step`, a step's key, that step too
        and all that rest on it, done or not.

        Raises NotFound `asset_not_found`, `step_not_found`; Conflict `nothing_to_retry`, and with `from_step` `under_way`,
        `source_deleted`, `not_from_here`.
        """
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            if noun.source is None or noun.state is AssetState.DELETED:
                raise Conflict("nothing_to_retry", "This asset has no source to work on.")
            return _retried(change, noun, from_step)

    def set_class(self, asset: str, chosen: Class) -> Asset:
        """Let the work on an asset, what is planned and what is to come, go before others' or after it. Raises NotFound."""
        with self._store.change() as change:
            return moving.to_class(change, assets.get(change.tx, asset), chosen)

    # -- pools --------------------------------------------------------------------------------------------------------

    def pause(self, pool: Pool, reason: str = "") -> PoolState:
        """No step of this pool is begun until it is resumed; those that run go on. Again changes the reason."""
        with self._database.write() as tx:
            return moving.set_paused(tx, pool, reason, self._store.now(tx), paused=True)

    def resume(self, pool: Pool) -> PoolState:
        """Again is harmless."""
        with self._database.write() as tx:
            state = moving.set_paused(tx, pool, "", self._store.now(tx), paused=False)
        self._store.ring([pool])
        return state

    def pool_states(self) -> list[PoolState]:
        """Of each pool that was ever paused."""
        with self._database.read() as tx:
            return moving.pool_states(tx)

    def unreadable(self) -> list[UnreadableSteps]:
        """Open steps of kinds or versions that no living worker knows. Reads all that is open."""
        with self._database.read() as tx:
            return moving.unreadable(tx, self._store.now(tx))

    # -- quarantine ---------------------------------------------------------------------------------------------------

    def quarantine(self, *, limit: int = 100, released: bool = False) -> list[Quarantined]:
        """Steps that were set aside because they kill workers, newest first; `released`: those too that were let go."""
        with self._database.read() as tx:
            return quarantine.page(tx, limit=limit, released=released)

    def quarantined(self, step: str) -> Quarantined:
        """`step`: its id, or `ASSET/KEY`. Raises NotFound `not_quarantined`."""
        with self._database.read() as tx:
            return quarantine.get(tx, step)

    def bundle(self, step: str, *, tool: str) -> Bundle:
        """What is needed to do a step again elsewhere: as it was when it was set aside, else as it is now. `step`: its id, or
        `ASSET/KEY`; `tool`: the media tool's version. Raises NotFound `step_not_found`."""
        with self._database.read() as tx:
            return quarantine.bundle_of(tx, step) or trials.bundle(tx, quarantine.step_row(tx, step), tool=tool)

    def release_quarantined(self, step: str) -> Asset:
        """Try it once more from the beginning, its history forgiven. `step`: its id, or `ASSET/KEY`.

        Raises NotFound `not_quarantined`, Conflict `nothing_to_retry`.
        """
        with self._store.change() as change:
            found = quarantine.get(change.tx, step)
            noun = assets.get(change.tx, found.asset)
            quarantine.release(change.tx, found.step, change.now)
            if noun.source is None or noun.state is AssetState.DELETED:
                raise Conflict("nothing_to_retry", "This asset has no source to work on.")
            return _retried(change, noun)


def _retried(change: Change, noun: Asset, from_step: str = "") -> Asset:
    asset, newest = noun.id, encodes.newest(noun)
    if from_step and not assets.row(change.tx, asset)["original"]:
        raise Conflict(
            "source_deleted", "The original of this asset has been deleted: nothing can be made of it again."
        )
    count = reopening.reopen_from(change.tx, noun, from_step, newest) if from_step else 0
    if not count + reopening.reopen(change.tx, noun, newest):
        raise Conflict("nothing_to_retry", "No step of this asset has failed.")
    quarantine.release_of(change.tx, asset, change.now)
    change.settle(asset)
    states = {row["key"]: row["state"] for row in steps.of_asset(change.tx, asset)}
    if noun.state is AssetState.FAILED and states.get("publish.ready") == "done":
        change.add_steps(noun, republication(noun.revision, sorted(states)))
    return change.save(Outcome(revived(noun), ("asset.updated",)))
