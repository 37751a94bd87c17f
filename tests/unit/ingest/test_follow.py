from __future__ import annotations

from typing import Any

import httpx
import pytest

from rushes.clock import ManualClock
from rushes.ingest.follow import Follower, outcome
from rushes.ingest.patience import Patience
from rushes.ingest.wire import PushError


def asset(state: str, publication: str = "private", *steps: str) -> dict[str, Any]:
    return {"id": "a", "state": state, "publication": publication, "steps": [{"state": step} for step in steps]}


@pytest.mark.parametrize(
    ("state", "publication", "wait", "code"),
    [
        ("uploading", "private", "uploaded", None),
        ("ingested", "private", "uploaded", 0),
        ("ready", "held", "uploaded", 0),
        ("ingested", "private", "playable", None),
        ("playable", "private", "playable", 0),
        ("playable", "published", "playable", 0),
        ("playable", "held", "playable", 3),
        ("playable", "published", "ready", None),
        ("ready", "published", "ready", 0),
        ("ready", "private", "ready", 0),
        ("ready", "held", "ready", 3),
        ("ready", "blocked", "ready", 3),
        ("playable", "published", "published", 0),
        ("ready", "private", "published", None),
        ("playable", "held", "published", 3),
        ("failed", "private", "uploaded", 2),
        ("failed", "private", "published", 2),
        ("deleted", "private", "ready", 1),
    ],
)
def test_outcomes(state: str, publication: str, wait: str, code: int | None) -> None:
    assert outcome(asset(state, publication), wait) == code


class Script:
    """A server that gives these answers one after the other, the last one for ever."""

    def __init__(self, *answers: dict[str, Any] | int) -> None:
        self.answers, self.asked = list(answers), 0
        self.clock = ManualClock()
        self.shown: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if answer == 0:
            raise httpx.ConnectError("refused")
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json=answer)

    def follow(self, wait: str) -> tuple[int, dict[str, Any]]:
        http = httpx.Client(transport=httpx.MockTransport(self))
        patience = Patience(30.0, self.clock, self.clock.advance, lambda: 1.0)
        show = lambda record: self.shown.append(record["state"])  # noqa: E731 - one expression, used once
        return Follower("http://server", http, patience, show).follow("a", wait)


def test_looks_until_it_is_so_and_shows_each_look() -> None:
    script = Script(asset("ingested"), asset("playable"), asset("ready"))
    code, record = script.follow("ready")
    assert (code, record["state"], script.shown) == (0, "ready", ["ingested", "playable", "ready"])


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    assert Script(0, 503, asset("ready")).follow("ready")[0] == 0


def test_a_server_that_stays_away_ends_it() -> None:
    script = Script(0)
    with pytest.raises(PushError):
        script.follow("ready")
    assert script.clock.now() - ManualClock().now() == 30.0


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_ends_it_at_once(status: int) -> None:
    script = Script(status)
    with pytest.raises(PushError):
        script.follow("ready")
    assert script.asked == 1


def test_what_never_becomes_public_is_not_waited_for_for_ever() -> None:
    assert Script(asset("ready", "private", "done", "failed")).follow("published")[0] == 3


def test_work_that_goes_on_is_waited_for() -> None:
    script = Script(*[asset("ready", "private", "done", "running")] * 200, asset("ready", "published", "done"))
    assert script.follow("published")[0] == 0
