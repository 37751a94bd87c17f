"""`Content-Digest` and `Repr-Digest` (RFC 9530) and the problems with them."""

from __future__ import annotations

import base64
import hashlib

import pytest

from rushes.errors import Refused
from rushes.ingest.digest_fields import ALGORITHMS, DigestProblem, content_digests, mismatch, repr_digests, wanted


def field(key: str, data: bytes) -> str:
    return f"{key}=:{base64.b64encode(data).decode()}:"


def test_every_algorithm_is_read_by_its_key():
    given = {"sha-512": 64, "sha-256": 32, "sha": 20, "md5": 16, "crc32c": 4}
    header = ", ".join(field(key, bytes(size)) for key, size in given.items())
    assert content_digests(header) == {ALGORITHMS[key]: bytes(size) for key, size in given.items()}


def test_no_header_no_digest():
    assert content_digests(None) == {}
    assert repr_digests("") == {}


def test_one_that_we_know_is_enough():
    digest = hashlib.sha256(b"x").digest()
    assert repr_digests(f"adler=:AAAAAA==:, {field('sha-256', digest)}") == {"sha256": digest}


def test_what_we_cannot_check_is_refused_with_what_we_can():
    with pytest.raises(DigestProblem) as caught:
        content_digests("adler=:AAAAAA==:, unixsum=:AAA=:")
    assert caught.value.kind == "digest-unsupported-algorithms"
    assert caught.value.members == {
        "unsupported-algorithms": [
            {"algorithm": "adler", "header": "Content-Digest"},
            {"algorithm": "unixsum", "header": "Content-Digest"},
        ]
    }
    assert caught.value.headers["Want-Content-Digest"] == "sha-256=10, sha-512=9"


@pytest.mark.parametrize("value", ["=:AAAA:", "=1", '="AAAA"', "", "=?1"])
def test_a_digest_of_the_wrong_size_or_type_is_refused(value: str):
    with pytest.raises(DigestProblem) as caught:
        repr_digests(f"sha-256{value}")
    assert caught.value.status == 400
    assert caught.value.members["invalid-digests"] == [
        {"algorithm": "sha-256", "header": "Repr-Digest", "reason": "digest value is not 32 bytes long"}
    ]


def test_a_header_that_is_no_dictionary_is_no_problem_of_digests():
    with pytest.raises(Refused) as caught:
        content_digests("sha-256 abc")
    assert (type(caught.value), caught.value.code) == (Refused, "bad_header")


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        ("sha-256=1", "sha256"),
        ("sha-256=1, sha-512=3, unixsum=9", "sha512"),
        ("sha-256=0", None),
        ("md5=10", None),
        ("sha-256=?1, sha-512=:AAAA:", None),
        ("sha-256=", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wish_for_a_digest(header: str | None, algorithm: str | None):
    assert wanted(header) == algorithm


def test_a_mismatch_repeats_what_was_given_and_not_what_was_found():
    problem = mismatch("Repr-Digest", {"crc32c": b"\x00\x01\x02\x03"})
    assert (problem.code, problem.status) == ("digest_mismatching_values", 400)
    assert problem.members["mismatching-digests"] == [
        {"algorithm": "crc32c", "provided-digest": ":AAECAw==:", "header": "Repr-Digest"}
    ]
