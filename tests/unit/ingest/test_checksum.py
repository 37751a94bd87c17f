from __future__ import annotations

import hashlib

import pytest

from rushes.ingest.checksum import SIZES, Check, ChecksumMismatch, Proof, hasher

CHECK = b"123456789"
"""What catalogues of checksums give the value for."""


@pytest.mark.parametrize("algorithm", SIZES)
def test_each_algorithm_gives_as_many_bytes_as_it_says(algorithm: str) -> None:
    assert len(hasher(algorithm).digest()) == SIZES[algorithm]


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("crc32c", "e3069283"),  # CRC-32/ISCSI
        ("sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("md5", "25f9e794323b453885f5181f1b624d0b"),
        ("sha256", hashlib.sha256(CHECK).hexdigest()),
    ],
)
def test_known_values(algorithm: str, digest: str) -> None:
    made = hasher(algorithm)
    made.update(CHECK[:4])
    made.update(CHECK[4:])
    assert made.digest().hex() == digest


def test_a_proof_holds_or_it_does_not() -> None:
    digests = {"md5": bytes.fromhex("25f9e794323b453885f5181f1b624d0b"), "crc32c": bytes.fromhex("e3069283")}
    right, wrong = Proof(Check.of(digests)), Proof(Check.of(digests))
    right.update([CHECK[:1], b"", CHECK[1:]])
    wrong.update([CHECK[1:]])
    right.verify()
    with pytest.raises(ChecksumMismatch):
        wrong.verify()


def test_only_the_digests_that_are_given_count() -> None:
    proof = Proof(Check(("sha1", "md5"), lambda: {"md5": bytes.fromhex("25f9e794323b453885f5181f1b624d0b")}))
    proof.update([CHECK])
    proof.verify()
