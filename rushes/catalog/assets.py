"""Assets as rows. The noun is stored whole; a few columns are copies to search by."""

from __future__ import annotations

from functools import lru_cache

from rushes.catalog.database import Row, Session
from rushes.catalog.queue import UNDER_WAY
from rushes.errors import NotFound, Unreadable
from rushes.model import Asset
from rushes.noun import stored, to_store
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import AssetState

COLUMNS = "id, state, next_build, verdict_override, original, litter, wanted, profile, policy, doc"
IDLE = f"NOT EXISTS (SELECT 1 FROM steps WHERE asset = assets.id AND {UNDER_WAY})"


def insert(tx: Session, asset: Asset, profile: Profile, policy: Policy) -> None:
    tx.execute("INSERT INTO tenants (id) VALUES (:id) ON CONFLICT DO NOTHING", {"id": asset.tenant})
    tx.execute(
        "INSERT INTO assets (id, tenant, state, publication, created_at, profile, policy, doc)"
        " VALUES (:id, :tenant, :state, :publication, :created_at, :profile, :policy, :doc)",
        {**_columns(asset), "profile": profile.model_dump_json(), "policy": policy.model_dump_json()},
    )


def _columns(asset: Asset) -> dict[str, object]:
    return {
        "id": asset.id,
        "tenant": asset.tenant,
        "state": asset.state.value,
        "publication": asset.publication.value,
        "created_at": asset.created_at,
        "source_size": asset.source.size if asset.source else None,
        "stored": _stored(asset),
        "made": sum(track.bytes for track in asset.tracks),
        "doc": to_store(asset),
    }


def _stored(asset: Asset) -> int:
    """Bytes of its source and of its newest build, as far as they are to stay."""
    if asset.state is AssetState.DELETED:
        return 0
    return sum(track.bytes for track in asset.tracks) + (asset.source.size if asset.source else 0)


def get(tx: Session, asset: str) -> Asset:
    """Raises NotFound."""
    return noun(row(tx, asset))


def noun(found: Row) -> Asset:
    """Raises Unreadable."""
    try:
        return _noun(found["doc"])
    except ValueError as error:
        raise Unreadable("unreadable_record", f"This release cannot read the record of the asset: {error}") from error


@lru_cache(maxsize=32)
def _noun(text: str) -> Asset:
    """Nouns do not change: a worker that claims and ends one step of many reads the same record again and again."""
    return stored(Asset, text)


@lru_cache(maxsize=64)
def profile(text: str) -> Profile:
    """As it is stored with an asset or an encode; most have one of a few. Raises ValueError."""
    return stored(Profile, text)


@lru_cache(maxsize=64)
def policy(text: str) -> Policy:
    """The same of a policy."""
    return stored(Policy, text)


def terms(tx: Session, asset: str) -> tuple[Profile, Policy]:
    """Profile and policy as they were when the asset came. Raises NotFound."""
    found = row(tx, asset)
    return profile(found["profile"]), policy(found["policy"])


def row(tx: Session, asset: str) -> Row:
    """Raises NotFound. In a transaction that writes, the row is from now on this transaction's alone.

    Whatever changes an asset or its steps begins here: so two completions of one asset come one after the other, each sees
    what the other did to the record and to the count of what is left, and no two wait for each other.
    """
    found = tx.one(f"SELECT {COLUMNS} FROM assets WHERE id = :id{tx.lock}", {"id": asset})
    if found is None:
        raise NotFound("asset_not_found", "There is no asset of this id.")
    return found


def save(tx: Session, asset: Asset) -> Asset:
    """Store a changed asset; its revision rises."""
    changed = asset.model_copy(update={"revision": asset.revision + 1})
    tx.execute(
        "UPDATE assets SET state = :state, publication = :publication, ready_at = :ready_at, source_size = :source_size,"
        " stored = CASE WHEN original = 1 OR :stored = 0 THEN :stored ELSE :made END, doc = :doc WHERE id = :id",
        {**_columns(changed), "ready_at": asset.ready_at},
    )
    return changed


def page(
    tx: Session, *, tenant: str | None, after: str | None, limit: int, state: AssetState | None
) -> tuple[list[Asset], str | None]:
    """Newest first. The cursor is the last id given: ids sort by time, so pages stay stable while assets arrive."""
    rows = tx.all(
        "SELECT doc FROM assets WHERE (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant)"
        " AND (CAST(:after AS TEXT) IS NULL OR id < :after)"
        " AND (state = :state OR (CAST(:state AS TEXT) IS NULL AND state <> 'deleted')) ORDER BY id DESC LIMIT :limit",
        {"tenant": tenant, "after": after, "state": state.value if state else None, "limit": limit + 1},
    )
    assets = [noun(found) for found in rows[:limit]]
    return assets, assets[-1].id if len(rows) > limit else None


def take_build_number(tx: Session, found: Row) -> int:
    """The next number; each attempt to package gets its own, so that no two ever write the same place."""
    number: int = found["next_build"]
    tx.execute("UPDATE assets SET next_build = :next WHERE id = :id", {"next": number + 1, "id": found["id"]})
    return number


def no_litter(tx: Session, asset: str) -> None:
    """The cleanup of what lost attempts left is planned; `steps.end_attempt` says when there is more."""
    tx.execute("UPDATE assets SET litter = 0 WHERE id = :id", {"id": asset})


def with_litter(tx: Session) -> list[str]:
    """Assets to be tidied up: nothing of them is under way."""
    rows = tx.all(f"SELECT id FROM assets WHERE litter = 1 AND {IDLE} ORDER BY id LIMIT 100")
    return [found["id"] for found in rows]


def with_original(tx: Session, ready_before: float) -> list[str]:
    """Assets that became ready before that time and whose original nobody deletes yet; nothing of them is under way."""
    rows = tx.all(
        f"SELECT id FROM assets WHERE original = 1 AND state = 'ready' AND ready_at < :before AND {IDLE}"
        " ORDER BY ready_at LIMIT 100",
        {"before": ready_before},
    )
    return [found["id"] for found in rows]


def part_with_original(tx: Session, asset: str) -> None:
    """Its cleanup is planned."""
    tx.execute(
        "UPDATE assets SET stored = CASE WHEN stored > source_size THEN stored - source_size ELSE 0 END, original = 0"
        " WHERE id = :id AND original = 1",
        {"id": asset},
    )


def skip_builds(tx: Session, asset: str, above: int) -> None:
    """Numbers up to `above` are taken, though this database does not know it."""
    tx.execute(
        "UPDATE assets SET next_build = :next WHERE id = :id AND next_build < :next", {"next": above + 1, "id": asset}
    )
