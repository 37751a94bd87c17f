"""Languages of tracks."""

from __future__ import annotations

import pytest

from rushes.ffmpeg.language import bcp47


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("eng", "en"), ("ger", "de"), ("deu", "de"), ("ENG", "en"), ("en-us", "en-US"), ("pt_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("haw", "haw"), ("und", None), ("mul", None), ("", None),
        (None, None), ("```", None), ("<script>", None), ("e", None), ("english", None),
    ],
)  # fmt: skip
def test_bcp47(given: str | None, expected: str | None) -> None:
    assert bcp47(given) == expected
