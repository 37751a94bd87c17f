from __future__ import annotations

from pathlib import Path

import pytest

from rushes.settings import Settings, SettingsError
from rushes.storage.local import LocalStore
from rushes.storage.open import open_store


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


def test_s3_is_refused_in_a_sentence():
    with pytest.raises(SettingsError, match="S3 stores are not supported by this version"):
        open_store("s3://bucket/prefix")
