"""Answers of the IETF's resumable uploads: what an upload's state looks like on the wire, and problems with their types.

Clients take a 4xx for the end of the upload and come back after a 5xx (section "Upload Append", Client Behavior), so
what passes by itself is a 503 here where tus has 423.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from rushes.errors import Conflict, RushesError
from rushes.ingest.answers import ASSET, CORS
from rushes.ingest.checksum import ChecksumMismatch
from rushes.ingest.digest_fields import CONTENT, REPR, DigestProblem, mismatch
from rushes.ingest.ietf import BadRequest, Dialect, Limits
from rushes.ingest.proving import WrongDigest
from rushes.ingest.requests import Append, Interrupted, LengthMismatch, OffsetMismatch, OverLimit, TooLong
from rushes.ingest.uploads import Seen

TYPES = "https://iana.org/assignments/http-problem-types#"
_WAIT = {503: 5, 507: 60}
"""Status -> seconds, where the error itself does not say."""


class Completed(Conflict):
    """An append to an upload that is complete already (section "Completed Upload")."""

    status = 400

    def __init__(self) -> None:
        super().__init__("upload_finished", "The upload is complete already; nothing can be appended.")


@dataclass(frozen=True)
class Case:
    """How an error looks: a registered problem type and its title, if there is one, its members, its headers.

    `complete`: the bytes are all there, and it is about what they are (section "Upload Append", Server Behavior).
    """

    kind: str = ""
    title: str = ""
    status: int = 0
    complete: bool = False
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def created(dialect: Dialect, seen: Seen, location: str, limits: Limits) -> Response:
    """201, whether this was all of the file or the beginning of it."""
    headers = {"Location": location, **dialect.limits(limits), **_state(dialect, seen)}
    return Response(status_code=201, headers={**CORS, **headers})


def appended(dialect: Dialect, seen: Seen) -> Response:
    status = dialect.appended(complete=seen.is_complete)
    return Response(status_code=status, headers={**CORS, **_state(dialect, seen)})


def described(dialect: Dialect, seen: Seen, limits: Limits) -> Response:
    """Of HEAD (section "Offset Retrieval")."""
    length = {} if seen.upload.length is None else {"Upload-Length": str(seen.upload.length)}
    headers = {**_state(dialect, seen), **length, **dialect.limits(limits), "Cache-Control": "no-store"}
    return Response(status_code=204, headers={**CORS, **headers})


def cancelled(dialect: Dialect) -> Response:
    return Response(status_code=204, headers={**CORS, **dialect.echo()})


def refusal(error: RushesError, dialect: Dialect, append: Append | None, limits: Limits) -> Response:
    """`append`: what the request would have appended; then the answer says whether the upload is complete."""
    if isinstance(error, ChecksumMismatch) and append is not None and append.check is not None:
        error = mismatch(CONTENT, append.check.expected())
    if isinstance(error, OverLimit):
        limits = replace(limits, max_size=error.limit)
    case = _case(error, dialect.limits(limits))
    status = case.status or error.status
    body = {
        "type": f"{TYPES}{case.kind}" if case.kind else "about:blank",
        "title": case.title or HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        **case.members,
    }
    headers = {**CORS, **dialect.echo(), "Cache-Control": "no-store", **case.headers}
    if append is not None:
        headers |= dialect.completeness(case.complete)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="rushes"'
    wait = _WAIT.get(error.status) if error.retry_after is None else math.ceil(error.retry_after)
    if wait is not None:
        headers.setdefault("Retry-After", str(wait))
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _case(error: RushesError, limits: Mapping[str, str]) -> Case:
    match error:
        case OffsetMismatch():
            members = {"expected-offset": error.offset, "provided-offset": error.given}
            headers = {"Upload-Offset": str(error.offset)}
            title = "Mismatching Upload Offset"
            return Case("mismatching-upload-offset", title, members=members, headers=headers)
        case LengthMismatch() | TooLong():
            return Case("inconsistent-upload-length", "Inconsistent Upload Length Values", status=400)
        case Completed():
            return Case("completed-upload", "Upload Is Completed", complete=True)
        case WrongDigest():
            return replace(_case(mismatch(REPR, error.wrong), limits), complete=True)
        case OverLimit():
            return Case(headers=limits)
        case DigestProblem():
            return Case(error.kind, error.title, members=error.members, headers=error.headers)
        case BadRequest():
            return Case(headers=error.headers)
        case Interrupted():
            return Case(status=503, headers={"Retry-After": "1", "Connection": "close"})
        case _ if error.status == HTTPStatus.LOCKED:
            return Case(status=503, headers={"Retry-After": "1"})
    return Case()


def _state(dialect: Dialect, seen: Seen) -> dict[str, str]:
    asset = {} if seen.upload.asset is None else {ASSET: seen.upload.asset}
    return {**dialect.state(seen.offset, complete=seen.is_complete), **asset}
