"""The manifest of an import: which objects, and what is to be said of each. Pure.

CSV with a header, or a JSON object a line:

    path,title,tenant,external_id,profile,metadata.series
    2019/opening.mp4,Opening night,acme,film-1,archive,nights

    {"path": "2019/opening.mp4", "title": "Opening night", "external_id": "film-1", "metadata": {"series": "nights"}}

`path` is relative to the prefix that is imported; everything else may be left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field, ValidationError

from rushes.noun import Noun
from rushes.text import one_line

_PREFIX = "metadata."
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ManifestError(ValueError):
    """The text says which line, and what is wrong with it."""


class Entry(Noun):
    """One object to be imported."""

    path: str = Field(min_length=1, max_length=1024)
    title: str = Field(default="", max_length=500)
    tenant: str = Field(default="", max_length=64)
    """Empty: the one that the import is for."""
    external_id: str = Field(default="", max_length=255)
    """What it is called elsewhere; kept as the metadatum `external_id`."""
    profile: str = Field(default="", max_length=64)
    """Empty: the one that the import is for."""
    metadata: dict[str, str] = Field(default_factory=dict, max_length=50)

    @property
    def all_metadata(self) -> dict[str, str]:
        return {**self.metadata, **({"external_id": self.external_id} if self.external_id else {})}


def parse_manifest(text: str, name: str) -> list[Entry]:
    """`name` is the file's, whose ending tells the form. Raises ManifestError."""
    rows = _json_lines(text) if name.endswith((".jsonl", ".ndjson")) else _csv(text)
    entries: dict[tuple[str, str], Entry] = {}
    for line, row in rows:
        entry = _entry(line, row)
        if (entry.tenant, entry.path) in entries:
            raise ManifestError(f"Line {line}: {entry.path} comes twice.")
        entries[entry.tenant, entry.path] = entry
    return list(entries.values())


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    known = ("path", "title", "tenant", "external_id", "profile")
    try:
        names = reader.fieldnames or []
        unknown = [name for name in names if name not in known and not name.startswith(_PREFIX)]
        if "path" not in names or unknown:
            raise ManifestError(
                f"Line 1: the header must name `path`, and may name {', '.join(known[1:])} and columns `metadata.NAME`"
                + (f"; not {', '.join(map(repr, unknown))}." if unknown else ".")
            )
        for row in reader:
            if None in row or None in row.values():
                raise ManifestError(f"Line {reader.line_num}: it has another number of fields than the header.")
            plain = {key: value for key, value in row.items() if key in known}
            metadata = {key[len(_PREFIX) :]: value for key, value in row.items() if key.startswith(_PREFIX) and value}
            yield reader.line_num, {**plain, "metadata": metadata}
    except csv.Error as error:
        raise ManifestError(f"Line {reader.line_num}: {error}.") from error


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, each in _lines(text):
        try:
            row = json.loads(each)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ManifestError(f"Line {line}: it is not JSON.") from error
        if not isinstance(row, dict):
            raise ManifestError(f"Line {line}: it is not an object.")
        yield line, row


def _lines(text: str) -> Iterable[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _entry(line: int, row: dict[str, Any]) -> Entry:
    if unknown := sorted(set(row) - set(Entry.model_fields)):
        raise ManifestError(f"Line {line}: there is no field {', '.join(map(repr, unknown))}.")
    try:
        entry = Entry.model_validate(row)
    except ValidationError as error:
        issue = error.errors()[0]
        raise ManifestError(f"Line {line}: {'.'.join(map(str, issue['loc']))}: {issue['msg']}.") from error
    if entry.tenant and not _TENANT.fullmatch(entry.tenant):
        raise ManifestError(f"Line {line}: {entry.tenant!r} is no name of a tenant.")
    metadata = {one_line(key, 64): one_line(value, 1024) for key, value in entry.metadata.items()}
    return entry.model_copy(update={"title": one_line(entry.title, 500), "metadata": metadata})
