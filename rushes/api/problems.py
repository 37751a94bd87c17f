"""Errors as `application/problem+json` (RFC 9457) with a stable `code`. No stack trace ever leaves the house."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from rushes.catalog.database import READ_ONLY, DatabaseUnavailable
from rushes.errors import RushesError
from rushes.storage.store import StoreError

logger = logging.getLogger("rushes.api")
MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    field: str = Field(description="Where the value was: `query.limit`, `body.title`")
    message: str


class Problem(BaseModel):
    """RFC 9457. `type` is `about:blank`, so `title` is the status phrase; programs look at `code`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="A sentence for people")
    code: str = Field(description="Stable: never renamed")
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem(code: str, status: int, detail: str, errors: list[FieldProblem] | None = None) -> Problem:
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=errors)


def respond(request: Request, body: Problem, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """The answer of a problem. Not to be cached unless `headers` say otherwise."""
    identity = getattr(request.state, "request_id", None)
    content = body.model_copy(update={"request_id": identity}).model_dump(exclude_none=True)
    return ProblemResponse(content, body.status, {"Cache-Control": "no-store", **(headers or {})})


_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_CHALLENGE = 'Bearer realm="rushes"'
_OURS = "Value error, "


def of_rushes_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RushesError)  # noqa: S101 - narrows the type that the registration below guarantees
    headers = {"WWW-Authenticate": _CHALLENGE} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(ceil(error.retry_after))
    return respond(request, problem(error.code, error.status, error.message), headers)


def of_http_exception(request: Request, error: Exception) -> ProblemResponse:
    """Starlette's own: no such route (404), wrong method (405, with its Allow header)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type that the registration below guarantees
    code = _CODES.get(error.status_code, "http_error")
    return respond(request, problem(code, error.status_code, _sentence(request, error)), error.headers)


def _sentence(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible here."
    return error.detail


def of_validation_error(request: Request, error: Exception) -> ProblemResponse:
    """One entry per wrong field. The given values are not repeated: they may be secrets."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type that the registration below guarantees
    fields = [_field(issue) for issue in error.errors()]
    detail = "The request is not as it should be: " + "; ".join(f"{item.field}: {item.message}" for item in fields)
    return respond(request, problem("invalid_request", 422, detail + ".", fields))


def _field(issue: Mapping[str, Any]) -> FieldProblem:
    """What our own checks say stands behind two words of pydantic's."""
    return FieldProblem(field=".".join(str(part) for part in issue["loc"]), message=issue["msg"].removeprefix(_OURS))


def of_store_error(request: Request, error: Exception) -> ProblemResponse:
    return _unavailable(request, "storage_unavailable", "The object store does not answer. Please try again.", error)


def of_database_error(request: Request, error: Exception) -> ProblemResponse:
    read_only = isinstance(error, DatabaseUnavailable) and error.code == READ_ONLY
    happens = "takes no changes now" if read_only else "does not answer"
    return _unavailable(request, "database_unavailable", f"The database {happens}. Please try again.", error)


def _unavailable(request: Request, code: str, detail: str, error: Exception) -> ProblemResponse:
    logger.error("%s: %s", code, error, extra={"request": getattr(request.state, "request_id", None), "code": code})
    return respond(request, problem(code, 503, detail), {"Retry-After": "2"})


def install(app: FastAPI) -> None:
    """Errors that the middleware does not see first. Unexpected ones are the middleware's (`rushes.api.gate`)."""
    app.add_exception_handler(RushesError, of_rushes_error)
    app.add_exception_handler(HTTPException, of_http_exception)
    app.add_exception_handler(RequestValidationError, of_validation_error)
    app.add_exception_handler(StoreError, of_store_error)
    app.add_exception_handler(DatabaseUnavailable, of_database_error)


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "Refused", "content": {MEDIA_TYPE: {}}},
    "5XX": {"model": Problem, "description": "Our fault", "content": {MEDIA_TYPE: {}}},
}
"""For OpenAPI: every route of the API may answer with a problem."""
