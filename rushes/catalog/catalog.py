"""The catalog as the web side sees it: assets, uploads, events. One transaction per method, thread-safe, synchronous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rushes.catalog import (
    arrival,
    assets,
    bookings,
    early,
    encodes,
    folded,
    holds,
    media_keys,
    outbox,
    steps,
    uploads,
)
from rushes.catalog.change import Change
from rushes.catalog.operations import Operations
from rushes.catalog.records import Delivery, Event, Upload
from rushes.engine.early import Pieces
from rushes.engine.graph import review
from rushes.engine.outcome import Outcome, apply
from rushes.errors import REASONS, Conflict
from rushes.facts import EarlyFacts, SourceRef
from rushes.model import Asset, StepSpec, StepView, Verdict, VerdictResult
from rushes.noun import Reason
from rushes.profiles import Limits, Profile, fitted
from rushes.states import Action, AssetState, Publication


class Catalog(Operations):
    # -- uploads ------------------------------------------------------------------------------------------------------

    def create_part(self, upload: Upload, decide: bookings.Decide | None = None, *, day: bool = True) -> None:
        """An upload that has no asset: a piece of those that will name it."""
        with self._database.write() as tx, bookings.booked(tx, self._store.now(tx), upload, decide, day=day):
            uploads.insert(tx, upload)

    def create_upload(
        self, upload: Upload, asset: Asset, decide: bookings.Decide | None = None, *, day: bool = True
    ) -> Asset:
        """The upload and its asset, at once. `asset.profile` and `.policy` name files; their contents are kept with it.

        `decide` is shown what is taken, while nobody else is admitted: it gives the bytes to reserve, or raises. Where
        nothing can be refused it is a number, and nobody waits.
        Without `day` it is not shown what the tenant brought within a day. Gives the asset of a joined upload that is the
        same, if there is one: then this one is not made.
        """
        with self._store.change() as change, bookings.booked(change.tx, change.now, upload, decide, day=day):
            earlier = uploads.same_joined(change.tx, upload)
            if earlier is not None and earlier.asset is not None:
                return assets.get(change.tx, earlier.asset)
            return arrival.begin(change, upload, asset)

    def same_joined(self, upload: Upload) -> Upload | None:
        """The one that the same caller had joined before from the same parts, for the same file."""
        with self._database.read() as tx:
            return uploads.same_joined(tx, upload)

    def create_arrival(
        self,
        upload: Upload,
        asset: Asset,
        steps: Sequence[StepSpec] = (),
        *,
        name: str | None = None,
        decide: bookings.Decide | None = None,
    ) -> arrival.Arrival:
        """By another door, with the steps that fetch it. Once only under a `name` that its sender chose."""
        with self._store.change() as change, bookings.booked(change.tx, change.now, upload, decide):
            if name is None:
                return arrival.Arrival(arrival.begin(change, upload, asset, steps), upload, is_new=True)
            return arrival.begin_once(change, name, upload, asset, steps)

    def arrival(self, name: str) -> arrival.Arrival | None:
        """What came under a name and was not given up."""
        with self._database.read() as tx:
            return arrival.find(tx, name)

    def upload(self, upload: str) -> Upload:
        """Raises NotFound."""
        with self._database.read() as tx:
            return uploads.get(tx, upload)

    def uploads_of(self, asset: str) -> list[Upload]:
        """Those that became an asset, or are to."""
        with self._database.read() as tx:
            return uploads.of_asset(tx, asset)

    def declare_length(self, upload: str, length: int) -> Upload:
        """What an upload that began without a length will come to. One that is known stays; gives what is true now."""
        with self._database.write() as tx:
            uploads.set_length(tx, upload, length)
            return uploads.get(tx, upload)

    def finish_part(self, upload: str, expires_at: float) -> list[Upload]:
        """All bytes of a part are there; they are kept until then. Gives the joined uploads that wait for it. Again is
        harmless."""
        with self._database.write() as tx:
            if uploads.finish(tx, upload):  # else it has ended before, and perhaps its bytes are gone
                uploads.set_expiry(tx, upload, expires_at)
            return uploads.joined_from(tx, upload)

    def joined_from(self, part: str) -> list[Upload]:
        """Open uploads that wait for this part."""
        with self._database.read() as tx:
            return uploads.joined_from(tx, part)

    def finish_upload(self, upload: str, source: SourceRef, *, seen: str | None = None) -> Asset:
        """The last byte is stored at `source.key`: source, steps and event in one transaction. Again is harmless.

        `seen`: the hash of those bytes of it that the early probe was shown, if there was one.
        """
        with self._store.change() as change:
            return arrival.arrived(change, upload, source, seen=seen)

    def recognise(self, asset: str, facts: EarlyFacts, pieces: Pieces | None = None) -> bool:
        """Note what the first bytes of an upload say; with `pieces`, plan its early probe. False where it is too late."""
        with self._store.change() as change:
            return early.recognise(change, asset, facts, pieces)

    def early_pieces(self, asset: str) -> Pieces | None:
        """Which bytes a finished early probe was shown; None where there is none."""
        with self._database.read() as tx:
            return early.pieces(tx, asset)

    def limits_of(self, asset: str) -> Limits:
        """What the profile of an asset, and the upload that it came by, allow. Raises NotFound."""
        with self._database.read() as tx:
            return assets.terms(tx, asset)[0].limits

    def terminate_upload(self, upload: str, *, reason: Reason | None = None) -> bool:
        """Given up by the client, or expired: the asset never had a source and ends with it.

        False where that comes too late, because the upload has ended otherwise. A part may go at any time.
        """
        with self._store.change() as change:
            asset = uploads.with_asset(change.tx, upload)[1]
            if not uploads.terminate(change.tx, upload):
                return uploads.get(change.tx, upload).state == "terminated"
            if asset is None:
                return True
            if reason:
                change.fail_asset(asset, reason)
            else:
                steps.cancel_open(change.tx, asset.id, change.now)
                gone = asset.model_copy(update={"state": AssetState.DELETED, "deleted_at": change.now})
                change.save(Outcome(gone, ("asset.deleted",)))
            return True

    def dismiss_upload(self, upload: str) -> None:
        """The client has done with a finished upload, which is no longer to be found. Its asset stays as it is."""
        with self._database.write() as tx:
            uploads.set_expiry(tx, upload, 0.0)

    def kept_uploads(self) -> list[Upload]:
        """Those whose bytes are kept here: open ones, and parts that are complete."""
        with self._database.read() as tx:
            return uploads.kept(tx)

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

    def wanted_holds(self, owner: str) -> dict[str, holds.Wanted]:
        """Those of a process that somebody waits for."""
        with self._database.read() as tx:
            return holds.wanted(tx, owner)

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
        """CPU seconds of all attempts, wasted ones too, those that copied results have saved, and bytes of the newest
        build's segments."""
        with self._database.read() as tx:
            rows = steps.of_asset(tx, asset)
            noun, gone = assets.get(tx, asset), folded.cost(tx, asset)
        stored = sum(track.bytes for track in noun.tracks) + (noun.source.size if noun.source else 0)
        return {
            "cpu_seconds": round(sum((row["cpu_seconds"] for row in rows), gone[0]), 3),
            "avoided_cpu_seconds": round(sum((row["avoided"] for row in rows), gone[1]), 3),
            "bytes_stored": float(stored),
        }

    def encode(self, asset: str, profile: Profile, most: int = encodes.MOST) -> Asset:
        """Make it again by another profile, beside what plays; `most` times in all. Raises NotFound, Conflict."""
        with self._store.change() as change:
            return encodes.begin(change, asset, fitted(profile, assets.get(change.tx, asset).options), most)

    def cancel_encode(self, asset: str, number: int) -> Asset:
        """Raises NotFound."""
        with self._store.change() as change:
            return encodes.cancel(change, asset, number)

    def rotate_key(self, asset: str) -> Asset:
        """Make a build under a new key. Raises NotFound, Conflict."""
        with self._store.change() as change:
            return media_keys.rotate(change, asset)

    def retire_keys(self, asset: str, version: int) -> Asset:
        """Give out no key before that version any more. Raises NotFound."""
        with self._store.change() as change:
            return media_keys.retire(change, asset, version)

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
                change.settle(asset)
                return noun
            uploads.terminate_of(change.tx, asset)
            return change.fail_asset(noun, Reason(code="cancelled", message=REASONS["cancelled"]))

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

    # -- events, deliveries -------------------------------------------------------------------------------------------

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
