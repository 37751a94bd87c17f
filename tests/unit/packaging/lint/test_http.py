"""By HTTP: the same stream, and what the server says of it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rushes.packaging.lint import check as module
from rushes.packaging.lint.gather import QUICK, USUAL
from rushes.packaging.lint.reach import Unreachable
from rushes.packaging.lint.report import Report
from rushes.packaging.lint.rule import Severity
from rushes.storage.store import ObjectMissing
from rushes.storage.types import content_type
from tests.unit.packaging.lint.conftest import BUILD, Good

BASE = "https://v.example/"
MASTER = f"{BASE}{BUILD}master.m3u8"
Change = Callable[[httpx.Request, httpx.Response], None]
Check = Callable[..., Report]


def answer(good: Good, request: httpx.Request) -> httpx.Response:
    """As a good origin does."""
    key = request.url.path.lstrip("/")
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Content-Length, Content-Range",
        "Content-Type": content_type(key),
    }
    if request.method == "OPTIONS":
        allowed = {"Access-Control-Allow-Headers": "range", "Access-Control-Max-Age": "86400"}
        return httpx.Response(204, headers=headers | allowed, stream=Body(b""))
    try:
        data = good.store.read(key)
    except ObjectMissing:
        return httpx.Response(404, headers=headers | {"Cache-Control": "max-age=2"}, stream=Body(b""))
    text = key.endswith((".m3u8", ".mpd"))
    headers["Cache-Control"] = "public, max-age=2" if text else "public, max-age=31536000, immutable"
    headers |= {"ETag": f'"{hash(data)}"'} | ({"Vary": "Accept-Encoding"} if text else {})
    if request.headers.get("if-none-match") == headers["ETag"]:
        return httpx.Response(304, headers=headers, stream=Body(b""))
    if text and "gzip" in request.headers["accept-encoding"]:
        data = gzip.compress(data)
        headers["Content-Encoding"] = "gzip"
    return ranged(request, data, headers)


class Body(httpx.SyncByteStream):
    """Bytes that come one piece after the other, as from a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield from (self._data[at : at + 65_536] for at in range(0, len(self._data), 65_536))


def ranged(request: httpx.Request, data: bytes, headers: dict[str, str]) -> httpx.Response:
    found = re.match(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if found and int(found[1]) >= len(data):
        return httpx.Response(416, headers=headers | {"Content-Range": f"bytes */{len(data)}"}, stream=Body(b""))
    if found:
        stop = min(len(data), int(found[2] or len(data)) + 1)
        headers |= {"Content-Range": f"bytes {found[1]}-{stop - 1}/{len(data)}"}
        part = data[int(found[1]) : stop]
        return httpx.Response(206, headers=headers | {"Content-Length": str(len(part))}, stream=Body(part))
    if request.method == "HEAD":
        return httpx.Response(200, headers=headers | {"Content-Length": str(len(data))}, stream=Body(b""))
    return httpx.Response(200, headers=headers | {"Content-Length": str(len(data))}, stream=Body(data))


@pytest.fixture
def served(stream: Good, monkeypatch: pytest.MonkeyPatch) -> Check:
    """`served(change, url)`: a check of the stream by way of a server whose answers `change` spoils."""
    real = httpx.Client

    def checked(change: Change | None = None, url: str = MASTER, **more: object) -> Report:
        def handle(request: httpx.Request) -> httpx.Response:
            found = answer(stream, request)
            if change:
                change(request, found)
            return found

        monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=httpx.MockTransport(handle)))
        return module.check(url, **more)  # type: ignore[arg-type]

    return checked


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd"])
@pytest.mark.parametrize("depth", [USUAL, QUICK])
def test_a_good_server_keeps_every_rule(served: Check, name: str, depth: object) -> None:
    found = served(url=f"{BASE}{BUILD}{name}", depth=depth)
    assert found.failed() == []
    assert found.checked > 60


def without(header: str, *, when: str = "") -> Change:
    def change(request: httpx.Request, found: httpx.Response) -> None:
        if when in request.url.path and header in found.headers:
            del found.headers[header]

    return change


def with_header(header: str, value: str, *, when: str = "") -> Change:
    def change(request: httpx.Request, found: httpx.Response) -> None:
        if when in request.url.path:
            found.headers[header] = value

    return change


def with_status(code: int, of: int, *, method: str = "GET") -> Change:
    def change(request: httpx.Request, found: httpx.Response) -> None:
        if found.status_code == of and request.method == method and "nothing" not in request.url.path:
            found.status_code = code

    return change


def found_anyway(request: httpx.Request, found: httpx.Response) -> None:
    if found.status_code == 404:
        found.status_code = 200


def broken(request: httpx.Request, found: httpx.Response) -> None:
    if request.method == "OPTIONS":
        found.status_code = 503


SPOILED: dict[str, Change] = {
    "http.manifest-type": with_header("Content-Type", "text/plain", when=".m3u8"),
    "http.segment-type": with_header("Content-Type", "text/html", when=".m4s"),
    "http.text-type": with_header("Content-Type", "text/plain", when=".vtt"),
    "http.segment-cache": with_header("Cache-Control", "private, no-store", when=".m4s"),
    "http.immutable": with_header("Cache-Control", "public, max-age=31536000", when=".m4s"),
    "http.manifest-cache": without("Cache-Control", when=".m3u8"),
    "http.etag": without("ETag"),
    "http.not-modified": with_status(200, 304),
    "http.head": with_status(405, 200, method="HEAD"),
    "http.length": without("Content-Length", when=".m4s"),
    "http.range": with_status(200, 206),
    "http.range-needed": with_status(200, 206),
    "http.range-beyond": with_status(200, 416),
    "http.cors": without("Access-Control-Allow-Origin"),
    "http.cors-vary": with_header("Access-Control-Allow-Origin", "https://page.example"),
    "http.preflight": without("Access-Control-Allow-Headers"),
    "http.exposed": without("Access-Control-Expose-Headers"),
    "http.compression": without("Vary"),
    "http.plain-media": with_header("Content-Encoding", "identity", when=".m4s"),
    "http.cookies": with_header("Set-Cookie", "a=b"),
    "http.missing": found_anyway,
    "http.negative-cache": with_header("Cache-Control", "max-age=86400", when="nothing"),
    "http.status": broken,
}


@pytest.mark.parametrize("rule", SPOILED)
def test_what_a_server_does_wrong_is_found(rule: str, served: Check) -> None:
    assert rule in {one.rule.identifier for one in served(SPOILED[rule]).failed()}


def test_what_is_not_there_by_http_is_found(stream: Good, served: Check) -> None:
    stream.store.delete(stream.key("360p", "00003.m4s"))
    assert served().names(Severity.MUST) == ("segment.exists",)


def test_another_origin_is_noted(stream: Good, served: Check) -> None:
    stream.edit("360p.m3u8", "../../t/r/1/360p/00002.m4s", f"https://cdn.example/{BUILD}../../t/r/1/360p/00002.m4s")
    assert "also read from another origin: https://cdn.example" in served().notes


def test_an_address_of_nothing_is_said(served: Check) -> None:
    with pytest.raises(Unreachable, match="404"):
        served(url=f"{BASE}gone.m3u8")


def test_a_file_is_no_address(tmp_path: Path) -> None:
    assert not module.is_address(str(tmp_path))
