"""A stored file and the digests that its client gave, on real files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rushes.ingest.checksum import SIZES, hasher
from rushes.ingest.proving import PIECE, WrongDigest, prove
from rushes.storage.local import LocalStore
from rushes.storage.store import ObjectMissing

DATA = bytes(range(256)) * 5000
"""Some pieces and a rest."""


@pytest.fixture
def objects(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path)
    store.put_bytes("a/b", DATA)
    return store


def digest(algorithm: str) -> bytes:
    made = hasher(algorithm)
    made.update(DATA)
    return made.digest()


@pytest.mark.parametrize("algorithm", SIZES)
def test_a_file_is_proven_by_every_algorithm(objects: LocalStore, algorithm: str):
    assert len(DATA) > PIECE
    prove(objects, "a/b", {algorithm: digest(algorithm)})
    with pytest.raises(WrongDigest):
        prove(objects, "a/b", {algorithm: bytes(SIZES[algorithm])})


def test_one_wrong_digest_is_enough_and_is_named(objects: LocalStore):
    wrong = hashlib.sha256(b"another").digest()
    with pytest.raises(WrongDigest) as caught:
        prove(objects, "a/b", {"md5": digest("md5"), "sha256": wrong})
    assert (caught.value.status, caught.value.wrong) == (400, {"sha256": wrong})


def test_a_file_that_is_not_there_is_not_called_wrong(objects: LocalStore):
    with pytest.raises(ObjectMissing):
        prove(objects, "a/c", {"md5": bytes(16)})
