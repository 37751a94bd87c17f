"""What the answers of a stranger's server mean for a file that is fetched piece by piece. Pure.

A part of a file counts as long as the server says, by a strong validator (RFC 9110 section 8.8.1), that the file is
still the same. A server that gives none is asked for the whole file again after a cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from rushes.errors import Blame, StepFailure
from rushes.ingest.disposition import filename_in
from rushes.noun import Noun

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_CLOSED = frozenset({401, 402, 403, 407, 451})
_PASSING = frozenset({408, 425, 429})
_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
_STRONG = re.compile(r'"[\x21\x23-\x7e]*"')


class Version(Noun):
    """Which file it is that is being fetched."""

    validator: str = ""
    """A strong ETag or a modification date, as If-Range takes them; empty where the server gives neither."""
    length: int | None = None
    """None where the server sends it in chunks and does not say."""
    filename: str = ""


@dataclass(frozen=True)
class Reading:
    """How to take an answer."""

    version: Version
    start: int = 0
    """Where in the file the answer's body begins."""
    keeps: bool = False
    """Whether what is stored is the beginning of this very file."""
    has_body: bool = True
    """False: nothing came with it. With `keeps`, nothing is missing; without, the file has to be asked for again."""


def wanted(offset: int, version: Version | None) -> dict[str, str]:
    """Headers that ask for what is missing, if the file is still the same (RFC 9110 sections 13.1.5 and 14.2)."""
    plain = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if offset and version is not None and version.validator:
        return {**plain, "Range": f"bytes={offset}-", "If-Range": version.validator}
    return plain


def read(status: int, headers: Mapping[str, str], offset: int, version: Version | None) -> Reading:
    """`headers` by their names in small letters; `offset` bytes of `version` are stored.

    Raises StepFailure where the answer leads to nothing.
    """
    asked = "Range" in wanted(offset, version)
    if status == 416 and asked:
        return _behind_end(headers, offset, version)
    if status not in (200, 206):
        raise refusal(status)
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise unusable("the body is compressed")
    if status == 206:
        if not asked or version is None:
            raise unusable("a part came that was not asked for")
        return _part(headers, offset, version)
    found = Version(
        validator=_validator(headers),
        length=_length(headers),
        filename=filename_in(headers.get("content-disposition", "")),
    )
    same = version is not None and found.validator != "" and _same(found, version)
    return Reading(found, start=0, keeps=same and offset > 0)


def _part(headers: Mapping[str, str], offset: int, version: Version) -> Reading:
    match = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if match is None or match[1] is None:
        raise unusable("a part came without its range")
    start, end = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if start != offset or end < start or (total is not None and end >= total):
        raise unusable("another part came than was asked for")
    found = Version(validator=_validator(headers) or version.validator, length=total or version.length)
    if not _same(found, version):
        return Reading(version, has_body=False)  # it changed, and the server does not heed If-Range
    return Reading(version.model_copy(update={"length": found.length}), start=offset, keeps=True)


def _behind_end(headers: Mapping[str, str], offset: int, version: Version | None) -> Reading:
    """`bytes */123` says how long the file is (RFC 9110 section 15.5.17)."""
    match = _RANGE.fullmatch(headers.get("content-range", "").strip())
    complete = version is not None and match is not None and match[1] is None and match[3] == str(offset)
    if complete and version is not None and version.length in (None, offset):
        return Reading(version.model_copy(update={"length": offset}), start=offset, keeps=True, has_body=False)
    return Reading(Version(), has_body=False)


def _same(found: Version, version: Version) -> bool:
    lengths = {length for length in (found.length, version.length) if length is not None}
    return found.validator == version.validator and len(lengths) < 2


def _validator(headers: Mapping[str, str]) -> str:
    """A date is a strong validator where it is older than the answer (RFC 9110 section 8.8.2.2)."""
    etag = headers.get("etag", "").strip()
    if _STRONG.fullmatch(etag):
        return etag
    try:
        modified, date = (parsedate_to_datetime(headers[name]) for name in ("last-modified", "date"))
        return headers["last-modified"] if (date - modified).total_seconds() >= 1 else ""
    except (KeyError, ValueError, TypeError):
        return ""


def _length(headers: Mapping[str, str]) -> int | None:
    """Raises StepFailure for a body that ends with its connection: nobody could tell its end from a cut."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return None
    length = headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise unusable("the server does not say how long the file is")
    return int(length)


def refusal(status: int) -> StepFailure:
    said = f"the server answered {status}"
    if status in _GONE:
        return StepFailure("pull_not_found", Blame.PERMANENT, detail=said)
    if status in _CLOSED:
        return StepFailure("pull_not_allowed", Blame.PERMANENT, detail=said)
    if status in _PASSING or status >= 500:
        return StepFailure("pull_failed", Blame.TRANSIENT, detail=said)
    return unusable(said)


def unusable(detail: str) -> StepFailure:
    return StepFailure("pull_unusable", Blame.PERMANENT, detail=detail)
