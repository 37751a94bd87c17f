"""Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload): limits and digests.

Sections are those of draft -12 (see `ietf_create`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial

from tests.conformance.clause import Level, Unseen, clause, header, must, refused, status, succeeded
from tests.conformance.session import PARTIAL, Ietf

MUST, SHOULD = Level.MUST, Level.SHOULD
limited = partial(clause, protocol="ietf", extension="interop", versions=(6, 7, 8))
latest = partial(clause, protocol="ietf", extension="interop", versions=(8,))

DATA = b"hello world"
LIMITS = ("max-size", "min-size", "max-append-size", "min-append-size", "max-age", "expires")


def digest(data: bytes) -> str:
    """Of Repr-Digest and Content-Digest (RFC 9530 section 2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def limits(value: str) -> dict[str, int]:
    """Upload-Limit, a dictionary of integers. Raises Violated."""
    found = re.fullmatch(r"[a-z*][a-z0-9_.*-]*=\d+(\s*,\s*[a-z*][a-z0-9_.*-]*=\d+)*", value.strip())
    must(found, f"Upload-Limit is no dictionary of integers: {value!r}")
    members = (part.strip().split("=") for part in value.split(","))
    return {name: int(number) for name, number in members}


# -- limits -----------------------------------------------------------------------------------------------------------


@latest(MUST, "4.1.4 Limits")
def options_accepts_partial_uploads(ietf: Ietf) -> None:
    """OPTIONS has Accept-Patch with application/partial-upload."""
    value = header(succeeded(ietf.request("OPTIONS", ietf.target.url)), "Accept-Patch")
    must(PARTIAL in [part.strip() for part in value.split(",")], f"Accept-Patch is {value!r}")


@limited(MUST, "4.1.4 Limits (draft -05 and -06: MUST on OPTIONS; since -09 SHOULD)")
def options_tells_the_limits(ietf: Ietf) -> None:
    """OPTIONS has Upload-Limit."""
    limits(header(succeeded(ietf.request("OPTIONS", ietf.target.url)), "Upload-Limit"))


@limited(MUST, "4.1.4 Limits")
def limits_are_a_dictionary_of_integers(ietf: Ietf) -> None:
    """Upload-Limit is a dictionary; the known members are integers."""
    answer = succeeded(ietf.post(False, DATA))
    value = answer.get("Upload-Limit") or ietf.head(ietf.location(answer)).get("Upload-Limit")
    if value is None:
        raise Unseen("there is no Upload-Limit")
    must(set(limits(value)) & set(LIMITS), f"no known limit in {value!r}")


@latest(MUST, "4.2.2 Upload Creation, Server Behavior")
def an_unfinished_creation_tells_the_limits(ietf: Ietf) -> None:
    """The final answer to it has Upload-Limit if there are limits, as HEAD tells them."""
    answer = succeeded(ietf.post(False, DATA))
    if ietf.head(ietf.location(answer)).get("Upload-Limit") is None:
        raise Unseen("there are no limits")
    limits(header(answer, "Upload-Limit"))


@latest(SHOULD, "4.1.4 Limits")
def limits_do_not_tighten(ietf: Ietf) -> None:
    """Throughout the life of an upload max-size and max-append-size do not shrink, nor min-append-size grow."""
    answer = succeeded(ietf.post(False, DATA))
    value = answer.get("Upload-Limit")
    if value is None:
        raise Unseen("there is no Upload-Limit")
    first, url = limits(value), ietf.location(answer)
    succeeded(ietf.patch(url, len(DATA), DATA))
    later = limits(header(ietf.head(url), "Upload-Limit"))
    for name in ("max-size", "max-append-size"):
        must(later.get(name, 2**63) >= first.get(name, 0), f"{name} shrank from {first} to {later}")
    must(later.get("min-append-size", 0) <= first.get("min-append-size", 2**63), "min-append-size grew")


@latest(MUST, "4.1.4 Limits")
def what_is_too_large_is_told_the_limit(ietf: Ietf) -> None:
    """A 413 for a limit has Upload-Limit."""
    value = ietf.request("OPTIONS", ietf.target.url).get("Upload-Limit")
    largest = limits(value).get("max-size") if value else None
    if largest is None:
        raise Unseen("there is no max-size")
    answer = status(ietf.post(False, b"", {"Upload-Length": str(largest + 1)}), 413)
    limits(header(answer, "Upload-Limit"))


# -- digests ----------------------------------------------------------------------------------------------------------


@latest(SHOULD, "10.2 Content Digests")
def content_that_does_not_match_its_digest_is_refused(ietf: Ietf) -> None:
    """A wrong Content-Digest of an append: the failure is signalled and nothing appended."""
    url = ietf.create()
    refused(ietf.patch(url, 0, DATA, headers={"Content-Digest": digest(b"other")}))
    must(ietf.offset(url) == 0, "the content was appended")


@latest(SHOULD, "10.2 Content Digests")
def content_that_matches_its_digest_is_taken(ietf: Ietf) -> None:
    """A right Content-Digest of an append is accepted."""
    url = ietf.create()
    succeeded(ietf.patch(url, 0, DATA, headers={"Content-Digest": digest(DATA)}))
    must(ietf.offset(url) == len(DATA), "the content was not appended")


@latest(SHOULD, "10.1 Representation Digests")
def an_upload_that_does_not_match_its_digest_fails(ietf: Ietf) -> None:
    """A wrong Repr-Digest of the creation: the upload fails, and the client is told."""
    url = ietf.create(DATA[:5], {"Repr-Digest": digest(b"other")})
    refused(ietf.patch(url, 5, DATA[5:], complete=True))


@latest(SHOULD, "10.1 Representation Digests")
def an_upload_that_matches_its_digest_succeeds(ietf: Ietf) -> None:
    """A right Repr-Digest of the creation."""
    url = ietf.create(DATA[:5], {"Repr-Digest": digest(DATA)})
    succeeded(ietf.patch(url, 5, DATA[5:], complete=True))


@latest(SHOULD, "10.1 Representation Digests")
def a_wanted_digest_is_told(ietf: Ietf) -> None:
    """Want-Repr-Digest of the creation: the answer that completes the upload has Repr-Digest."""
    url = ietf.create(DATA[:5], {"Want-Repr-Digest": "sha-256=1"})
    value = header(succeeded(ietf.patch(url, 5, DATA[5:], complete=True)), "Repr-Digest")
    must(digest(DATA) in value, f"Repr-Digest is {value!r}")
