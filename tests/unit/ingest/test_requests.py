from __future__ import annotations

import pytest

from rushes.catalog.records import Upload, UploadLimits
from rushes.errors import RushesError
from rushes.ingest.requests import (
    Append,
    Creation,
    LengthMismatch,
    OffsetMismatch,
    OverLimit,
    TooLong,
    check_append,
    check_creation,
    check_length,
    limit_of,
    room_of,
)

LIMIT = 1000


def refused(append: Append, offset: int, length: int | None) -> type[RushesError] | None:
    try:
        check_append(append, offset, length, LIMIT)
    except RushesError as error:
        return type(error)
    return None


@pytest.mark.parametrize("offset", [0, 4, 6, 99])
def test_a_wrong_offset_is_409_and_knows_the_right_one(offset: int) -> None:
    with pytest.raises(OffsetMismatch) as caught:
        check_append(Append(offset, 1), offset=5, length=10, limit=LIMIT)
    assert (caught.value.status, caught.value.offset, caught.value.given) == (409, 5, offset)


@pytest.mark.parametrize(
    ("append", "length", "error"),
    [
        (Append(5, 5), 10, None),
        (Append(5, None), 10, None),
        (Append(5, 0), 10, None),
        (Append(5, 6), 10, TooLong),
        (Append(5, 995), None, None),
        (Append(5, 996), None, OverLimit),
        (Append(5, None), None, None),
        (Append(5, 5, length=10), None, None),
        (Append(5, 5, length=10), 10, None),
        (Append(5, 6, length=10), None, TooLong),
        (Append(5, 5, length=11), 10, LengthMismatch),
        (Append(5, 0, length=4), None, LengthMismatch),
        (Append(5, 0, length=5), None, None),
        (Append(5, 0, length=1001), None, OverLimit),
        (Append(4, 0, length=1001), None, OffsetMismatch),
    ],
)
def test_what_may_be_appended_to_five_bytes(
    append: Append, length: int | None, error: type[RushesError] | None
) -> None:
    assert refused(append, 5, length) is error


@pytest.mark.parametrize(("length", "fits"), [(1000, True), (None, True), (1001, False), (10**30, False)])
def test_the_largest_size(length: int | None, fits: bool) -> None:
    creation = Creation(length=length, metadata={}, raw_metadata="", body=False)
    if fits:
        check_creation(creation, LIMIT)
        return
    with pytest.raises(OverLimit) as caught:
        check_creation(creation, LIMIT)
    assert (caught.value.status, caught.value.code, caught.value.limit) == (413, "over_limit_bytes", LIMIT)


def test_a_length_that_was_said_stays() -> None:
    check_length(10, 5, 10, LIMIT)
    with pytest.raises(LengthMismatch) as caught:
        check_length(11, 5, 10, LIMIT)
    assert caught.value.status == 400


@pytest.mark.parametrize(("offset", "length", "room"), [(3, 10, 7), (10, 10, 0), (3, None, 997), (2000, None, 0)])
def test_the_room_that_is_left(offset: int, length: int | None, room: int) -> None:
    assert room_of(offset, length, LIMIT) == room


@pytest.mark.parametrize(("own", "limit"), [(None, 1000), (10, 10), (2000, 1000)])
def test_the_limit_of_an_upload_is_its_own_if_that_is_lower(own: int | None, limit: int) -> None:
    upload = Upload(
        id="u", asset=None, tenant="t", length=None, limits=UploadLimits(max_bytes=own), created_at=0, expires_at=0
    )
    assert limit_of(upload, LIMIT) == limit
