"""How the checker gets at a stream by HTTP, and what it asks the server for the sake of the answers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Literal
from urllib.parse import urlsplit

import httpx

from rushes.packaging.lint.lanes import lanes, spread
from rushes.packaging.lint.numbers import whole
from rushes.packaging.lint.reach import MOST_TEXT, Unreachable
from rushes.packaging.lint.stream import Answer, Stream

AT_ONCE = 8
SECONDS = 20.0
_PAGE = "https://page.example"
_ASKED_FOR = 1
"""Segments of each kind whose headers are looked at."""
Kind = Literal["manifest", "playlist", "segment", "text", "other"]


class HttpReach:
    """GET and HEAD, without compression, so that bytes count. Other hosts than the target's are read too, and noted."""

    at_once = AT_ONCE

    def __init__(self, client: httpx.Client, target: str) -> None:
        self._client = client
        self._origin = urlsplit(target)[:2]
        self.others: set[str] = set()

    def read(self, uri: str, start: int = 0, length: int = MOST_TEXT) -> bytes:
        self._note(uri)
        headers = {"Accept-Encoding": "identity"}
        if start or length < MOST_TEXT:
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        try:
            with self._client.stream("GET", uri, headers=headers) as answer:
                if answer.status_code not in (200, 206):
                    raise Unreachable(f"HTTP {answer.status_code}")
                return _part(answer, start if answer.status_code == 200 else 0, length)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    def sizes(self, uris: Iterable[str]) -> dict[str, int | None]:
        listed = list(uris)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(listed, pool.map(self._size, listed), strict=True))
        return {uri: size for uri, size in found.items() if size != -1}

    def _size(self, uri: str) -> int | None:
        """None: not there. -1: it cannot be told."""
        self._note(uri)
        try:
            answer = self._client.head(uri, headers={"Accept-Encoding": "identity"})
            if answer.status_code in (404, 410):
                return None
            found = whole(answer.headers.get("content-length")) if answer.status_code == 200 else None
            return self._by_range(uri) if found is None else found
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return -1

    def _by_range(self, uri: str) -> int | None:
        """For servers that do not answer HEAD."""
        with self._client.stream("GET", uri, headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"}) as answer:
            total = answer.headers.get("content-range", "").rpartition("/")[2]
            length = whole(total) if answer.status_code == 206 else whole(answer.headers.get("content-length"))
            if answer.status_code in (404, 410):
                return None
            return -1 if length is None or answer.status_code not in (200, 206) else length

    def _note(self, uri: str) -> None:
        found = urlsplit(uri)[:2]
        if found != self._origin and len(self.others) < AT_ONCE:
            self.others.add("://".join(found))


def _part(answer: httpx.Response, skip: int, length: int) -> bytes:
    """Bytes from `skip` on, never more than were asked for, whatever the server sends."""
    found = bytearray()
    for chunk in answer.iter_raw():
        found += chunk
        if len(found) >= skip + length:
            break
    return bytes(found[skip : skip + length])


def answers(client: httpx.Client, stream: Stream, targets: Iterable[str]) -> tuple[Answer, ...]:
    """What the server says to the requests that CDNs and players make, of one example of each kind of file."""
    found: list[Answer] = []
    for kind, uri in _examples(stream, list(targets)):
        found += _of(client, kind, uri)
    return tuple(found)


def _examples(stream: Stream, targets: list[str]) -> Iterator[tuple[Kind, str]]:
    yield from (("manifest", uri) for uri in targets)
    others = [one.uri for one in stream.media if one.uri not in targets]
    yield from (("playlist", uri) for uri in spread(others, 1))
    chosen: list[tuple[Kind, str]] = []
    for lane in lanes(stream):
        kind: Kind = "text" if lane.is_text else "segment"
        chosen += [(kind, piece.ref.uri) for piece in spread(lane.pieces, 1) if lane.is_media or lane.is_text]
    for _, group in groupby(sorted(chosen), key=lambda one: one[0]):
        yield from list(group)[:_ASKED_FOR]


def _of(client: httpx.Client, kind: Kind, uri: str) -> Iterator[Answer]:
    page = {"Origin": _PAGE, "Accept-Encoding": "identity"}
    first = _ask(client, ("get", kind), uri, page)
    yield first
    yield _ask(client, ("head", kind), uri, page, "HEAD")
    if kind in ("manifest", "playlist"):
        if etag := first.headers.get("etag"):
            yield _ask(client, ("again", kind), uri, {**page, "If-None-Match": etag})
        yield _ask(client, ("compressed", kind), uri, {**page, "Accept-Encoding": "gzip, br, zstd"})
    if kind == "segment":
        yield _ask(client, ("range", kind), uri, {**page, "Range": "bytes=0-1"})
        yield _ask(client, ("beyond", kind), uri, {**page, "Range": f"bytes={10**15}-"})
        asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
        yield _ask(client, ("preflight", kind), uri, {**page, **asks}, "OPTIONS")
    if kind == "manifest":
        gone = uri.split("?")[0].rpartition("/")[0] + "/rushes-lint-asks-for-nothing.m4s"
        yield _ask(client, ("missing", "other"), gone, page)


def _ask(
    client: httpx.Client, what: tuple[str, Kind], uri: str, headers: Mapping[str, str], method: str = "GET"
) -> Answer:
    try:
        with client.stream(method, uri, headers=dict(headers)) as answer:
            body = sum(len(chunk) for chunk in _bounded(answer))
            return Answer(what[0], what[1], uri, answer.status_code, dict(answer.headers.items()), body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return Answer(what[0], what[1], uri, 0)


def _bounded(answer: httpx.Response) -> Iterator[bytes]:
    seen = 0
    for chunk in answer.iter_raw():
        seen += len(chunk)
        yield chunk
        if seen > MOST_TEXT:
            return
