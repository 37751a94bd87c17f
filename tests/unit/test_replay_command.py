"""What `rushes replay` says, with the work itself left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rushes import cli, replaying
from rushes.engine.bundle import Bundle, Trial
from rushes.errors import REASONS, Blame
from rushes.model import Skipped
from rushes.noun import Reason
from rushes.workers.order import Done, Failed

BUNDLE = Bundle(
    step="s", asset="a", key="probe", kind="probe", release="1", graph=1, tool="t",
    trials=(Trial(fence=1, worker="w", started_at=1.0, outcome="failed", reason_code="tool_killed"),),
)  # fmt: skip
DIED = Failed(
    reason=Reason(code="tool_killed", message=REASONS["tool_killed"]),
    blame=Blame.POISON,
    detail="it died",
    cpu_seconds=0.0,
)
DONE = Done(result=Skipped(reason=Reason(code="x", message="Nothing.")), cpu_seconds=1.5)


def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rushes", "replay", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, told.out, told.err


@pytest.mark.parametrize(
    ("ended", "code", "says"), [(DIED, 1, "tool_killed (poison)"), (DONE, 0, "done, 1.5 CPU seconds")]
)
def test_it_says_how_it_ended_and_how_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ended: Done | Failed, code: int, says: str
) -> None:
    monkeypatch.setattr(replaying, "run", lambda *_, **__: (BUNDLE, ended))
    found, _, told = called(monkeypatch, capsys, "a/probe")
    assert found == code
    assert f"a/probe: {says}; before: tool_killed" in told
    found, out, _ = called(monkeypatch, capsys, "a/probe", "--json")
    assert json.loads(out)["say"] == ended.say


def test_a_file_that_is_no_bundle_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bundle.json"
    file.write_text('{"step": 3}', encoding="utf-8")
    code, _, told = called(monkeypatch, capsys, str(file), "--data", str(tmp_path))
    assert code == 1
    assert "rushes quarantine show" in told
    assert "Traceback" not in told
    assert "pydantic" not in told and len(told.strip().splitlines()) == 1


def test_a_record_that_could_not_be_read_cannot_be_done_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(BUNDLE.model_dump_json(), encoding="utf-8")
    assert called(monkeypatch, capsys, str(file), "--data", str(tmp_path))[0] == 1


def test_a_step_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, told = called(monkeypatch, capsys, "nothing", "--data", str(tmp_path))
    assert code != 0
    assert "Traceback" not in told
