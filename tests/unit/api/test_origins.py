from __future__ import annotations

import pytest

from rushes.api.origins import serialized_origin


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        (" HTTPS://App.Example.com/ ", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(given: str, origin: str) -> None:
    assert serialized_origin(given) == origin


@pytest.mark.parametrize(
    "given",
    ["", "*", "app.example.com", "https://*.example.com", "https://a.test/path", "https://a.test?x", "ftp://a.test",
     "https://me@a.test", "https://", "null", "https://a.test:http", "https://ü.test"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(ValueError):
        serialized_origin(given)
