"""What is kept of a step that is set aside has no secrets in it."""

from __future__ import annotations

import pytest

from rushes.engine.bundle import without_secrets


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://s3.example.com/in/a.mov?X-Amz-Signature=abc&x=1#t", "https://s3.example.com/in/a.mov"),
        ("http://ann:word@example.com:8080/a.mov", "http://example.com:8080/a.mov"),
        ("HTTPS://example.com?key=abc", "https://example.com"),
        ("https://[broken?key=abc", "https://..."),
        ("sources/ann/a?b", "sources/ann/a?b"),
        (3, 3),
        ({"https": "x"}, {"https": "x"}),
    ],
)
def test_an_address_is_kept_without_what_opens_it(said: object, kept: object) -> None:
    assert without_secrets({"url": said}) == {"url": kept}
