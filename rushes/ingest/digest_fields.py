"""Integrity fields (RFC 9530): `Content-Digest` of what one request carries, `Repr-Digest` of the whole file. Pure.

A client that gives a digest wants it checked, so one that we cannot check is refused and never passed over in silence:
with the problem types of draft-ietf-httpapi-digest-fields-problem-types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rushes.errors import Refused
from rushes.ingest.checksum import SIZES
from rushes.ingest.structured import Malformed, dictionary, write, write_bytes

ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5", "crc32c": "crc32c"}
"""Keys of the registry (RFC 9530 section 7.2) -> the names in `checksum`. All but the first two are deprecated."""
WANTED = write({"sha-256": 10, "sha-512": 9})
CONTENT, REPR = "Content-Digest", "Repr-Digest"

TITLES = {
    "digest-unsupported-algorithms": "Unsupported Hashing Algorithms",
    "digest-invalid-values": "Invalid Digest Values",
    "digest-mismatching-values": "Mismatching Digest Values",
}
_STRONG = ("sha-512", "sha-256")
_KEYS = {name: key for key, name in ALGORITHMS.items()}


class DigestProblem(Refused):
    """`kind` is the problem type, `members` what it is extended by."""

    def __init__(self, kind: str, message: str, members: Mapping[str, Any], want: bool = False) -> None:
        super().__init__(kind.replace("-", "_"), message)
        self.kind, self.title, self.members = kind, TITLES[kind], dict(members)
        self.headers = {f"Want-{CONTENT}": WANTED, f"Want-{REPR}": WANTED} if want else {}


def content_digests(field: str | None) -> dict[str, bytes]:
    """Algorithm -> digest; empty where there is no such header. Raises Refused."""
    return _digests(CONTENT, field)


def repr_digests(field: str | None) -> dict[str, bytes]:
    return _digests(REPR, field)


def wanted(field: str | None) -> str | None:
    """The algorithm that `Want-Repr-Digest` prefers among those that are not deprecated. What cannot be read, and what
    we do not have, is no wish (section 4): a preference may be left unmet."""
    with suppress(Malformed):
        wishes = dictionary(field or "")
        numbers = {key: weight for key, weight in wishes.items() if isinstance(weight, int) and weight is not True}
        known = {key: numbers[key] for key in _STRONG if key in numbers}
        best = max(known, key=lambda key: known[key], default=None)
        return ALGORITHMS[best] if best and known[best] > 0 else None
    return None


def told(algorithm: str, digest: bytes) -> dict[str, str]:
    """`Repr-Digest` of an answer."""
    return {REPR: f"{_KEYS[algorithm]}={write_bytes(digest)}"}


def mismatch(header: str, digests: Mapping[str, bytes]) -> DigestProblem:
    """What was computed is not told (section "Security Considerations" of the draft)."""
    entries = [
        {"algorithm": _KEYS[name], "provided-digest": write_bytes(digest), "header": header}
        for name, digest in digests.items()
    ]
    message = f"The bytes that arrived do not have the digest that {header} says. Please send them again."
    return DigestProblem("digest-mismatching-values", message, {"mismatching-digests": entries})


def _digests(header: str, field: str | None) -> dict[str, bytes]:
    if field is None:
        return {}
    try:
        given = dictionary(field)
    except Malformed as error:
        raise Refused("bad_header", f"{header} must be a dictionary as sha-256=:base64:.") from error
    known = {key: value for key, value in given.items() if key in ALGORITHMS}
    if given and not known:
        raise _unsupported(header, list(given))
    found = {}
    for key, value in known.items():
        size = SIZES[ALGORITHMS[key]]
        if not isinstance(value, bytes) or len(value) != size:
            raise _invalid(header, key, size)
        found[ALGORITHMS[key]] = value
    return found


def _unsupported(header: str, keys: Sequence[str]) -> DigestProblem:
    entries = [{"algorithm": key, "header": header} for key in keys]
    message = f"{header} has no algorithm that we know; use sha-256 or sha-512."
    return DigestProblem("digest-unsupported-algorithms", message, {"unsupported-algorithms": entries}, want=True)


def _invalid(header: str, key: str, size: int) -> DigestProblem:
    entry = {"algorithm": key, "header": header, "reason": f"digest value is not {size} bytes long"}
    message = f"The digest {key} in {header} must have {size} bytes."
    return DigestProblem("digest-invalid-values", message, {"invalid-digests": [entry]})
