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

    def granted(*_: object) -> bool:
        asked.append("session")
        return True

    monkeypatch.setattr(giving_way, "give_way_as_session", granted)
    giving_way.give_way(giving_way.IDLE)
    assert asked == ["no", "no", "session"]


@pytest.mark.parametrize(("refused", "asks"), [(0, 1), (3, 4), (1000, giving_way.ASKED)])
def test_a_kernel_that_wants_to_be_asked_again_is_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, refused: int, asks: int
) -> None:
    asked: list[float] = []
    pauses: list[float] = []

    def answer(*_: object) -> bool:
        asked.append(1)
        return len(asked) > refused

    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(giving_way, "give_way_as_session", answer)
    monkeypatch.setattr(giving_way, "pause", pauses.append)
    giving_way.give_way(10)
    assert (len(asked), len(pauses)) == (asks, min(refused, giving_way.ASKED))
