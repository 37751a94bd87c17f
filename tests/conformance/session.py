"""What checks do with a server. One session for each check: it remembers what was said."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urljoin

from rushes.clock import pause
from tests.conformance.clause import Unseen, Violated, header, must, status, succeeded
from tests.conformance.wire import PATIENCE, Answer, Broken, Connection, Headers

VERSION = "1.0.0"
STREAM = "application/offset+octet-stream"
PARTIAL = "application/partial-upload"
CREATE_STATUS = 201
AWHILE = 0.2
"""Seconds after which a client comes back at the earliest: the server has begun with its request before."""
NOTICE = 2.0
"""Seconds that a server has to notice that a client is gone."""


@dataclass(frozen=True)
class Target:
    """A server to look at, and what it says of itself."""

    url: str
    """Where uploads are created."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Go on every request: credentials."""
    extensions: frozenset[str] = frozenset()
    algorithms: tuple[str, ...] = ()
    max_size: int | None = None
    interop: tuple[int, ...] = ()
    """Versions of the IETF protocol that it speaks."""
    read: Callable[[str], bytes] | None = None
    """Gives the stored bytes of a finished upload. Neither protocol has a way to read them back."""
    patience: float = PATIENCE
    metadata: str | None = None
    """Upload-Metadata of creations that are not about it: some servers want a name, which no specification asks for."""


@dataclass
class Session(ABC):
    target: Target
    log: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Addresses of uploads that this session has created."""

    def connect(self, patience: float | None = None) -> Connection:
        return Connection(self.target.url, patience or self.target.patience, self.log)

    def ask(self, method: str, url: str, headers: Headers, body: bytes = b"") -> Answer:
        """One request on a connection of its own, just these headers and the credentials."""
        with self.connect() as connection:
            connection.ask(method, url, {**self.target.headers, **headers}, body)
            answer = connection.answer(method)
        if url == self.target.url and answer.status in range(200, 300) and answer.get("Location"):
            self.made.append(self.location(answer))
        return answer

    def tidy(self) -> None:
        """Terminate what was created, as far as the server lets us: it may be somebody's real one."""
        for url in self.made:
            with suppress(Broken, OSError), self.connect(1.0) as connection:
                connection.ask("DELETE", url, {**self.target.headers, "Tus-Resumable": VERSION})
                connection.answer("DELETE")

    def location(self, answer: Answer) -> str:
        return urljoin(self.target.url, header(answer, "Location"))

    def content(self, url: str) -> bytes:
        if self.target.read is None:
            raise Unseen("there is no way given to read what is stored")
        return self.target.read(url)

    @abstractmethod
    def offset(self, url: str) -> int:
        """Of the upload, as HEAD tells it."""

    def reaches(self, url: str, least: int, most: int | None = None) -> None:
        """What was sent before a cut is kept. The server may take a moment to notice the cut and to store the bytes."""
        deadline = time.monotonic() + NOTICE
        while (at := self.offset(url)) < least and time.monotonic() < deadline:
            pause(0.05)
        must(least <= at <= (most or least), f"of {most or least} bytes that arrived {at} are there")

    def unknown(self, near: str) -> str:
        """The address of an upload that is not there, of the same form as `near`."""
        return near.rstrip("/")[:-12] + secrets.token_hex(6)


@dataclass
class Tus(Session):
    """tus 1.0.0."""

    def request(self, method: str, url: str, headers: Headers | None = None, body: bytes | None = None) -> Answer:
        """With the protocol's version and, where there is a body, its length."""
        length = {"Content-Length": str(len(body))} if body is not None else {}
        return self.ask(method, url, {"Tus-Resumable": VERSION, **length, **(headers or {})}, body or b"")

    def options(self, headers: Headers | None = None) -> Answer:
        return self.ask("OPTIONS", self.target.url, headers or {})

    def post(self, headers: Headers, body: bytes = b"") -> Answer:
        kind = {"Content-Type": STREAM} if body else {}
        usual = {"Upload-Metadata": self.target.metadata}
        return self.request("POST", self.target.url, {**usual, **kind, **headers}, body)

    def create(self, length: int | None, headers: Headers | None = None, body: bytes = b"") -> str:
        """The address of a new upload; None: its length is deferred."""
        size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        return self.location(status(self.post({**size, **(headers or {})}, body), CREATE_STATUS))

    def uploaded(self, data: bytes, headers: Headers | None = None) -> str:
        """The address of an upload with all its bytes."""
        url = self.create(len(data), headers)
        status(self.patch(url, 0, data), 204)
        return url

    def head(self, url: str) -> Answer:
        return self.request("HEAD", url)

    def patch(self, url: str, offset: int, data: bytes, headers: Headers | None = None) -> Answer:
        return self.request("PATCH", url, {**self.appending(offset), **(headers or {})}, data)

    def delete(self, url: str) -> Answer:
        return self.request("DELETE", url)

    def offset(self, url: str) -> int:
        return whole(header(status(self.head(url), 200, 204), "Upload-Offset"))

    @staticmethod
    def appending(offset: int) -> dict[str, str | None]:
        return {"Content-Type": STREAM, "Upload-Offset": str(offset)}

    def half(self, url: str, offset: int, data: bytes, announced: int, patience: float | None = None) -> Connection:
        """A PATCH that announces more than it sends; the connection stays open."""
        connection = self.connect(patience)
        fields = {"Tus-Resumable": VERSION, **self.appending(offset), "Content-Length": str(announced)}
        connection.ask("PATCH", url, {**self.target.headers, **fields}, data)
        return connection

    def final(self, *urls: str, headers: Headers | None = None) -> Answer:
        return self.post({"Upload-Concat": f"final;{' '.join(urls)}", **(headers or {})})


@dataclass
class Ietf(Session):
    """Resumable Uploads for HTTP, of one interop version."""

    interop: int = 8

    def complete(self, value: bool) -> dict[str, str | None]:
        """Of the request. Until interop version 3 the field was `Upload-Incomplete`, and meant the opposite."""
        if self.interop <= 3:
            return {"Upload-Incomplete": "?0" if value else "?1"}
        return {"Upload-Complete": "?1" if value else "?0"}

    def completed(self, answer: Answer) -> bool:
        """Of the answer. Raises Violated where it does not say."""
        name = "Upload-Incomplete" if self.interop <= 3 else "Upload-Complete"
        value = header(answer, name, "?0", "?1")
        return value == ("?0" if self.interop <= 3 else "?1")

    @property
    def version(self) -> dict[str, str | None]:
        return {"Upload-Draft-Interop-Version": str(self.interop)}

    def request(self, method: str, url: str, headers: Headers | None = None, body: bytes | None = None) -> Answer:
        length = {"Content-Length": str(len(body))} if body is not None else {}
        return self.ask(method, url, {**self.version, **length, **(headers or {})}, body or b"")

    def post(self, complete: bool, body: bytes = b"", headers: Headers | None = None) -> Answer:
        return self.request("POST", self.target.url, {**self.complete(complete), **(headers or {})}, body)

    def create(self, body: bytes = b"", headers: Headers | None = None) -> str:
        """The address of an upload that is not complete yet."""
        return self.location(succeeded(self.post(False, body, headers)))

    def appending(self, offset: int, complete: bool) -> dict[str, str | None]:
        kind = {"Content-Type": PARTIAL} if self.interop >= 6 else {}
        return {"Upload-Offset": str(offset), **self.complete(complete), **kind}

    def patch(
        self, url: str, offset: int, data: bytes, *, complete: bool = False, headers: Headers | None = None
    ) -> Answer:
        return self.request("PATCH", url, {**self.appending(offset, complete), **(headers or {})}, data)

    def head(self, url: str) -> Answer:
        return self.request("HEAD", url)

    def offset(self, url: str) -> int:
        return whole(header(succeeded(self.head(url)), "Upload-Offset"))

    def begin(self, announced: int, data: bytes = b"", headers: Headers | None = None) -> Connection:
        """A creation that is to complete the upload in one request, of which only `data` is sent."""
        connection = self.connect()
        fields = {**self.version, **self.complete(True), "Content-Length": str(announced), **(headers or {})}
        connection.ask("POST", self.target.url, {**self.target.headers, **fields}, data)
        return connection

    def half(self, url: str, offset: int, data: bytes, announced: int) -> Connection:
        """An append that announces more than it sends; the connection stays open."""
        connection = self.connect()
        fields = {**self.version, **self.appending(offset, True), "Content-Length": str(announced)}
        connection.ask("PATCH", url, {**self.target.headers, **fields}, data)
        return connection


def film(size: int, fill: bytes = b"\0") -> bytes:
    """So many bytes that begin like a video (ISO/IEC 14496-12: `ftyp`, `mdat`): some servers look at what they are sent."""
    head = bytes.fromhex("00000018") + b"ftypisom" + bytes.fromhex("00000200") + b"isommp42"
    head += max(size - len(head), 8).to_bytes(4, "big") + b"mdat"
    return (head + fill * (max(size - len(head), 0) // len(fill) + 1))[:size]


def whole(text: str) -> int:
    """A non-negative integer. Raises Violated."""
    if not (text.isascii() and text.isdigit()):
        raise Violated(f"{text!r} is no non-negative integer")
    return int(text)
