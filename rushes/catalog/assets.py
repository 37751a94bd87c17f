"""Assets as rows. The noun is stored whole; a few columns are copies to search by."""

from __future__ import annotations

from rushes.catalog.database import Row, Session
from rushes.errors import NotFound
from rushes.model import Asset
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import AssetState


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
        "doc": asset.model_dump_json(),
    }


def get(tx: Session, asset: str) -> Asset:
    """Raises NotFound."""
    return Asset.model_validate_json(row(tx, asset)["doc"])


def row(tx: Session, asset: str) -> Row:
    found = tx.one("SELECT * FROM assets WHERE id = :id", {"id": asset})
    if found is None:
        raise NotFound("asset_not_found", "There is no asset of this id.")
    return found


def save(tx: Session, asset: Asset) -> Asset:
    """Store a changed asset; its revision rises."""
    changed = asset.model_copy(update={"revision": asset.revision + 1})
    tx.execute(
        "UPDATE assets SET state = :state, publication = :publication, doc = :doc WHERE id = :id",
        {key: value for key, value in _columns(changed).items() if key in ("id", "state", "publication", "doc")},
    )
    return changed


def page(
    tx: Session, *, tenant: str | None, after: str | None, limit: int, state: AssetState | None
) -> tuple[list[Asset], str | None]:
    """Newest first. The cursor is the last id given: ids sort by time, so pages stay stable while assets arrive."""
    rows = tx.all(
        "SELECT doc FROM assets WHERE (:tenant IS NULL OR tenant = :tenant) AND (:after IS NULL OR id < :after)"
        " AND (state = :state OR (:state IS NULL AND state <> 'deleted')) ORDER BY id DESC LIMIT :limit",
        {"tenant": tenant, "after": after, "state": state.value if state else None, "limit": limit + 1},
    )
    assets = [Asset.model_validate_json(found["doc"]) for found in rows[:limit]]
    return assets, assets[-1].id if len(rows) > limit else None


def take_build_number(tx: Session, asset: str) -> int:
    """The next number; each attempt to package gets its own, so that no two ever write the same place."""
    number: int = row(tx, asset)["next_build"]
    tx.execute("UPDATE assets SET next_build = :next WHERE id = :id", {"next": number + 1, "id": asset})
    return number
