"""What an operator sees of the fleet in a terminal."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from rushes.errors import RushesError
from rushes.operating.ledger import shown, size
from rushes.operating.view import drawing, live, span, tell

POOL = {
    "pool": "video", "ready": 3, "running": 2, "waiting": 1, "backlog_seconds": 210.0, "oldest_ready_seconds": 42.0,
    "ready_cpu_seconds": 600.0, "running_cpu_seconds": 240.0, "planned_cpu_seconds": 0.0, "workers": 2, "cores": 4.0,
    "paused": False, "reason": "",
}  # fmt: skip
WORKER = {
    "id": "host-1", "pools": ["video", "audio"], "slots": 4, "state": "working", "reason": "", "cores": 4.0, "speed": 0.5,
    "steps": [f"0123456789abcdefghjkmnpq{number:02}/encode.{number}" for number in range(4)],
}  # fmt: skip


def drawn(view: dict[str, Any] | None, trouble: str = "") -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(drawing(view, trouble))
    found = console.file
    assert isinstance(found, io.StringIO)
    return found.getvalue()


def test_pools_with_their_backlog_and_workers_with_their_speed_and_steps() -> None:
    text = drawn({"pools": [POOL], "workers": [WORKER]})
    for part in ("video", "3.5 min", "14.0 min", "42 s", "host-1", "video, audio", "4/4", "0.50x", "and 1 more"):
        assert part in text
    assert "encode.2 of …mnpq02" in text
    assert "encode.3" not in text


def test_what_operators_did_is_said() -> None:
    cordoned = WORKER | {"state": "cordoned", "reason": "slow_host", "steps": []}
    text = drawn({"pools": [POOL | {"paused": True}], "workers": [cordoned]})
    assert "video (paused)" in text
    assert "cordoned (slow_host)" in text
    assert "0/4" in text


def test_brackets_in_names_are_no_markup() -> None:
    assert "[red]host" in drawn({"pools": [], "workers": [WORKER | {"id": "[red]host"}]})


def test_a_server_that_does_not_answer_is_said_and_asked_again() -> None:
    answers = iter([{"pools": [POOL], "workers": []}, None, {"pools": [POOL], "workers": [WORKER]}])
    console = Console(file=io.StringIO(), width=160, force_terminal=True)

    def look() -> dict[str, Any]:
        if (answer := next(answers)) is None:
            raise RushesError("server_unreachable", "It does not answer.")
        return answer

    live(look, console, iter([None] * 3))
    found = console.file
    assert isinstance(found, io.StringIO)
    first, second, third = found.getvalue().split("Pools")[1:]
    assert "host-1" not in first
    assert "It does not answer." in first  # drawn above the second view, which is the first again
    assert "host-1" not in second
    assert "host-1" in third


def test_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell({"pools": [POOL], "workers": [WORKER | {"state": "draining", "steps": []}]}, json_output=False)
    assert "worker host-1 (draining): idle" in capsys.readouterr().out
    tell({"pools": [POOL], "workers": [WORKER]}, json_output=False)
    assert "paused" not in capsys.readouterr().out
    tell({"pools": [], "workers": []}, json_output=True)
    assert json.loads(capsys.readouterr().out) == {"pools": [], "workers": []}


def test_what_stands_in_the_way_is_said_without_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    slow, told = WORKER | {"state": "cordoned", "reason": "slow_host"}, POOL | {"paused": True, "reason": "a hot rack"}
    tell(
        {"pools": [told, told | {"pool": "audio", "reason": ""}], "workers": [slow | {"steps": []}]}, json_output=False
    )
    said = capsys.readouterr().out
    assert "pool video is paused: a hot rack\n" in said
    assert "pool audio is paused\n" in said
    assert "worker host-1 (cordoned: slow_host): idle\n" in said


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (90, "1.5 min"), (7200, "2.0 h"), (259_200, "3.0 d")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_lines_of_the_ledger() -> None:
    line = {"name": "", "cpu_seconds": 12.34, "wasted_cpu_seconds": 0.0, "bytes_read": 1_536_000, "bytes_written": 7}
    assert shown({**line, "bytes_stored": 2_000_000_000_000}) == {
        "name": "(whole assets)", "cpu": "12.3 s", "wasted": "0.0 s", "read": "1.5 MB", "written": "7 B", "stored": "2.0 TB",
    }  # fmt: skip
    assert size(999) == "999 B"
