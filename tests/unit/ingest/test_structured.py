"""Structured fields, after the examples and the rules of RFC 8941."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.structured import Malformed, boolean, dictionary, integer, write, write_bytes


@pytest.mark.parametrize(
    ("text", "value"), [("?1", True), ("?0", False), (" ?1 ", True), ("?1;a=b", True), ("?0; x ;y=1", None)]
)
def test_a_boolean_may_have_spaces_around_it_and_parameters(text: str, value: bool | None):
    assert boolean(text) is value


@pytest.mark.parametrize("text", [None, "", "1", "true", "?2", "?1 ?0", "?1, ?1", "?", '"?1"', "?1;", "?1;A=1", "\t?1"])
def test_what_is_no_boolean_is_ignored(text: str | None):
    assert boolean(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("42", 42), ("007", 7), ("999999999999999", 10**15 - 1), ("-0", 0)]
)
def test_an_integer_has_at_most_15_digits(text: str, value: int):
    assert integer(text) == value


@pytest.mark.parametrize(
    "text", [None, "", "-1", "1.0", "1e3", "0x10", "+1", "1 2", "1000000000000000", "?1", "a", "1,1", "٣"]
)
def test_what_is_no_such_integer_is_ignored(text: str | None):
    assert integer(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("max-size=10, max-age=20", {"max-size": 10, "max-age": 20}),
        ("a=1 ,\tb", {"a": 1, "b": True}),
        ("a=1, b=2, a=3", {"b": 2, "a": 3}),
        ("sha-256=:AAEC:;p=1", {"sha-256": b"\x00\x01\x02"}),
        ("sha-256=:AAE:", {"sha-256": b"\x00\x01"}),
        ('a="x\\"y\\\\", b=token/x:y, c=-1.5', {"a": 'x"y\\', "b": "token/x:y", "c": -1.5}),
        ("a=(1 ?0  token);q=1, b=()", {"a": (1, False, "token"), "b": ()}),
    ],
)
def test_a_dictionary(text: str, value: dict[str, object]):
    assert dictionary(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a=1,", "a=1 b=2", "A=1", "=1", "a=", "a=:?:", "a=:A:", 'a="x', "a=(1", "a=(1,2)", "a=1;;", "a=?2", "a=1.",
        "a=1.2345", ",a=1", "a=\xe9",
    ],
)  # fmt: skip
def test_what_is_no_dictionary_is_refused_whole(text: str):
    with pytest.raises(Malformed):
        dictionary(text)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True), st.integers(0, 10**15 - 1)))
def test_what_is_written_can_be_read(members: dict[str, int]):
    assert dictionary(write(members)) == members


@given(st.binary(max_size=80))
def test_bytes_that_are_written_can_be_read(data: bytes):
    assert dictionary(f"a={write_bytes(data)}") == {"a": data}


@given(st.text(max_size=60))
def test_no_text_does_harm(text: str):
    boolean(text)
    integer(text)
    with contextlib.suppress(Malformed):
        dictionary(text)
