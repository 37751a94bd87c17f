"""The operators' commands: what they ask of the server, and what they print."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from rushes.cli import app

WORKERS = [
    {"id": "video-1-ab", "state": "working", "steps": ["a/encode"]},
    {"id": "video-2-cd", "state": "working", "steps": []},
]


class Server:
    """Answers by path, the next of a list each time; the last stays. Knows what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"/v1/fleet": [{"workers": WORKERS, "pools": []}]}
        self.calls: list[tuple[Any, ...]] = []

    def call(self, method: str, path: str, *, body: Any = None, **parameters: Any) -> Any:
        if method != "GET" or parameters:
            self.calls.append((method, path, body or parameters or None))
        given = self.answers.get(path, [{"id": "a1", "state": "ready", "publication": "published"}])
        return given.pop(0) if len(given) > 1 else given[0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    for name in ("acts", "assets", "quarantine"):
        monkeypatch.setattr(f"rushes.operating.{name}.Client", lambda *_: found)
    monkeypatch.setattr("rushes.operating.acts.wait_a_moment", lambda _: None)
    return found


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("drain", "video-1"), ("POST", "/v1/fleet/workers/video-1-ab/drain", None)),
        (("cordon", "video-2-cd"), ("POST", "/v1/fleet/workers/video-2-cd/cordon", None)),
        (("uncordon", "video-2"), ("POST", "/v1/fleet/workers/video-2-cd/uncordon", None)),
        (("pause", "speech", "--reason", "x"), ("POST", "/v1/fleet/pools/speech/pause", {"reason": "x"})),
        (("resume", "speech"), ("POST", "/v1/fleet/pools/speech/resume", None)),
        (("priority", "a1", "bulk"), ("POST", "/v1/assets/a1/priority", {"class": "bulk"})),
        (("retry", "a1"), ("POST", "/v1/assets/a1/retry", None)),
        (("retry", "a1", "--from", "package.1"), ("POST", "/v1/assets/a1/retry", {"from": "package.1"})),
        (("cancel", "a1"), ("POST", "/v1/assets/a1/cancel", None)),
        (("delete", "a1"), ("DELETE", "/v1/assets/a1", None)),
        (("quarantine", "release", "a1/probe"), ("POST", "/v1/quarantine/a1/probe/release", None)),
    ],
)
def test_each_act_is_one_request(server: Server, arguments: tuple[str, ...], call: tuple[Any, ...]) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (0, "")
    assert server.calls == [call]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("drain", "video"), "may be any of video-1-ab"),
        (("drain", "audio"), "There is no worker audio"),
        (("drain", ""), "Name a worker"),
        (("pause", "tea"), "There is no pool tea"),
        (("priority", "a1", "soon"), "There is no class soon"),
    ],
)
def test_what_there_is_not_is_said_and_nothing_is_done(
    server: Server, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(*arguments)
    assert done.exit_code == 2  # 64 of the command itself: tests/unit/test_cli.py
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert server.calls == []


def test_a_drain_is_waited_for_until_the_worker_has_heard_and_runs_nothing(server: Server) -> None:
    def seen(state: str, *steps: str) -> dict[str, Any]:
        return {"workers": [{"id": "video-1-ab", "state": state, "steps": list(steps)}], "pools": []}

    looks = [seen("working"), seen("working"), seen("draining", "a/encode"), seen("draining"), seen("working", "b/x")]
    server.answers["/v1/fleet"] = looks
    server.answers["/v1/fleet/workers/video-1-ab/drain"] = [{"id": "video-1-ab"}]
    done = run("drain", "video-1", "--wait", "--json")
    assert json.loads(done.stdout) == {"id": "video-1-ab"}
    assert len(looks) == 1  # not at the idle look before it had heard, and not one look more


def test_a_worker_that_has_gone_is_drained(server: Server) -> None:
    server.answers["/v1/fleet"] = [{"workers": WORKERS, "pools": []}, {"workers": [], "pools": []}]
    server.answers["/v1/fleet/workers/video-1-ab/drain"] = [{"id": "video-1-ab"}]
    done = run("drain", "video-1", "--wait")
    assert (done.exit_code, "video-1-ab: drained" in done.stderr) == (0, True)


def test_the_quarantine_is_listed_and_a_bundle_printed(server: Server) -> None:
    row = {
        "asset": "a1", "key": "probe", "tenant": "ann", "reason_code": "worker_lost", "at": "2026-01-01T00:00:00Z",
        "released_at": None,
    }  # fmt: skip
    server.answers["/v1/quarantine"] = [{"items": [row], "next": None}]
    server.answers["/v1/quarantine/a1/probe"] = [{**row, "bundle": {"step": "s1"}}]
    listed = run("quarantine", "ls")
    assert listed.stdout.splitlines()[1].split() == ["a1", "probe", "ann", "worker_lost", "2026-01-01T00:00:00Z"]
    assert json.loads(run("quarantine", "show", "a1/probe").stdout) == {"step": "s1"}
