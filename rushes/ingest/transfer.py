"""The upload itself, seen from the client: tuspy creates and finds the offset, the bytes go out over one connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.uploader.uploader import Uploader

from rushes.errors import RushesError
from rushes.ingest.answers import ASSET
from rushes.ingest.memo import Memo, Memos, fingerprint
from rushes.ingest.patience import Patience

CHUNK = 32 * 2**20
"""Bytes per request: many proxies refuse bodies of 100 MB, and small requests waste round trips."""
PIECE = 256 * 1024
_PASSING = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})

Report = Callable[[int, int], None]
"""Called with the bytes that are through, and the size."""


class PushError(RushesError):
    """The upload was not possible. `status` is the server's, or 0 where it gave none."""

    @property
    def is_refusal(self) -> bool:
        """The server looked at the file and does not take it (RFC 9110 section 15.5.14: too large)."""
        return self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


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


@contextmanager
def _troubles() -> Iterator[None]:
    """What tuspy and httpx raise, as one class."""
    try:
        yield
    except TusCommunicationError as error:
        raise Trouble(str(error), error.status_code, error.response_content or b"") from error
    except httpx.HTTPError as error:
        raise Trouble(str(error) or type(error).__name__) from error


class Transfer:
    """One file on its way. tuspy speaks the protocol; the chunks go out by httpx: over one connection, with time-outs
    (tuspy has none, so a lost network would hang it), and with progress inside a chunk."""

    def __init__(self, file: Path, url: str | None, client: TusClient, http: httpx.Client) -> None:
        self._file, self._http = file, http
        with _troubles():
            metadata = {"filename": file.name}
            self._tus: Any = Uploader(file_path=str(file), url=url, client=client, metadata=metadata)
        self.size = file.stat().st_size

    @property
    def offset(self) -> int:
        return int(self._tus.offset)

    def create(self) -> str:
        """Make the upload at the server; gives its address."""
        with _troubles():
            self._tus.set_url(self._tus.create_url())
        return str(self._tus.url)

    def send_chunk(self, report: Report) -> None:
        length = min(CHUNK, self.size - self.offset)
        headers = {
            **self._tus.get_headers(),
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(self.offset),
            "Content-Length": str(length),
        }
        with _troubles():
            response = self._http.patch(self._tus.url, content=self._pieces(length, report), headers=headers)
        if not response.is_success or "upload-offset" not in response.headers:
            raise Trouble("", response.status_code, response.content)
        self._tus.offset = int(response.headers["upload-offset"])

    def asset(self) -> str:
        with _troubles():
            response = self._http.head(self._tus.url, headers=self._tus.get_headers())
        if ASSET not in response.headers:
            raise Trouble("", response.status_code)
        return str(response.headers[ASSET])

    def _pieces(self, left: int, report: Report) -> Iterator[bytes]:
        sent = self.offset
        with self._file.open("rb") as stream:
            stream.seek(sent)
            while left and (piece := stream.read(min(PIECE, left))):
                yield piece
                left, sent = left - len(piece), sent + len(piece)
                report(sent, self.size)


@dataclass(frozen=True)
class Sender:
    """Uploads files to one server."""

    server: str
    http: httpx.Client
    memos: Memos
    patience: Callable[[], Patience]
    token: str | None = None
    tell: Callable[[str], None] = lambda sentence: None
    """Called once per trouble that is waited for."""

    def send(self, file: Path, report: Report) -> str:
        """Upload a file, or go on where an earlier run ended. Gives the asset's id. Raises PushError, OSError."""
        name = fingerprint(file, self.server)
        patience = self.patience()
        while True:
            try:
                memo = self._try(file, name, report, patience)
            except Trouble as trouble:
                self._check_unchanged(file, name)
                expired = trouble.is_gone and self.memos.find(name) is not None
                if expired:
                    self.memos.forget(name)  # from the start, then
                if not (expired or trouble.is_passing) or not patience.wait():
                    raise trouble.as_push_error(self.server) from trouble
                self.tell(f"{trouble.as_push_error(self.server).message} Trying again.")
                continue
            self._check_unchanged(file, name)
            return memo.asset

    def _check_unchanged(self, file: Path, name: str) -> None:
        if fingerprint(file, self.server) != name:
            raise PushError("file_changed", f"{file} changed while it was uploaded. Please push it again.", status=0)

    def forget(self, file: Path) -> None:
        self.memos.forget(fingerprint(file, self.server))

    def _try(self, file: Path, name: str, report: Report, patience: Patience) -> Memo:
        """From the remembered offset, or from a new upload, to the end."""
        memo = self.memos.find(name)
        transfer = Transfer(file, memo.url if memo else None, self._client(), self.http)
        if memo is None:
            memo = self._keep(name, Memo(url=transfer.create()), patience)
        report(transfer.offset, transfer.size)
        while transfer.offset < transfer.size:
            transfer.send_chunk(report)
            patience.success()
        return memo if memo.asset else self._keep(name, Memo(memo.url, transfer.asset()), patience)

    def _keep(self, name: str, memo: Memo, patience: Patience) -> Memo:
        self.memos.keep(name, memo, patience.clock.now())
        return memo

    def _client(self) -> TusClient:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return TusClient(f"{self.server.rstrip('/')}/files", headers=headers)
