"""HTTP/1.1 on a bare socket: every answer is seen as it comes, interim ones too, and a connection breaks when a test says so."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SECONDS = 20.0
"""After which a read that gets nothing fails the test."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Lower-case names; several of a name are joined with a comma."""
    body: bytes = b""

    @property
    def offset(self) -> int:
        return int(self.headers["upload-offset"])


class Wire:
    """One connection."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        name, port = self._host.rsplit(":", 1)
        self.socket = socket.create_connection((name, int(port)), timeout=SECONDS)
        self._read = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._read.close()
        self.socket.close()

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"", version: str = "1.1"
    ) -> None:
        """The head, and as much of the body as is there now; Content-Length is what `headers` say."""
        place = urlsplit(url)
        path = f"{place.path}?{place.query}" if place.query else place.path
        lines = [
            f"{method} {path} HTTP/{version}",
            f"Host: {self._host}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, bodiless: bool = False) -> Answer:
        """The next one, interim or final. `bodiless`: it is that of a HEAD."""
        status = int(self._line().split(" ")[1])
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            known = headers.get(name.lower())
            headers[name.lower()] = f"{known}, {value.strip()}" if known else value.strip()
        bodiless = bodiless or status < 200 or status == 204
        return Answer(status, headers, b"" if bodiless else self._body(headers))

    def final(self, *, bodiless: bool = False) -> tuple[Answer, list[Answer]]:
        """The final answer, and the interim ones before it."""
        interim: list[Answer] = []
        while (answer := self.answer(bodiless=bodiless)).status < 200:
            interim.append(answer)
        return answer, interim

    def is_closed(self) -> bool:
        """Wait for the server to close. False: it said something instead."""
        return self._read.read(1) == b""

    def _line(self) -> str:
        line = self._read.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the connection ended with {line!r}")
        return line[:-2].decode("latin-1")

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self._read.read(int(headers["content-length"]))
        body = b""
        while size := int(self._line(), 16):
            body += self._read.read(size)
            self._line()
        self._line()
        return body


def chunk(data: bytes) -> bytes:
    """Of a body with `Transfer-Encoding: chunked`."""
    return b"%x\r\n%s\r\n" % (len(data), data)
