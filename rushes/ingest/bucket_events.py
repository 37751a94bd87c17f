"""What an object store tells of new objects, in each of the forms in use. Pure.

Amazon S3's event message (also MinIO's, Ceph's and R2's webhooks), and Amazon EventBridge's "Object Created".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus


@dataclass(frozen=True)
class Created:
    """An object that is there now, as somebody says; whether it is, and how it is, the store has to be asked."""

    bucket: str
    key: str


def created_in(message: object) -> list[Created]:
    """All new objects that a message tells of. Whatever else it holds is passed over."""
    if not isinstance(message, Mapping):
        return []
    return [*_of_records(message.get("Records")), *_of_event_bridge(message)]


def _of_records(records: object) -> Iterator[Created]:
    """Keys are encoded as in a form (Amazon S3 User Guide, "Event message structure")."""
    for record in records if isinstance(records, list) else ():
        name = _text(record, "eventName").removeprefix("s3:")
        key = _text(record, "s3", "object", "key")
        if name.startswith("ObjectCreated:") and key:
            yield Created(_text(record, "s3", "bucket", "name"), unquote_plus(key))


def _of_event_bridge(message: Mapping[str, Any]) -> Iterator[Created]:
    """Keys are as they are (Amazon S3 User Guide, "EventBridge event message structure")."""
    key = _text(message, "detail", "object", "key")
    if _text(message, "detail-type") == "Object Created" and key:
        yield Created(_text(message, "detail", "bucket", "name"), key)


def _text(found: object, *path: str) -> str:
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
