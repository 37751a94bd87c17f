"""Messages of object stores in each form, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.bucket_events import Created, created_in


def record(name: str, key: str) -> dict[str, object]:
    return {"eventName": name, "s3": {"bucket": {"name": "films"}, "object": {"key": key, "size": 5, "eTag": "x"}}}


def test_amazons_records_are_read() -> None:
    made = record("ObjectCreated:CompleteMultipartUpload", "videos/sources/a+b%2Bc/1")
    gone = record("ObjectRemoved:Delete", "videos/sources/x/1")
    assert created_in({"Records": [made, gone]}) == [Created("films", "videos/sources/a b+c/1")]


def test_minios_webhook_is_read() -> None:
    message = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "films/videos/x",
        "Records": [record("s3:ObjectCreated:Put", "videos/x")],
    }
    assert created_in(message) == [Created("films", "videos/x")]


def test_event_bridges_keys_are_as_they_are() -> None:
    detail = {"bucket": {"name": "films"}, "object": {"key": "videos/a+b", "size": 5}}
    message = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    assert created_in(message) == [Created("films", "videos/a+b")]


@pytest.mark.parametrize(
    "message",
    [
        None, 5, "x", [], {}, {"Records": None}, {"Records": "x"}, {"Records": [None, 5, {}, {"s3": []}]},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "films"},
        {"Records": [{"eventName": 5, "s3": {"object": {"key": ["x"]}}}]}, {"detail-type": "Object Created", "detail": 7},
    ],
)  # fmt: skip
def test_everything_else_is_passed_over(message: object) -> None:
    assert created_in(message) == []


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_message_breaks_it(message: object) -> None:
    assert created_in(json.loads(json.dumps(message))) == []
