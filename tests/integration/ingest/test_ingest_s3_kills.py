"""Uploads into S3 of every kind, killed before and after every single request. moto inside this process keeps the objects."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from rushes.storage.bucket import Bucket
from tests.integration.ingest.s3_doomed import Doomed, Kill, new_bucket
from tests.integration.ingest.s3_lives import (
    ID,
    LIVES,
    PART_KEYS,
    Life,
    complete,
    expected,
    litter,
    offset_of,
    store_on,
)


def requests_of(kind: str, bucket: Bucket) -> int:
    counting = Doomed(bucket, 10**9, after=False)
    LIVES[kind](Life(counting))
    return counting.count


STEPS = [(kind, 3 if kind == "joined" else 1) for kind in LIVES] + [
    pytest.param("joined", 1, marks=pytest.mark.nightly)
]
"""From one kill to the next. What is joined takes seventy requests, most of them those of the other kinds."""


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_kill_between_any_two_requests_loses_nothing_acknowledged(client: Any, kind: str, step: int) -> None:
    count = requests_of(kind, new_bucket(client))
    assert count > 10
    for last, after in [(last, after) for last in range(1, count + 1) for after in (False, True)][::step]:
        bucket = new_bucket(client)
        life = Life(Doomed(bucket, last, after=after))
        with suppress(Kill):  # how many states are stored while parts are on their way is a matter of time
            LIVES[kind](life)
        see_what_is_left(kind, life, bucket, f"killed {'after' if after else 'before'} request {last} of {count}")


def see_what_is_left(kind: str, life: Life, bucket: Bucket, what: str) -> None:
    """As the process that comes after the kill."""
    store = store_on(bucket)
    for upload, acknowledged in life.acknowledged.items():
        offset = offset_of(store, upload)
        if offset is None:  # it was handed over, or is being removed
            assert life.finished or kind == "terminated", what
        else:
            assert offset >= acknowledged or life.finished or kind == "terminated", what
    if ID in life.acknowledged and kind != "terminated":
        assert complete(kind, bucket) == expected(kind), what
    for upload in (ID, *PART_KEYS):  # recovery removes what no open upload of the catalog leads to
        store.remove(upload)
    assert litter(bucket) == [], what
