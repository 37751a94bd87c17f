from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rushes.chaos import servers
from rushes.chaos.faults import FAULTS
from rushes.cli import app


def test_the_faults_are_listed() -> None:
    said = CliRunner().invoke(app, ["chaos", "ls"]).stdout
    assert all(name in said for name in FAULTS)
    listed = json.loads(CliRunner().invoke(app, ["chaos", "ls", "--json"]).stdout)
    assert [fault["number"] for fault in listed] == list(range(1, 18))


def test_an_unknown_fault_is_a_sentence() -> None:
    found = CliRunner().invoke(app, ["chaos", "earthquake"])
    assert found.exit_code == 2
    assert "rushes chaos ls" in found.output


def test_what_is_missing_is_named_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "missing", lambda: ["redis-server"])
    found = CliRunner().invoke(app, ["chaos", "no-bell"])
    assert found.exit_code == 1
    assert "redis-server" in str(found.exception)
