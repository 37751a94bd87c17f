"""Uploads as rows."""

from __future__ import annotations

import json

from rushes.catalog import assets
from rushes.catalog.database import Row, Session
from rushes.catalog.records import Upload
from rushes.errors import NotFound
from rushes.model import Asset

COLUMNS = "id, asset, tenant, length, metadata, raw_metadata, created_at, expires_at, state"


def insert(tx: Session, upload: Upload) -> None:
    tx.execute(
        "INSERT INTO uploads (id, asset, tenant, length, metadata, raw_metadata, created_at, expires_at, state)"
        " VALUES (:id, :asset, :tenant, :length, :metadata, :raw_metadata, :created_at, :expires_at, :state)",
        {**upload.model_dump(), "metadata": json.dumps(upload.metadata)},
    )


def _upload(found: Row) -> Upload:
    return Upload.model_validate({**dict(found), "metadata": json.loads(found["metadata"])})


def get(tx: Session, upload: str) -> Upload:
    """Raises NotFound."""
    found = tx.one(f"SELECT {COLUMNS} FROM uploads WHERE id = :id", {"id": upload})
    if found is None:
        raise NotFound("upload_not_found", "There is no upload of this id; it may have expired. Please start again.")
    return _upload(found)


def with_asset(tx: Session, upload: str) -> tuple[Upload, Asset]:
    """An upload and its asset, which is this transaction's from now on. Raises NotFound.

    The upload is read again once nobody else is changing the asset: perhaps they ended it.
    """
    asset = assets.get(tx, get(tx, upload).asset)
    return get(tx, upload), asset


def set_state(tx: Session, upload: str, state: str) -> None:
    tx.execute("UPDATE uploads SET state = :state WHERE id = :id", {"id": upload, "state": state})


def terminate_of(tx: Session, asset: str) -> None:
    """End the uploads of an asset that is no longer wanted."""
    tx.execute("UPDATE uploads SET state = 'terminated' WHERE asset = :asset AND state = 'open'", {"asset": asset})


def open_ones(tx: Session, *, expired_at: float | None = None) -> list[Upload]:
    rows = tx.all(
        f"SELECT {COLUMNS} FROM uploads WHERE state = 'open'"
        " AND (CAST(:at AS DOUBLE PRECISION) IS NULL OR expires_at <= :at) ORDER BY id",
        {"at": expired_at},
    )
    return [_upload(found) for found in rows]
