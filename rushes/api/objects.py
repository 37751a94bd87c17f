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
from rushes.api.ranges import Span, Unsatisfiable, bounds, parse_range
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


def answer(store: ObjectStore, key: str, wanted: Wanted, *, cache_control: str | None = None) -> Response:
    """The answer for one object; blocks on the store. `cache_control` replaces the object's own.

    Asks the store once where it can: a remote one takes milliseconds for each request. Raises ObjectMissing, StoreError.
    """
    with ExitStack() as stack:
        opened = _open(store, key, wanted)
        stack.callback(opened.close)
        text = opened.info.content_type.partition(";")[0] in TEXT
        body = _text(opened.whole(), wanted) if text else Body(opened.info.etag, opened.info.size)
        headers = _headers(opened.info, body, text=text, gzipped=text and wanted.gzip)
        if cache_control:
            headers["Cache-Control"] = cache_control
        if matches(wanted.if_none_match, body.etag):
            return Response(status_code=304, headers=headers)
        try:
            span = parse_range(wanted.range_for(body.etag), body.size)
        except Unsatisfiable:
            return Response(status_code=416, headers=_unsatisfiable(headers, body))
        response = _content(opened, wanted, body, span, headers | {"Content-Type": opened.info.content_type})
        if isinstance(response, ObjectResponse):
            stack.pop_all()  # it closes the stream itself
        return response


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
    if content_type(key).partition(";")[0] in TEXT:
        bounds_ = (0, None)
    elif wanted.method == "HEAD" or wanted.if_none_match or (wanted.range and not bounds_):
        return Opened(store, store.head(key))
    start, stop = bounds_ or (0, None)
    fetched = store.fetch(key, start, stop)
    return Opened(store, fetched.info, fetched.stream, start, stop)


def _text(data: bytes, wanted: Wanted) -> Body:
    """The tag is made of the very bytes sent: a pointer may be swapped between a look at it and its reading."""
    tag = hashlib.sha256(data).hexdigest()[:32]
    if not wanted.gzip:
        return Body(f'"{tag}"', len(data), data)
    packed = gzip.compress(data, 6, mtime=0)
    return Body(f'"{tag}-gzip"', len(packed), packed)


def _headers(info: ObjectInfo, body: Body, *, text: bool, gzipped: bool) -> Headers:
    headers = {"ETag": body.etag, "Cache-Control": info.cache_control}
    if text:
        headers["Vary"] = "Accept-Encoding"
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    else:
        headers["Accept-Ranges"] = "bytes"
    if info.cache_control == IMMUTABLE:  # a pointer may change twice in a second: its date would tell too little
        headers["Last-Modified"] = formatdate(info.modified, usegmt=True)
    return headers


def _unsatisfiable(headers: Headers, body: Body) -> Headers:
    kept = {name: value for name, value in headers.items() if name in ("Accept-Ranges", "Vary")}
    return kept | {"Content-Range": f"bytes */{body.size}", "Cache-Control": "no-store"}


def _content(opened: Opened, wanted: Wanted, body: Body, span: Span | None, headers: Headers) -> Response:
    part = span or Span(0, body.size)
    headers["Content-Length"] = str(part.size)
    if span:
        headers["Content-Range"] = span.content_range(body.size)
    status = 206 if span else 200
    if wanted.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if body.data is not None:
        return Response(body.data[part.start : part.stop], status, headers)
    return ObjectResponse(opened.part(part), part.size, status, headers)


class ObjectResponse(StreamingResponse):
    """Sends `size` bytes of an open object and closes it, whatever happens to the connection."""

    def __init__(self, stream: BinaryIO, size: int, status: int, headers: Headers) -> None:
        self._stream = stream
        super().__init__(blocks(stream, size), status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._stream.close)


async def blocks(stream: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """`size` bytes in blocks. An object that is shorter than that breaks the connection rather than look complete."""
    left = size
    while left > 0:
        block = await asyncio.to_thread(stream.read, min(BLOCK, left))
        if not block:
            raise EOFError(f"the object ended {left} bytes early")
        left -= len(block)
        yield block
