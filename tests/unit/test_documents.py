"""The documents say what the code does: reason codes, settings, commands and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rushes.cli import app
from rushes.errors import REASONS
from rushes.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WRITTEN = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def test_every_reason_code_is_documented_with_its_sentence() -> None:
    api = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert [code for code, sentence in REASONS.items() if f"`{code}`" not in api or sentence not in api] == []


def test_every_setting_is_documented_with_its_default() -> None:
    rows = (ROOT / "docs/operating.md").read_text(encoding="utf-8").splitlines()
    wrong = []
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if field.default != "" else ""
        wrong += [name] if not any(row.startswith(f"| `RUSHES_{name.upper()}` | {default} |") for row in rows) else []
    assert wrong == []


def test_every_command_is_documented() -> None:
    names = {
        command.name or (command.callback.__name__ if command.callback else "")
        for command in app.registered_commands
        if not command.hidden
    }
    assert [name for name in sorted(names) if f"rushes {name.replace('_', '-')}" not in WRITTEN] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
