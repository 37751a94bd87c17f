"""An object of the store as an HTTP answer: 200, 206, 304 or 416, streamed, with what a CDN needs to keep it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from typing import BinaryIO

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rushes.api.negotiation import Wanted, matches
from rushes.api.parts import Parts, parts_of
from rushes.api.ranges import Span, Unsatisfiable, bounds, parse_ranges
from rushes.storage.store import IMMUTABLE, ObjectInfo, ObjectStore, StoreError
from rushes.storage.types import content_type

TEXT = frozenset({"application/vnd.apple.mpegurl", "application/dash+xml", "text/vtt"})
"""Small types that shrink well; media never gets smaller, and a range of a compressed body is of no use."""
BLOCK = 256 * 1024
Headers = dict[str, str]


@dataclass(frozen=True)
class Body:
    """One representation of an object: its entity tag, its size, and its bytes where they are in memory already."""

    etag: str
    size: int
    data: bytes | None = None
    gzipped: bool = False


def answer(store: ObjectStore, key: str, wanted: Wanted) -> Response:
    """The answer for one object; blocks on the store.

    Asks the store once where it can: a remote one takes milliseconds for each request. Raises ObjectMissing, StoreError.
    """
    with ExitStack() as stack:
        opened = _open(store, key, wanted)
        stack.callback(opened.close)
        info = opened.info
        body = text_body(opened.whole(), gzipped=wanted.gzip) if is_text(key) else Body(info.etag, info.size)
        response = respond(info, body, wanted, opened)
        if isinstance(response, ObjectResponse):
            stack.pop_all()  # it closes the stream itself
        return response


def is_text(key: str) -> bool:
    return content_type(key).partition(";")[0] in TEXT


def respond(info: ObjectInfo, body: Body, wanted: Wanted, opened: Opened | None = None) -> Response:
    """The answer from one representation; its bytes come from `opened` where they are not in memory. Raises StoreError."""
    headers = headers_of(info, body)
    if matches(wanted.if_none_match, body.etag):
        return Response(status_code=304, headers=headers)
    try:
        spans = parse_ranges(wanted.range_for(body.etag), body.size)
    except Unsatisfiable:
        return Response(status_code=416, headers=_unsatisfiable(headers, body))
    if len(spans) > 1:
        parts = parts_of(spans, body.size, info.content_type)
        headers |= {"Content-Type": parts.content_type, "Content-Length": str(parts.size)}
        return _content(parts, (206, headers), wanted, body, opened)
    part = spans[0] if spans else Span(0, body.size)
    headers |= {"Content-Type": info.content_type, "Content-Length": str(part.size)}
    if spans:
        headers["Content-Range"] = part.content_range(body.size)
    return _content(Parts("", (part,)), (206 if spans else 200, headers), wanted, body, opened)


def _content(parts: Parts, start: tuple[int, Headers], wanted: Wanted, body: Body, opened: Opened | None) -> Response:
    status, headers = start
    if wanted.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if body.data is not None or opened is None:
        return _in_memory(parts, status, headers, memoryview(body.data or b""))
    if len(parts.pieces) == 1 and isinstance(first := parts.pieces[0], Span):
        opened.part(first)  # what goes wrong now is still an error and not a broken answer
    return ObjectResponse(opened, parts, status, headers)


def _in_memory(parts: Parts, status: int, headers: Headers, data: memoryview) -> Response:
    """Nothing is copied: a thousand slow readers share the bytes that are kept."""
    pieces = [piece if isinstance(piece, bytes) else data[piece.start : piece.stop] for piece in parts.pieces]
    if len(pieces) == 1:
        return Response(pieces[0], status, headers)

    async def one_by_one() -> AsyncIterator[bytes | memoryview]:
        for piece in pieces:
            yield piece

    return StreamingResponse(one_by_one(), status, headers)


@dataclass
class Opened:
    """An object of which some bytes may be on their way already: those of `stream`, from `start` up to `stop`."""

    store: ObjectStore
    info: ObjectInfo
    stream: BinaryIO | None = None
    start: int = 0
    stop: int | None = None

    def whole(self) -> bytes:
        return self.part(Span(0, self.info.size)).read()

    def part(self, span: Span) -> BinaryIO:
        """A stream that has the span's bytes, of this version of the object. Raises StoreError."""
        if self.stream is None or span.start != self.start or (self.stop is not None and span.stop > self.stop):
            self.close()
            fetched = self.store.fetch(self.info.key, span.start, span.stop)
            self.stream, self.start, self.stop = fetched.stream, span.start, span.stop
            if fetched.info.etag != self.info.etag:
                raise StoreError(f"{self.info.key}: it was replaced while it was being answered")
        return self.stream

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()


def _open(store: ObjectStore, key: str, wanted: Wanted) -> Opened:
    """Media is only looked at where an answer without a body is likely, or its size has to be known first."""
    bounds_ = bounds(wanted.range)
    if is_text(key):
        bounds_ = (0, None)
    elif wanted.method == "HEAD" or wanted.if_none_match or (wanted.range and not bounds_):
        return Opened(store, store.head(key))
    start, stop = bounds_ or (0, None)
    fetched = store.fetch(key, start, stop)
    return Opened(store, fetched.info, fetched.stream, start, stop)


def text_body(data: bytes, *, gzipped: bool) -> Body:
    """The tag is made of the very bytes sent: a pointer may be swapped between a look at it and its reading."""
    tag = hashlib.sha256(data).hexdigest()[:32]
    if not gzipped:
        return Body(f'"{tag}"', len(data), data)
    packed = gzip.compress(data, 6, mtime=0)
    return Body(f'"{tag}-gzip"', len(packed), packed, gzipped=True)


def read_text(store: ObjectStore, key: str, gzipped: bool) -> tuple[ObjectInfo, Body]:
    """A playlist or pointer as it is now, for all who ask at this moment. Blocks. Raises ObjectMissing, StoreError."""
    fetched = store.fetch(key)
    with fetched.stream as stream:
        return fetched.info, text_body(stream.read(), gzipped=gzipped)


def headers_of(info: ObjectInfo, body: Body) -> Headers:
    """What every answer from this representation says, also one without a body."""
    headers = {"ETag": body.etag, "Cache-Control": info.cache_control}
    if is_text(info.key):
        headers["Vary"] = "Accept-Encoding"
    if body.gzipped:
        headers["Content-Encoding"] = "gzip"
    else:
        headers["Accept-Ranges"] = "bytes"
    if info.cache_control == IMMUTABLE:  # a pointer may change twice in a second: its date would tell too little
        headers["Last-Modified"] = formatdate(info.modified, usegmt=True)
    return headers


def _unsatisfiable(headers: Headers, body: Body) -> Headers:
    kept = {name: value for name, value in headers.items() if name in ("Accept-Ranges", "Vary")}
    return kept | {"Content-Range": f"bytes */{body.size}", "Cache-Control": "no-store"}


class ObjectResponse(StreamingResponse):
    """Sends parts of an open object and closes it, whatever happens to the connection."""

    def __init__(self, opened: Opened, parts: Parts, status: int, headers: Headers) -> None:
        self._opened = opened
        super().__init__(sent(opened, parts), status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._opened.close)


async def sent(opened: Opened, parts: Parts) -> AsyncIterator[bytes]:
    for piece in parts.pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        stream = await asyncio.to_thread(opened.part, piece)
        async for block in blocks(stream, piece.size):
            yield block


async def blocks(stream: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """`size` bytes in blocks. An object that is shorter than that breaks the connection rather than look complete."""
    left = size
    while left > 0:
        block = await asyncio.to_thread(stream.read, min(BLOCK, left))
        if not block:
            raise EOFError(f"the object ended {left} bytes early")
        left -= len(block)
        yield block
