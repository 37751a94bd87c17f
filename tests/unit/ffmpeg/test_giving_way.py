"""Giving way where the machine does not let it."""

from __future__ import annotations

import os

import pytest

from rushes.ffmpeg import giving_way


def test_work_that_may_not_give_way_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's filter of system calls may refuse them."""
    asked: list[str] = []

    def refused(*_: object) -> None:
        asked.append("no")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "nice", refused)
    monkeypatch.setattr(os, "sched_setscheduler", refused)
    monkeypatch.setattr(giving_way, "give_way_as_session", lambda *_: asked.append("session"))
    giving_way.give_way(giving_way.IDLE)
    assert asked == ["no", "no", "session"]
