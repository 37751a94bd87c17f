from __future__ import annotations

from pathlib import Path

import pytest

from rushes.settings import Settings, SettingsError
from rushes.storage.local import LocalStore
from rushes.storage.open import open_store
from rushes.storage.s3 import S3Store


def test_file_address(tmp_path: Path):
    store = open_store(f"file://{tmp_path}/o#b?j 100%20")
    assert isinstance(store, LocalStore)
    assert store.root == tmp_path / "o#b?j 100%20"


def test_default_of_the_settings(tmp_path: Path):
    store = open_store(Settings(data=tmp_path / "data").storage)
    assert isinstance(store, LocalStore)
    assert store.root == tmp_path / "data" / "objects"


@pytest.mark.parametrize("url", ["", "objects", "http://x/y", "file://host/path", "file:relative"])
def test_other_addresses_are_refused_with_the_remedy(url: str):
    with pytest.raises(SettingsError, match="must be file:///absolute/path"):
        open_store(url)


def test_s3_address_asks_for_nothing_yet():
    assert isinstance(open_store("s3://bucket/prefix?endpoint_url=http://127.0.0.1:9&region=eu-1"), S3Store)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://key:secret@bucket/prefix",
        "s3://bucket/x?unknown=1",
        "s3://bucket?timeout=soon",
        "s3://bucket?conditional=perhaps",
        "s3://bucket?attempts=0",
        "s3://bucket?endpoint_url=ftp://x",
    ],
)
def test_wrong_s3_addresses_are_refused_in_a_sentence(url: str):
    with pytest.raises(SettingsError, match="RUSHES_STORAGE_URL must look like"):
        open_store(url)
