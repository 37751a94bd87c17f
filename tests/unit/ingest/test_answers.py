from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from rushes.errors import Refused, RushesError
from rushes.ingest.answers import location, options, problem
from rushes.ingest.protocol import ProtocolError
from rushes.settings import Settings


def request(root_path: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "h:1", **headers}.items()]
    scope = {"type": "http", "scheme": "https", "server": ("h", 1), "path": "/files", "headers": raw}
    return Request({**scope, "root_path": root_path})


@pytest.mark.parametrize(
    ("made", "public_url", "address"),
    [
        (request(), "", "https://h:1/files/u"),
        (request(root_path="/app"), "", "https://h:1/app/files/u"),
        (request(x_forwarded_host="[2001:db8::1]:8443"), "", "https://[2001:db8::1]:8443/files/u"),
        (request(x_forwarded_host="a b"), "", "https://h:1/files/u"),
        (request(x_forwarded_host="a\r\nSet-Cookie: x"), "", "https://h:1/files/u"),
        (request(x_forwarded_host="other"), "https://v.example/", "https://v.example/files/u"),
    ],
)
def test_location(made: Request, public_url: str, address: str) -> None:
    assert location(made, Settings(public_url=public_url), "u") == address


def test_a_problem_has_the_code_and_keeps_the_protocols_headers() -> None:
    answer = problem(ProtocolError("offset_mismatch", "Elsewhere.", status=409, headers={"Upload-Offset": "5"}))
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Elsewhere.",
        "code": "offset_mismatch",
    }
    assert answer.headers["upload-offset"] == "5"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("status", "challenged"), [(401, True), (403, False)])
def test_who_must_say_who_they_are_is_told_how(status: int, challenged: bool) -> None:
    assert ("www-authenticate" in problem(RushesError("x", "y", status=status)).headers) == challenged


def test_every_answer_may_be_read_by_pages_of_other_origins() -> None:
    for answer in (problem(Refused("x")), options(Settings(), preflight=True), options(Settings(), preflight=False)):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Upload-Offset" in answer.headers["access-control-expose-headers"]
