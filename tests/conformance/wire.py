"""HTTP/1.1 by hand: requests may stop half-way, answers show their interim responses, nothing is added or hidden."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 10.0
"""Seconds to wait for bytes of an answer."""
BLOCK = 65_536

Headers = Mapping[str, str | None]
"""What to send; a value of None leaves a header out that would be sent otherwise."""


class Broken(Exception):
    """The other side closed the connection, or said what is not HTTP."""


@dataclass(frozen=True)
class Answer:
    """One response. Names of header fields are lower-case; of repeated fields the values are joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    interim: tuple[Answer, ...] = ()
    """The 1xx responses before it, in their order."""

    def get(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    def told(self, status: int) -> list[Answer]:
        """Interim responses of this status."""
        return [answer for answer in self.interim if answer.status == status]

    def json(self) -> Any:
        """The body's value; {} where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def __str__(self) -> str:
        lines = [str(answer) for answer in self.interim]
        lines += [f"< {self.status}", *(f"< {name}: {value}" for name, value in self.headers.items())]
        return "\n".join([*lines, f"< {self.body[:400]!r}"] if self.body else lines)


@dataclass
class Connection:
    """A connection to the server of `url`. `log`: what was said, for the report."""

    url: str
    patience: float = PATIENCE
    log: list[str] = field(default_factory=list)
    _buffer: bytes = b""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        raw = socket.create_connection((parts.hostname or "", port), self.patience)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = parts.scheme == "https"
        self._socket = ssl.create_default_context().wrap_socket(raw, server_hostname=parts.hostname) if secure else raw

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """A server may close before it has read everything, and answer: that is no failure of the sender."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            self.log.append(f"(sending failed: {error})")

    def ask(self, method: str, url: str, headers: Headers, body: bytes = b"") -> None:
        """Send the head of a request, exactly these fields and `Host`, and so much of its body."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Host": parts.netloc, **headers}
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None)
        self.log.append("\n".join(f"> {line[:400]}" for line in head.split("\r\n") if line))
        if body:
            self.log.append(f"> ({len(body)} bytes)")
        self.send(head.encode("latin-1") + b"\r\n" + body)

    def answer(self, method: str, *, final: bool = True) -> Answer:
        """The answer to a request of this method. Not `final`: the next response, interim or not."""
        interim: list[Answer] = []
        while True:
            status, headers = self._head()
            passing = 100 <= status < 200 and status != 101
            body = b"" if passing else self._body(method, status, headers)
            read = Answer(status, headers, body, tuple(interim))
            if not passing or not final:
                self.log.append(str(read))
                return read
            interim.append(read)

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise Broken(f"not a status line: {first[:100]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return int(rest[:3]), headers

    def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks()
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        return self._rest()

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self._line().split(b";")[0], 16):
            data += self._take(size)
            self._line()
        while self._line():
            pass
        return data

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _rest(self) -> bytes:
        try:
            while True:
                self._more()
        except (Broken, OSError):
            data, self._buffer = self._buffer, b""
            return data

    def _more(self) -> None:
        try:
            data = self._socket.recv(BLOCK)
        except TimeoutError:
            raise Broken(f"no answer within {self.patience:g} s") from None
        except OSError as error:
            raise Broken(str(error)) from error
        if not data:
            raise Broken("the server closed the connection without an answer")
        self._buffer += data

    def closed(self, seconds: float) -> bool:
        """Whether the server closes within so many seconds, whatever it says before."""
        self._socket.settimeout(seconds)
        try:
            while data := self._socket.recv(BLOCK):
                self._buffer += data
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def leave(self) -> None:
        """End in the middle of a request. Everything sent arrives: closing with unread answers would reset the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self.closed(min(self.patience, 2.0))
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close with a TCP reset, as a phone does that changes its network."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def chunked(*chunks: bytes, trailers: Mapping[str, str] | None = None) -> bytes:
    """A body in chunked transfer coding (RFC 9112 section 7.1), its end and trailers included."""
    data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return data + b"0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in (trailers or {}).items()).encode() + b"\r\n"
