from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.errors import Refused
from rushes.ingest.metadata import (
    MAX_HEADER,
    MAX_PAIRS,
    MAX_VALUE,
    filename_of,
    parse_metadata,
    readable,
    title_of,
)


def pair(key: str, value: str) -> str:
    return f"{key} {base64.b64encode(value.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        ("", {}),
        ("  ", {}),
        ("filename bW92aWUubXA0", {"filename": b"movie.mp4"}),
        ("filename bW92aWUubXA0,draft", {"filename": b"movie.mp4", "draft": b""}),
        ("draft ", {"draft": b""}),
        ("a YQ==, b Yg==", {"a": b"a", "b": b"b"}),
        ("key-with.signs! YQ==", {"key-with.signs!": b"a"}),
    ],
)
def test_legal_headers(header: str, pairs: dict[str, bytes]) -> None:
    assert parse_metadata(header) == pairs


@pytest.mark.parametrize(
    "header",
    [
        "a YQ==,a Yg==",  # a key twice
        "a YQ==,",  # an empty pair
        ",",
        "a not/base64!",
        "a YQ",  # padding is missing
        "a YQ== extra",
        "kéy YQ==",
    ],
)
def test_illegal_headers_are_refused(header: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_metadata(header)
    assert (caught.value.code, caught.value.status) == ("bad_metadata", 400)


def test_the_header_is_bounded() -> None:
    assert parse_metadata("k" * MAX_HEADER)
    with pytest.raises(Refused) as caught:
        parse_metadata("k" * (MAX_HEADER + 1))
    assert caught.value.status == 431


@given(st.dictionaries(st.from_regex(r"[a-z!#.]{1,9}", fullmatch=True), st.binary(max_size=40), max_size=6))
def test_what_is_encoded_is_read_back(pairs: dict[str, bytes]) -> None:
    header = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in pairs.items())
    assert parse_metadata(header) == pairs


def test_values_and_their_number_are_bounded() -> None:
    many = readable({f"key{index}": b"v" * 5000 for index in range(200)})
    assert len(many) == MAX_PAIRS
    assert {len(value) for value in many.values()} == {MAX_VALUE}


def test_bytes_that_are_no_text_do_not_stop_an_upload() -> None:
    assert readable({"raw": b"a\xff\xfeb"}) == {"raw": "a\ufffd\ufffdb"}


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"filename": "clip.mp4"}, "clip.mp4"),
        ({"name": "from-uppy.mov"}, "from-uppy.mov"),
        ({"filename": "/etc/passwd"}, "passwd"),
        ({"filename": "C:\\videos\\clip.avi"}, "clip.avi"),
        ({"filename": ""}, ""),
        ({}, ""),
    ],
)
def test_a_filename_has_no_path(metadata: dict[str, str], name: str) -> None:
    assert filename_of(metadata) == name


def test_the_title_is_the_given_one_or_the_filename() -> None:
    assert title_of({"title": "My trip", "filename": "x.mp4"}) == "My trip"
    assert title_of({"filename": "x.mp4"}) == "x.mp4"
    assert title_of({}) == ""
