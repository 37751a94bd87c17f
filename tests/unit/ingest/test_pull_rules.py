"""What answers of a file server mean, without a server."""

from __future__ import annotations

import pytest

from rushes.errors import Blame, StepFailure
from rushes.ingest.pull_rules import Version, read, wanted

OLD = Version(validator='"one"', length=100)
PLAIN = {"content-length": "100", "etag": '"one"'}
PART = {"content-length": "60", "content-range": "bytes 40-99/100", "etag": '"one"'}


def test_a_first_request_asks_for_everything_as_it_is() -> None:
    assert wanted(0, None) == {"Accept": "*/*", "Accept-Encoding": "identity"}


def test_a_later_one_asks_for_the_rest_of_the_same_file() -> None:
    headers = wanted(40, OLD)
    assert (headers["Range"], headers["If-Range"]) == ("bytes=40-", '"one"')


def test_without_a_validator_nothing_is_asked_for_in_parts() -> None:
    assert "Range" not in wanted(40, Version(length=100))


def test_a_whole_file_begins_anew() -> None:
    reading = read(200, PLAIN, 0, None)
    assert (reading.version, reading.start, reading.keeps, reading.has_body) == (OLD, 0, False, True)


def test_a_part_goes_on() -> None:
    reading = read(206, PART, 40, OLD)
    assert (reading.version, reading.start, reading.keeps) == (OLD, 40, True)


def test_a_whole_file_of_the_same_version_keeps_what_is_there() -> None:
    reading = read(200, PLAIN, 40, OLD)
    assert (reading.start, reading.keeps) == (0, True)


@pytest.mark.parametrize("changed", [{"etag": '"two"'}, {"content-length": "101"}, {"etag": 'W/"one"'}])
def test_a_whole_file_of_another_version_does_not(changed: dict[str, str]) -> None:
    assert not read(200, {**PLAIN, **changed}, 40, OLD).keeps


@pytest.mark.parametrize("changed", [{"etag": '"two"'}, {"content-range": "bytes 40-99/101"}])
def test_a_part_of_another_version_is_not_taken(changed: dict[str, str]) -> None:
    reading = read(206, {**PART, **changed}, 40, OLD)
    assert (reading.keeps, reading.has_body) == (False, False)


@pytest.mark.parametrize(
    "range_",
    ["bytes 0-99/100", "bytes 41-99/100", "bytes 40-39/100", "bytes 40-100/100", "40-99/100", "bytes */100", ""],
)
def test_a_part_that_was_not_asked_for_is_refused(range_: str) -> None:
    with pytest.raises(StepFailure, match="pull_unusable"):
        read(206, {**PART, "content-range": range_}, 40, OLD)


def test_a_part_of_a_first_request_is_refused() -> None:
    with pytest.raises(StepFailure, match="pull_unusable"):
        read(206, PART, 0, None)


def test_nothing_is_left_where_all_is_stored() -> None:
    reading = read(416, {"content-range": "bytes */100"}, 100, OLD)
    assert (reading.keeps, reading.has_body, reading.version.length) == (True, False, 100)


def test_the_length_of_a_chunked_file_is_learnt_at_its_end() -> None:
    reading = read(416, {"content-range": "bytes */70"}, 70, Version(validator='"one"'))
    assert (reading.keeps, reading.version.length) == (True, 70)


def test_a_file_that_shrank_is_asked_for_again() -> None:
    reading = read(416, {"content-range": "bytes */30"}, 40, OLD)
    assert (reading.keeps, reading.has_body) == (False, False)


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"x"'}, '"x"'),
        ({"etag": 'W/"x"'}, ""),
        ({"etag": "x"}, ""),
        (
            {"last-modified": "Sun, 15 Jun 2025 15:06:39 GMT", "date": "Sun, 15 Jun 2025 15:06:40 GMT"},
            "Sun, 15 Jun 2025 15:06:39 GMT",
        ),
        ({"last-modified": "Sun, 15 Jun 2025 15:06:40 GMT", "date": "Sun, 15 Jun 2025 15:06:40 GMT"}, ""),
        ({"last-modified": "yesterday", "date": "Sun, 15 Jun 2025 15:06:40 GMT"}, ""),
        ({"last-modified": "Sun, 15 Jun 2025 15:06:39 GMT"}, ""),
    ],
)
def test_only_strong_validators_count(headers: dict[str, str], validator: str) -> None:
    assert read(200, {"content-length": "9", **headers}, 0, None).version.validator == validator


@pytest.mark.parametrize("length", ["", "-1", "1e9", "+5", "\u0665", "9" * 30])
def test_a_body_that_ends_with_its_connection_is_refused(length: str) -> None:
    with pytest.raises(StepFailure, match="pull_unusable"):
        read(200, {"content-length": length} if length else {}, 0, None)


def test_chunks_need_no_length() -> None:
    assert read(200, {"transfer-encoding": "chunked"}, 0, None).version.length is None


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(StepFailure, match="pull_unusable"):
        read(200, {**PLAIN, "content-encoding": "gzip"}, 0, None)


@pytest.mark.parametrize(
    ("status", "code", "blame"),
    [
        (404, "pull_not_found", Blame.PERMANENT), (410, "pull_not_found", Blame.PERMANENT),
        (401, "pull_not_allowed", Blame.PERMANENT), (403, "pull_not_allowed", Blame.PERMANENT),
        (408, "pull_failed", Blame.TRANSIENT), (429, "pull_failed", Blame.TRANSIENT),
        (500, "pull_failed", Blame.TRANSIENT), (503, "pull_failed", Blame.TRANSIENT),
        (204, "pull_unusable", Blame.PERMANENT), (304, "pull_unusable", Blame.PERMANENT),
        (400, "pull_unusable", Blame.PERMANENT), (416, "pull_unusable", Blame.PERMANENT),
    ],
)  # fmt: skip
def test_other_answers_say_who_has_to_act(status: int, code: str, blame: Blame) -> None:
    with pytest.raises(StepFailure) as caught:
        read(status, {}, 0, None)
    assert (caught.value.code, caught.value.blame) == (code, blame)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a clip.mp4"', "a clip.mp4"),
        ("attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.mp4", "größe.mp4"),
        ("inline", ""),
    ],
)
def test_a_server_may_name_the_file(header: str, name: str) -> None:
    assert read(200, {**PLAIN, "content-disposition": header}, 0, None).version.filename == name
