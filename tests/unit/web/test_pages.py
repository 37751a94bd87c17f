"""The pages as a server gives them: names, codings, headers. The build is made up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rushes.web import pages

ASSET = "01jabcdefghjkmnpqrstvwxyz0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "static").mkdir()
    for name in ("index.html", "watch.html", "ops.html", "missing.html", "static/app-AB12.js", "secret.txt"):
        (tmp_path / name).write_text(f"this is {name}")
    (tmp_path / "static/app-AB12.js.gz").write_bytes(gzip.compress(b"this is compressed"))
    monkeypatch.setattr(pages, "dist", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> TestClient:
    app = FastAPI()
    app.include_router(pages.router())
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "this is index.html"),
        (f"/watch/{ASSET}", 200, "this is watch.html"),
        ("/watch/nonsense", 404, "this is missing.html"),
        ("/ops", 200, "this is ops.html"),
    ],
)
def test_pages(client: TestClient, path: str, status: int, text: str):
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_pages_carry_their_defences(client: TestClient):
    headers = client.get("/").headers
    directives = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'self'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_media_may_come_from_named_origins_only():
    policy = pages.policy(pages.origin_of("https://video.example.com/below"))
    assert "connect-src 'self' https://video.example.com;" in policy
    assert "script-src 'self';" in policy


@pytest.mark.parametrize(
    ("url", "origins"),
    [("", ()), ("https://v.test:8443/x", ("https://v.test:8443",)), ("javascript:1", ()), ("v.test", ())],
)
def test_origin_of_a_public_url(url: str, origins: tuple[str, ...]):
    assert pages.origin_of(url) == origins


def test_a_page_that_is_known_is_not_sent_again(client: TestClient):
    etag = client.get("/").headers["etag"]
    again = client.get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_has_no_body(client: TestClient):
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len("this is index.html"))


def test_bundled_files_never_change(client: TestClient):
    answer = client.get("/assets-static/app-AB12.js", headers={"Accept-Encoding": "identity"})
    assert answer.text == "this is static/app-AB12.js"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_ready_made_coding_is_used_and_named(client: TestClient):
    # When Brotli, of which there is no file here, and gzip are accepted
    answer = client.get("/assets-static/app-AB12.js", headers={"Accept-Encoding": "gzip"})
    assert answer.text == "this is compressed"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    plain = client.get("/assets-static/app-AB12.js", headers={"Accept-Encoding": "br"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", "identity"),
        ("gzip, deflate, br", "br"),
        ("GZIP", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.000,gzip; q = 0", "identity"),
        ("zstd", "identity"),
    ],
)
def test_choice_of_coding(accepted: str, coding: str):
    assert pages.coding_for(accepted) == coding


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "..%2Fsecret.txt", "%2e%2e/secret.txt", "app-AB12.js.gz", ".hidden.js", "app-AB12", "a%00.js", "watch.html"],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, name: str):
    answer = client.get(f"/assets-static/{name}")
    assert answer.status_code == 404
    assert "this is" not in answer.text


def test_a_checkout_that_is_not_built_says_what_to_do(client: TestClient, folder: Path):
    (folder / "index.html").unlink()
    answer = client.get("/")
    assert answer.status_code == 503
    assert "python -m rushes.web.build" in answer.text
    assert "content-security-policy" in answer.headers
