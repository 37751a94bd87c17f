"""What the wiring of the web process decides by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.server import media_origins
from rushes.settings import Settings
from rushes.storage.local import LocalStore


class Bucket(LocalStore):
    def presign(self, key: str, seconds: int) -> str:
        return f"https://bucket.s3.example:9000/{key}?X-Amz-Expires={seconds}"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("serve", ("https://video.example",)),
        ("redirect", ("https://video.example", "https://bucket.s3.example:9000")),
    ],
)
def test_pages_may_load_media_from_where_the_origin_sends_them(tmp_path: Path, origin, expected) -> None:
    settings = Settings(data=tmp_path, public_url="https://video.example/", origin=origin)
    assert media_origins(settings, Bucket(tmp_path)) == expected


def test_a_store_without_addresses_of_its_own_adds_none(tmp_path: Path) -> None:
    assert media_origins(Settings(data=tmp_path, origin="redirect"), LocalStore(tmp_path)) == ()
