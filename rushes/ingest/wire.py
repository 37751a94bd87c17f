"""The requests of a tus client, by httpx: over kept connections, with time-outs, and with progress inside a request."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import httpx

from rushes.errors import RushesError

CHUNK = 32 * 2**20
"""Bytes per request: many proxies refuse bodies of 100 MB, and small requests waste round trips."""
PIECE = 256 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
_PASSING = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})

Report = Callable[[int, int], None]
"""Called with the bytes that are through, and the size."""


class PushError(RushesError):
    """The upload was not possible. `status` is the server's, or 0 where it gave none."""

    @property
    def is_refusal(self) -> bool:
        """The server looked at the file, or at what is asked for it, and does not take it (RFC 9110 sections 15.5.1, 15.5.14,
        15.5.16, 15.5.21)."""
        return self.status in (
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )


class Trouble(Exception):
    """One try failed. `status` is None where there was no answer."""

    def __init__(self, text: str, status: int | None = None, content: bytes = b"") -> None:
        super().__init__(text or f"the server answered {status}")
        self.status = status
        self.content = content

    @property
    def is_passing(self) -> bool:
        """Whether trying again may help: no answer at all, or one that says so."""
        return self.status is None or self.status in _PASSING

    @property
    def is_gone(self) -> bool:
        return self.status in _GONE

    def as_push_error(self, server: str) -> PushError:
        if self.status is None:
            sentence = f"{server} does not answer ({self}). Is the server running?"
            return PushError("server_unreachable", sentence, status=0)
        try:
            body = json.loads(self.content)
            return PushError(body["code"], body["detail"], status=self.status)
        except (ValueError, KeyError, TypeError):
            return PushError("unexpected_answer", f"{server} answered {self.status}.", status=self.status)


@dataclass(frozen=True)
class Wire:
    """Requests to one server. Every method raises Trouble. Threads may share one."""

    endpoint: str
    http: httpx.Client

    def create(self, headers: Mapping[str, str]) -> tuple[str, httpx.Response]:
        """The address of the new upload, and the whole answer."""
        with _troubles():
            response = self.http.post(self.endpoint, headers={**TUS, **headers})
        location = _good(response).headers.get("location")
        if not location:
            raise Trouble("", response.status_code, response.content)
        return urljoin(self.endpoint, location), response

    def look(self, url: str, header: str) -> str:
        """A header of the upload."""
        with _troubles():
            response = self.http.head(url, headers=TUS)
        if header not in response.headers:
            raise Trouble("", response.status_code, response.content)
        return str(response.headers[header])

    def offset(self, url: str) -> int:
        return int(self.look(url, "upload-offset"))

    def send(self, url: str, file: Path, offset: int, start: int, end: int, report: Callable[[int], None]) -> int:
        """Send a chunk of a file's bytes `start` to `end`, of which the upload has `offset`; gives its new offset."""
        length = min(CHUNK, end - start - offset)
        headers = {
            **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Content-Length": str(length),
        }
        with _troubles():
            response = self.http.patch(
                url, content=_pieces(file, start + offset, length, offset, report), headers=headers
            )
        if "upload-offset" not in _good(response).headers:
            raise Trouble("", response.status_code, response.content)
        return int(response.headers["upload-offset"])


def metadata_of(file: Path, said: Mapping[str, str]) -> dict[str, str]:
    """`Upload-Metadata` with the file's name and what is `said` of it."""
    pairs = {"filename": file.name, **said}
    return {"Upload-Metadata": ",".join(f"{key} {b64encode(text.encode()).decode()}" for key, text in pairs.items())}


def _good(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        raise Trouble("", response.status_code, response.content)
    return response


@contextmanager
def _troubles() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise Trouble(str(error) or type(error).__name__) from error


def _pieces(file: Path, at: int, left: int, sent: int, report: Callable[[int], None]) -> Iterator[bytes]:
    with file.open("rb") as stream:
        stream.seek(at)
        while left and (piece := stream.read(min(PIECE, left))):
            yield piece
            left, sent = left - len(piece), sent + len(piece)
            report(sent)
