"""What the operators' commands print: tables to be copied from, and what became of an asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rushes.client import Client
from rushes.console import as_json, stderr


def table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Aligned columns on standard output, nothing cut."""
    cells = [
        [name.removesuffix("_at") for name in names],
        *(["" if row[name] is None else str(row[name]) for name in names] for row in rows),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def act(client: Client, method: str, path: str, json_output: bool, body: dict[str, Any] | None = None) -> None:
    """Ask for something to be done to an asset, and say what became of it."""
    answer = client.call(method, path, body=body)
    if json_output:
        print(as_json(answer))
    else:
        stderr().print(
            "done" if answer is None else f"{answer['id']}: {answer['state']}, {answer['publication']}", markup=False
        )
