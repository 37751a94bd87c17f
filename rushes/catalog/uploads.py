"""Uploads as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rushes.catalog import assets
from rushes.catalog.database import Row, Session
from rushes.catalog.records import Upload
from rushes.errors import NotFound
from rushes.model import Asset
from rushes.noun import stored_row

_NAMES = (
    "id", "asset", "tenant", "kind", "length", "parts", "metadata", "raw_metadata", "raw_concat", "digests", "ticket",
    "secret", "limits", "created_at", "expires_at", "state",
)  # fmt: skip
COLUMNS = ", ".join(_NAMES)
_OF_U = ", ".join(f"u.{name}" for name in _NAMES)
_JSON = ("parts", "metadata", "digests", "limits")
_FROM_PARTS = "upload_parts p CROSS JOIN uploads u WHERE u.id = p.joined"
"""From the part to what is joined from it. In these words, for SQLite keeps to the order of a CROSS JOIN; otherwise it goes
through all uploads that are open."""


def insert(tx: Session, upload: Upload) -> None:
    values = upload.model_dump()
    tx.execute(
        f"INSERT INTO uploads ({COLUMNS}, reserved) VALUES ({', '.join(f':{name}' for name in _NAMES)}, :reserved)",
        {
            **values,
            **{name: json.dumps(values[name]) for name in _JSON},
            "reserved": 0 if upload.kind == "joined" else upload.length or 0,  # a joined one's bytes are its parts'
        },
    )
    for part in sorted(set(upload.parts)):
        tx.execute(
            "INSERT INTO upload_parts (joined, part) VALUES (:joined, :part)", {"joined": upload.id, "part": part}
        )


def _upload(found: Row) -> Upload:
    return stored_row(Upload, {**dict(found), **{name: json.loads(found[name]) for name in _JSON}})


def get(tx: Session, upload: str) -> Upload:
    """Raises NotFound."""
    found = tx.one(f"SELECT {COLUMNS} FROM uploads WHERE id = :id", {"id": upload})
    if found is None:
        raise NotFound("upload_not_found", "There is no upload of this id; it may have expired. Please start again.")
    return _upload(found)


def with_asset(tx: Session, upload: str) -> tuple[Upload, Asset | None]:
    """An upload and its asset, if it has one, which is this transaction's from now on. Raises NotFound.

    The upload is read again once nobody else is changing the asset: perhaps they ended it.
    """
    name = get(tx, upload).asset
    asset = assets.get(tx, name) if name else None
    return get(tx, upload), asset


def of_asset(tx: Session, asset: str) -> list[Upload]:
    rows = tx.all(f"SELECT {COLUMNS} FROM uploads WHERE asset = :asset ORDER BY id", {"asset": asset})
    return [_upload(found) for found in rows]


def set_length(tx: Session, upload: str, length: int) -> None:
    """Once: a length that is known stays."""
    tx.execute(
        "UPDATE uploads SET length = :length, reserved = CASE WHEN kind = 'joined' THEN 0 ELSE :length END"
        " WHERE id = :id AND length IS NULL",
        {"id": upload, "length": length},
    )


def set_expiry(tx: Session, upload: str, expires_at: float) -> None:
    tx.execute("UPDATE uploads SET expires_at = :at WHERE id = :id", {"id": upload, "at": expires_at})


def joined_from(tx: Session, part: str) -> list[Upload]:
    """Open uploads that wait for this part."""
    rows = tx.all(
        f"SELECT {_OF_U} FROM {_FROM_PARTS} AND p.part = :part AND u.state = 'open' ORDER BY u.id",
        {"part": part},
    )
    return [_upload(found) for found in rows]


def alike(tx: Session, upload: Upload) -> Upload | None:
    """One that the same one-time address made for the same file, and that did not come to nothing: its creation was sent
    again."""
    found = tx.one(
        f"SELECT {COLUMNS} FROM uploads WHERE ticket = :ticket AND state <> 'terminated' AND kind = :kind"
        " AND raw_metadata = :metadata AND coalesce(length, -1) = :length"
        " AND EXISTS (SELECT 1 FROM assets a WHERE a.id = uploads.asset AND a.state NOT IN ('deleted', 'failed'))"
        " ORDER BY id DESC LIMIT 1",
        {
            "ticket": upload.ticket,
            "kind": upload.kind,
            "metadata": upload.raw_metadata,
            "length": -1 if upload.length is None else upload.length,
        },
    )
    return _upload(found) if found else None


def same_joined(tx: Session, upload: Upload) -> Upload | None:
    """One that the same caller had joined from the same parts, in the same order, for the same file, if it is wanted
    still: its creation was sent again."""
    if not upload.parts:
        return None
    found = tx.one(
        f"SELECT {_OF_U} FROM {_FROM_PARTS} AND p.part = :first"
        " AND u.tenant = :tenant AND coalesce(u.ticket, '') = :ticket AND u.parts = :parts"
        " AND u.raw_metadata = :metadata AND u.state <> 'terminated' AND u.expires_at > 0"
        " AND EXISTS (SELECT 1 FROM assets a WHERE a.id = u.asset AND a.state <> 'deleted')"
        " ORDER BY u.id LIMIT 1",
        {
            "first": upload.parts[0],
            "tenant": upload.tenant,
            "ticket": upload.ticket or "",
            "parts": json.dumps(upload.parts),
            "metadata": upload.raw_metadata,
        },
    )
    return _upload(found) if found else None


def finish(tx: Session, upload: str) -> bool:
    """False where it has ended before, in whichever way."""
    return tx.execute("UPDATE uploads SET state = 'finished' WHERE id = :id AND state = 'open'", {"id": upload}) == 1


def terminate(tx: Session, upload: str) -> bool:
    """False where it has ended before; but a part may go also when it is complete."""
    changed = tx.execute(
        "UPDATE uploads SET state = 'terminated'"
        " WHERE id = :id AND (state = 'open' OR (kind = 'part' AND state = 'finished'))",
        {"id": upload},
    )
    return changed == 1


def terminate_of(tx: Session, asset: str) -> None:
    """End the uploads of an asset that is no longer wanted."""
    tx.execute("UPDATE uploads SET state = 'terminated' WHERE asset = :asset AND state = 'open'", {"asset": asset})


def kept(tx: Session) -> list[Upload]:
    """Those whose bytes are kept here: open ones, and parts that are complete."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM uploads WHERE state = 'open' OR (kind = 'part' AND state = 'finished') ORDER BY id", {}
    )
    return [_upload(found) for found in rows]


def hasten(tx: Session, parts: Sequence[str], expires_at: float) -> None:
    """Parts that have served may go soon."""
    for part in sorted(set(parts)):
        tx.execute(
            "UPDATE uploads SET expires_at = :at WHERE id = :id AND kind = 'part' AND expires_at > :at",
            {"id": part, "at": expires_at},
        )
