"""Servers that do not keep to conditional puts are found out, each by what it does wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from rushes.storage.bucket import Bucket, StoreLacks
from rushes.storage.conditions import obeys
from rushes.storage.store import ObjectExists, ObjectMissing, StoreError

Rule = Callable[[dict[str, str], str, dict[str, Any]], None]


def strict(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
    if "IfNoneMatch" in asked and name in objects:
        raise ObjectExists(name)
    if "IfMatch" in asked:
        if name not in objects:
            raise ObjectMissing(name)
        if objects[name] != asked["IfMatch"]:
            raise ObjectExists(name)


def deaf(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
    pass


def creates_only(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
    if "IfMatch" in asked:
        raise StoreLacks(name)
    strict(objects, name, asked)


def matches_nothing(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
    """If-Match is taken for true where there is no object: MinIO before August 2025."""
    if name in objects:
        strict(objects, name, asked)


def refuses_all(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
    if "IfMatch" in asked:
        raise ObjectExists(name)
    strict(objects, name, asked)


class Pretending:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.objects: dict[str, str] = {}

    def put(self, name: str, body: bytes, **asked: Any) -> str:
        self.rule(self.objects, name, asked)
        self.objects[name] = f'"{body.decode()}"'
        return self.objects[name]

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


@pytest.mark.parametrize(
    ("rule", "good"),
    [(strict, True), (deaf, False), (creates_only, False), (matches_nothing, False), (refuses_all, False)],
)
def test_only_a_server_that_does_all_of_it_is_believed(rule: Rule, good: bool) -> None:
    bucket = Pretending(rule)
    assert obeys(cast(Bucket, bucket)) is good
    assert bucket.objects == {}


def test_a_failure_is_no_answer() -> None:
    def fails(objects: dict[str, str], name: str, asked: dict[str, Any]) -> None:
        raise StoreError("503")

    with pytest.raises(StoreError, match="503"):
        obeys(cast(Bucket, Pretending(fails)))
