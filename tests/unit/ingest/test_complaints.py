from __future__ import annotations

import logging

import pytest

from rushes.ingest.complaints import Complaints
from rushes.storage.bucket import StoreRefused
from rushes.storage.store import StoreError


def test_wrong_keys_are_told_once_and_other_troubles_each_time(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(logging.getLogger("test"))
    for _ in range(3):
        complaints.tell("PATCH /files/x", StoreRefused("a: PutObject was answered with AccessDenied"))
        complaints.tell("PATCH /files/x", StoreError("a: no answer"))
    texts = [record.getMessage() for record in caplog.records]
    assert len([text for text in texts if "AccessDenied" in text and "AWS_SECRET_ACCESS_KEY" in text]) == 1
    assert len([text for text in texts if text == "PATCH /files/x cannot be done now: a: no answer"]) == 3
