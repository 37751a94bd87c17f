"""The catalog as the web side sees it: assets, uploads, events. One transaction per method, thread-safe, synchronous."""

from __future__ import annotations

from collections.abc import Mapping

from rushes.catalog import assets, fleet, holds, outbox, steps, uploads, why
from rushes.catalog.change import Change, Store
from rushes.catalog.records import Counts, Delivery, Event, Fleet, Upload
from rushes.engine.graph import intake, republication, review
from rushes.engine.outcome import Outcome, apply, revived
from rushes.errors import REASONS, Conflict
from rushes.facts import SourceRef
from rushes.model import Asset, StepView, Verdict, VerdictResult
from rushes.noun import Reason
from rushes.settings import load_policy, load_profile
from rushes.states import Action, AssetState, Publication


class Catalog:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database

    # -- uploads ------------------------------------------------------------------------------------------------------

    def create_upload(self, upload: Upload, asset: Asset) -> Asset:
        """The upload and its asset, at once. `asset.profile` and `.policy` name files; their contents are kept with it."""
        profile, policy = load_profile(asset.profile), load_policy(asset.policy)
        with self._store.change() as change:
            named = asset.model_copy(update={"profile": profile.ref, "policy": policy.ref})
            assets.insert(change.tx, named, profile, policy)
            uploads.insert(change.tx, upload)
            change.event("asset.created", named)
            return named

    def upload(self, upload: str) -> Upload:
        """Raises NotFound."""
        with self._database.read() as tx:
            return uploads.get(tx, upload)

    def finish_upload(self, upload: str, source: SourceRef) -> Asset:
        """The last byte is stored at `source.key`: source, steps and event in one transaction. Again is harmless."""
        with self._store.change() as change:
            record, asset = uploads.with_asset(change.tx, upload)
            if record.state != "open":
                return asset
            uploads.set_state(change.tx, upload, "finished")
            if asset.state is not AssetState.UPLOADING:
                return asset  # deleted or cancelled while the last bytes came
            fields = {"state": AssetState.INGESTED, "uploaded_at": change.now, "source": source}
            asset = change.save(Outcome(asset.model_copy(update=fields), ("asset.ingested",)))
            change.add_steps(asset, intake())
            return asset

    def terminate_upload(self, upload: str, *, reason: Reason | None = None) -> bool:
        """Given up by the client, or expired: the asset never had a source and ends with it.

        False where that comes too late, because the upload has ended otherwise.
        """
        with self._store.change() as change:
            record, asset = uploads.with_asset(change.tx, upload)
            if record.state != "open":
                return record.state == "terminated"
            uploads.set_state(change.tx, upload, "terminated")
            if reason:
                change.fail_asset(asset, reason)
            else:
                gone = asset.model_copy(update={"state": AssetState.DELETED, "deleted_at": change.now})
                change.save(Outcome(gone, ("asset.deleted",)))
            return True

    def open_uploads(self) -> list[Upload]:
        with self._database.read() as tx:
            return uploads.open_ones(tx)

    # -- who appends to an upload -------------------------------------------------------------------------------------

    def take_hold(self, upload: str, owner: str, lease: float, wanted: holds.Wanted) -> holds.Grip:
        """The right to append for `lease` seconds; where somebody has it, they are told how much it is wanted."""
        with self._database.write() as tx:
            return holds.take(tx, self._store.now(tx), lease, upload=upload, owner=owner, wanted=wanted)

    def ask_for_hold(self, upload: str, wanted: holds.Wanted) -> float | None:
        """Seconds since the holder heard of its client; None where nobody appends."""
        with self._database.write() as tx:
            return holds.ask(tx, self._store.now(tx), upload, wanted)

    def renew_holds(self, owner: str, lease: float, held: Mapping[str, holds.Held]) -> dict[str, holds.Wanted]:
        """All holds of a process at once. Those it has lost are left out of the answer."""
        with self._database.write() as tx:
            return holds.renew(tx, self._store.now(tx), lease, owner, held)

    def has_hold(self, upload: str, owner: str, fence: int) -> bool:
        with self._database.read() as tx:
            return holds.is_held_by(tx, upload, owner, fence)

    def release_hold(self, upload: str, owner: str, fence: int) -> None:
        with self._database.write() as tx:
            holds.release(tx, upload, owner, fence)

    # -- assets -------------------------------------------------------------------------------------------------------

    def asset(self, asset: str) -> Asset:
        """Raises NotFound."""
        with self._database.read() as tx:
            return assets.get(tx, asset)

    def assets(
        self, *, tenant: str | None, after: str | None = None, limit: int = 50, state: AssetState | None = None
    ) -> tuple[list[Asset], str | None]:
        with self._database.read() as tx:
            return assets.page(tx, tenant=tenant, after=after, limit=limit, state=state)

    def steps(self, asset: str) -> list[StepView]:
        with self._database.read() as tx:
            return [steps.view(row) for row in steps.of_asset(tx, asset)]

    def cost(self, asset: str) -> dict[str, float]:
        """CPU seconds of all attempts, wasted ones too, and bytes of the newest build's segments."""
        with self._database.read() as tx:
            used = sum(row["cpu_seconds"] for row in steps.of_asset(tx, asset))
            noun = assets.get(tx, asset)
        stored = sum(track.bytes for track in noun.tracks) + (noun.source.size if noun.source else 0)
        return {"cpu_seconds": round(used, 3), "bytes_stored": float(stored)}

    def update(self, asset: str, *, title: str | None = None, metadata: dict[str, str] | None = None) -> Asset:
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            fields: dict[str, object] = {} if title is None else {"title": title}
            if metadata is not None:
                fields["metadata"] = metadata
            return change.save(Outcome(noun.model_copy(update=fields), ("asset.updated",)))

    def cancel(self, asset: str) -> Asset:
        """Stop the work. An asset that is ready stays as it is; one that is not fails as `cancelled`, and its pointer goes."""
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            if noun.state.is_final:
                steps.cancel_open(change.tx, asset, change.now, optional_only=noun.state is AssetState.READY)
                return noun
            uploads.terminate_of(change.tx, asset)
            return change.fail_asset(noun, Reason(code="cancelled", message=REASONS["cancelled"]))

    def retry(self, asset: str) -> Asset:
        """Start failed and cancelled steps again. Raises Conflict where there is nothing to retry."""
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            if noun.source is None or noun.state is AssetState.DELETED:
                raise Conflict("nothing_to_retry", "This asset has no source to work on.")
            if not steps.reopen(change.tx, asset):
                raise Conflict("nothing_to_retry", "No step of this asset has failed.")
            change.settle(asset)
            states = {row["key"]: row["state"] for row in steps.of_asset(change.tx, asset)}
            if noun.state is AssetState.FAILED and states.get("publish.ready") == "done":
                change.add_steps(noun, republication(noun.revision, sorted(states)))
            return change.save(Outcome(revived(noun), ("asset.updated",)))

    def converge(self, asset: str, *, above: int = 0) -> Asset:
        """Have the pointer made what the catalog says of the asset; builds to come have numbers greater than `above`."""
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            assets.skip_builds(change.tx, asset, above)
            change.converge(noun)
            return noun

    def delete(self, asset: str) -> Asset:
        """Takedown: unreachable from now on; a cleanup step removes pointers first, then the objects."""
        with self._store.change() as change:
            noun = assets.get(change.tx, asset)
            if noun.state is AssetState.DELETED:
                return noun
            steps.cancel_open(change.tx, asset, change.now)
            uploads.terminate_of(change.tx, asset)
            fields = {
                "state": AssetState.DELETED, "publication": Publication.PRIVATE, "published_build": 0,
                "deleted_at": change.now,
            }  # fmt: skip
            noun = change.save(Outcome(noun.model_copy(update=fields), ("asset.deleted",)))
            change.take_down(noun)
            return noun

    def decide(self, asset: str, action: Action) -> Asset:
        """A moderator's decision: it overrules the policy from now on, both ways."""
        with self._store.change() as change:
            return _decide(change, asset, action)

    def why(self, asset: str) -> str:
        """What an asset is waiting for, in a sentence."""
        with self._database.read() as tx:
            return why.explain(assets.get(tx, asset), [steps.view(row) for row in steps.of_asset(tx, asset)])

    # -- events, deliveries, fleet ------------------------------------------------------------------------------------

    def events(
        self, *, after: int = 0, asset: str | None = None, tenant: str | None = None, limit: int = 100
    ) -> list[Event]:
        with self._database.read() as tx:
            return outbox.after(tx, after, asset=asset, tenant=tenant, limit=limit)

    def last_event(self) -> int:
        with self._database.read() as tx:
            return outbox.last(tx)

    def take_deliveries(self, limit: int = 20) -> list[Delivery]:
        """Deliveries that are due, the caller's for `outbox.LEASE` seconds; nobody else is given them meanwhile."""
        with self._database.read() as tx:
            if not outbox.is_due(tx, self._store.now(tx)):
                return []
        with self._database.write() as tx:
            return outbox.take(tx, self._store.now(tx), limit)

    def delivery_done(self, delivery: Delivery) -> None:
        with self._database.write() as tx:
            outbox.settle(tx, delivery, "done")

    def delivery_failed(self, delivery: Delivery, delay: float | None) -> None:
        """To be tried again in `delay` seconds; None gives up."""
        with self._database.write() as tx:
            if delay is None:
                outbox.settle(tx, delivery, "abandoned")
            else:
                outbox.settle(tx, delivery, "due", self._store.now(tx) + delay)

    def fleet(self) -> Fleet:
        with self._database.read() as tx:
            return fleet.view(tx, self._store.now(tx))

    def counts(self) -> Counts:
        with self._database.read() as tx:
            return fleet.counts(tx, self._store.now(tx))


def _decide(change: Change, asset: str, action: Action) -> Asset:
    noun = assets.get(change.tx, asset)
    if not noun.state.has_build:
        raise Conflict("no_build", "There is nothing to decide on: this asset has no build yet.")
    change.tx.execute(
        "UPDATE assets SET verdict_override = :action WHERE id = :id", {"action": action.value, "id": asset}
    )
    noun = change.save(Outcome(noun, ("asset.updated",)))
    if action is not Action.PUBLISH:  # a takedown does not wait for a worker
        verdict = Verdict(action=action, policy=noun.policy, rules=("override",))
        noun = change.save(apply(noun, "verdict.review", VerdictResult(verdict=verdict), change.now))
    change.add_steps(noun, review(noun.revision))
    return noun
