"""What strangers send: each time a clear 4xx problem, nothing stored that should not be, and other uploads undisturbed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.ingest.conftest import PATCH, TUS, Server, wait_for
from tests.integration.ingest.wire import Answer, Wire

STREAM = {"Content-Type": "application/offset+octet-stream"}
A = "0123456789abcdefghjkmnpqrs"


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """Nothing here breaks it, so one is enough."""
    return shared_server


@pytest.fixture
def nothing_is_kept(server: Server) -> Iterator[None]:
    """And an upload that is under way goes on to its end."""
    other = server.create(6)
    assert server.patch(other, 0, b"abc").status_code == 204
    before = server.stored_ids()
    yield
    assert server.stored_ids() == before
    assert server.patch(other, 3, b"def").status_code == 204


def problem(answer: httpx.Response | Answer) -> str:
    """The code of a problem that says what is wrong, and nothing of our insides."""
    body = answer.content if isinstance(answer, httpx.Response) else answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    found = json.loads(body)
    assert found["detail"]
    assert "Traceback" not in found["detail"]
    return str(found["code"])


def send(server: Server, method: str, path: str, *lines: bytes) -> Answer:
    """A request whose head is exactly these lines."""
    with Wire(server.url) as wire:
        head = [f"{method} {path} HTTP/1.1".encode(), b"Host: 127.0.0.1", b"Tus-Resumable: 1.0.0", *lines]
        wire.send(b"\r\n".join(head) + b"\r\n\r\n")
        return wire.answer(bodiless=method == "HEAD")


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "bad_header"),
        ({"Upload-Length": ""}, 400, "bad_header"),
        ({"Upload-Length": "-1"}, 400, "bad_header"),
        ({"Upload-Length": "+1"}, 400, "bad_header"),
        ({"Upload-Length": "ten"}, 400, "bad_header"),
        ({"Upload-Length": "1.0"}, 400, "bad_header"),
        ({"Upload-Length": "0x10"}, 400, "bad_header"),
        ({"Upload-Length": "1,2"}, 400, "bad_header"),
        ({"Upload-Length": "9" * 400}, 400, "bad_header"),
        ({"Upload-Length": "9" * 40}, 413, "over_limit_bytes"),
        ({"Upload-Length": str(2**63)}, 413, "over_limit_bytes"),
        ({"Upload-Defer-Length": "2"}, 400, "bad_header"),
        ({"Upload-Defer-Length": "1", "Upload-Length": "1"}, 400, "bad_header"),
        ({"Upload-Length": "1", "Upload-Metadata": "name"}, None, ""),
        ({"Upload-Length": "1", "Upload-Metadata": "na me YQ=="}, 400, "bad_metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": "name YQ==,name YQ=="}, 400, "bad_metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": "name %%%"}, 400, "bad_metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": "," * 100}, 400, "bad_metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": "name " + "A" * 65536}, 431, "metadata_too_large"),
        ({"Upload-Concat": "final;" + " ".join([A] * 2000)}, 400, "bad_concat"),
        ({"Upload-Concat": f"final;/files/../../{A}"}, 400, "bad_concat"),
        ({"Upload-Concat": f"final;http://169.254.169.254/files/{A}"}, 400, "bad_concat"),
        ({"Upload-Concat": "final;http://[::1"}, 400, "bad_concat"),
    ],
)
def test_a_creation_that_makes_no_sense(server: Server, headers: dict[str, str], status: int | None, code: str) -> None:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, **headers})
    if status is None:  # a key without a value is legal
        assert answer.status_code == 201
        assert httpx.delete(answer.headers["location"], headers=TUS).status_code == 204
        return
    assert (answer.status_code, problem(answer)) == (status, code)
    assert "location" not in answer.headers


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(
    "lines",
    [
        (b"Upload-Length: 1", b"Upload-Length: 2"),
        (b"Upload-Length: 1", b"Upload-Metadata: a YQ==", b"Upload-Metadata: b YQ=="),
        (b"Upload-Length: 1", b"Upload-Metadata: a YQ==\x85"),
        (b"Upload-Length: 1", b"Upload-Metadata: \xffa YQ=="),
        (b"Upload-Length: 1\xa0",),
        (b"Upload-Length: \xd9\xa1",),
        (b"Upload-Concat: final;\x01/files/" + A.encode(),),
        (b"Upload-Length: 1", b"X-HTTP-Method-Override: DELETE", b"X-HTTP-Method-Override: POST"),
    ],
)
def test_headers_that_others_may_read_in_another_way(server: Server, lines: tuple[bytes, ...]) -> None:
    answer = send(server, "POST", "/files", *lines, b"Content-Length: 0")
    assert 400 <= answer.status < 500
    assert "location" not in answer.headers


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(
    "line",
    [
        b"Upload-Metadata: name YQ==\x00",
        b"Upload-Metadata: name YQ==\nSet-Cookie: a=b",
        b"Upload-Metadata : name YQ==",
        b"Upload-Length\x01: 1",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 99999999999999999999999999",
        b"Content-Length: -1",
    ],
)
def test_what_is_no_http_reaches_nothing(server: Server, line: bytes) -> None:
    answer = send(server, "POST", "/files", b"Upload-Length: 1", line)
    assert 400 <= answer.status < 500
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers


def test_metadata_comes_back_as_it_was_and_adds_no_header(server: Server) -> None:
    value = base64.b64encode(b"a\r\nSet-Cookie: x=y\r\n\r\n<script>").decode()
    url = server.create(1, **{"Upload-Metadata": f"filename {value},empty"})
    head = server.head(url)
    assert head.headers["upload-metadata"] == f"filename {value},empty"
    assert "set-cookie" not in head.headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Grüße 日本語 🎬.mp4", "Grüße 日本語 🎬.mp4"),
        ("a\nb\r\nc.mp4", "a b c.mp4"),
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\x00b.mp4", "ab.mp4"),
        ("gpj.\u202e4pm", "gpj.4pm"),
        ("\u200b", ""),
        ("/", ""),
        ("x" * 5000 + ".mp4", "x" * 255),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
    ],
)
def test_names_of_files_are_kept_readable_and_lead_nowhere(server: Server, given: str, kept: str) -> None:
    metadata = f"filename {base64.b64encode(given.encode()).decode()}"
    answer = httpx.post(
        f"{server.url}/files",
        content=b"a",
        headers={**TUS, **STREAM, "Upload-Length": "1", "Upload-Metadata": metadata},
    )
    assert answer.status_code == 201
    asset = server.asset(answer.headers["rushes-asset"])
    assert asset["source"]["filename"] == kept
    assert "/" not in asset["source"]["key"].removeprefix(f"sources/default/{asset['id']}/")


def test_names_that_are_not_utf8_are_kept_as_far_as_they_can_be_read(server: Server) -> None:
    metadata = f"filename {base64.b64encode(bytes([0xFF, 0xFE, 97])).decode()}"
    url = server.create(1, **{"Upload-Metadata": metadata})
    done = server.patch(url, 0, b"a")
    assert server.asset(done.headers["rushes-asset"])["source"]["filename"].endswith("a")


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(
    "name",
    [
        "x",
        A,
        A.upper(),
        A + "a",
        "..%5c..%5crushes.db",
        f"{A}%00",
        f"{A}%0d%0aSet-Cookie:%20a=b",
        f"{A}.proven",
        f"{A}-0a1b2c3d.joining",
        "%F0%9F%8E%AC",
        "a" * 4000,
        "*",
        "%",
        "~",
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_names_that_are_no_uploads_are_not_found(server: Server, method: str, name: str) -> None:
    answer = send(
        server, method, f"/files/{name}", b"Upload-Offset: 0", b"Content-Type: " + PATCH["Content-Type"].encode()
    )
    assert answer.status == 404
    assert "upload-offset" not in answer.headers
    assert "set-cookie" not in answer.headers
    if method != "HEAD":
        assert problem(answer) == "upload_not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/files/../rushes.db",
        "/files/x/../../etc/passwd",
        "/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        f"/files/{A}/../{A}",
        "/files//etc",
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "GET", "PATCH"])
def test_paths_that_climb_lead_nowhere(server: Server, method: str, path: str) -> None:
    assert send(server, method, path, b"Upload-Offset: 0").status in (404, 405, 415)


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Offset": "-0"}, 400, "bad_header"),
        ({"Upload-Offset": "1e0"}, 400, "bad_header"),
        ({"Upload-Offset": "9" * 40}, 409, "offset_mismatch"),
        ({"Upload-Offset": "0", "Upload-Length": "-3"}, 400, "bad_header"),
        ({"Upload-Offset": "0", "Upload-Length": "9" * 40}, 400, "length_mismatch"),
        ({"Upload-Offset": "0", "Content-Type": ""}, 415, "bad_content_type"),
        ({"Upload-Offset": "0", "Content-Type": "multipart/form-data"}, 415, "bad_content_type"),
        ({"Upload-Offset": "0", "Upload-Checksum": "md5 " + "A" * 9000}, 400, "bad_header"),
    ],
)
def test_an_append_that_makes_no_sense(server: Server, headers: dict[str, str], status: int, code: str) -> None:
    url = server.create(3)
    answer = httpx.patch(url, content=b"abc", headers={**PATCH, **headers})
    assert (answer.status_code, problem(answer)) == (status, code)
    assert server.offset(url) == 0
    assert httpx.delete(url, headers=TUS).status_code == 204


def test_more_bytes_than_the_upload_has_are_refused_however_they_come(server: Server) -> None:
    url = server.create(3)
    declared = httpx.patch(url, content=b"abcd", headers={**PATCH, "Upload-Offset": "0"})
    chunked = httpx.patch(url, content=iter([b"ab", b"cd"]), headers={**PATCH, "Upload-Offset": "0"})
    for answer in (declared, chunked):
        assert (answer.status_code, problem(answer)) == (413, "upload_too_long")
    assert server.offset(url) == 0
    before = server.stored_ids()
    created = httpx.post(
        f"{server.url}/files", content=iter([b"ab", b"cd"]), headers={**TUS, **STREAM, "Upload-Length": "3"}
    )
    assert (created.status_code, problem(created)) == (413, "upload_too_long")
    wait_for(lambda: server.stored_ids() == before, "the end of the upload")


@pytest.mark.parametrize("method", ["TRACE", "SEARCH", "PROPFIND", "PUT", "GET"])
def test_other_methods_are_405(server: Server, method: str) -> None:
    for path in ("/files", f"/files/{A}"):
        answer = send(server, method, path, b"Content-Length: 0")
        assert answer.status == 405


@pytest.mark.parametrize("override", ["", "FETCH", "patch;x", "PATCH PATCH", "../PATCH", "X" * 5000])
def test_an_override_to_no_method_is_405_or_none(server: Server, override: str) -> None:
    answer = httpx.get(server.create(1), headers={**TUS, "X-HTTP-Method-Override": override})
    assert (answer.status_code, problem(answer)) == (405, "method_not_allowed")
    assert len(answer.text) < 1000
