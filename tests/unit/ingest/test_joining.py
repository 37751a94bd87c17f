from __future__ import annotations

import pytest

from rushes.catalog.records import Upload
from rushes.ingest.joining import Standing, standing
from rushes.ingest.recovery import needed_parts

NOW = 1000.0


def upload(name: str, state: str = "open", length: int | None = 3, expires_at: float = NOW + 60) -> Upload:
    values = {"id": name, "asset": None, "tenant": "t", "kind": "part", "length": length, "state": state}
    return Upload.model_validate({**values, "created_at": 0, "expires_at": expires_at})


def joined(*parts: str, expires_at: float = NOW + 60) -> Upload:
    values = {"id": "joined", "asset": "a", "tenant": "t", "kind": "joined", "length": None, "parts": parts}
    return Upload.model_validate({**values, "created_at": 0, "expires_at": expires_at})


@pytest.mark.parametrize(
    ("uploads", "stands"),
    [
        ([upload("a", "finished"), upload("b", "finished")], Standing(6, is_complete=True, is_hopeless=False)),
        ([upload("a", "finished"), upload("b")], Standing(6, is_complete=False, is_hopeless=False)),
        ([upload("a"), upload("b", length=None)], Standing(None, is_complete=False, is_hopeless=False)),
        ([upload("a", "terminated"), upload("b", "finished")], Standing(6, is_complete=False, is_hopeless=True)),
        ([upload("a", "finished")], Standing(None, is_complete=False, is_hopeless=True)),
        ([upload("a", "finished", 0), upload("b", "finished", 0)], Standing(0, is_complete=True, is_hopeless=False)),
    ],
)
def test_how_far_the_parts_are(uploads: list[Upload], stands: Standing) -> None:
    assert standing(("a", "b"), {each.id: each for each in uploads}) == stands


def test_a_part_that_comes_twice_counts_twice() -> None:
    assert standing(("a", "a", "a"), {"a": upload("a", "finished")}).length == 9


def test_parts_are_needed_while_one_of_them_still_comes() -> None:
    old = NOW - 1
    coming = [
        upload("a", "finished", expires_at=old),
        upload("b", "open", expires_at=old),
        joined("a", "b", expires_at=old),
    ]
    assert needed_parts(coming, NOW) == {"a", "b"}


def test_parts_are_needed_as_long_as_the_last_of_them_or_the_whole_is_kept() -> None:
    old = NOW - 1
    last = [upload("a", "finished", expires_at=old), upload("b", "finished"), joined("a", "b", expires_at=old)]
    whole = [upload("a", "finished", expires_at=old), upload("b", "finished", expires_at=old), joined("a", "b")]
    assert needed_parts(last, NOW) == needed_parts(whole, NOW) == {"a", "b"}


def test_parts_that_could_not_be_joined_for_too_long_are_not_needed_any_more() -> None:
    old = NOW - 1
    stuck = [upload("a", "finished", expires_at=old), joined("a", expires_at=old)]
    assert needed_parts(stuck, NOW) == set()


def test_parts_that_nobody_waits_for_are_not_needed() -> None:
    assert needed_parts([upload("a", "finished"), upload("b")], NOW) == set()
