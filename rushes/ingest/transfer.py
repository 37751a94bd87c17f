"""The upload itself, seen from the client: whole or in parts, resumed where an earlier run ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import httpx

from rushes.ingest.answers import ASSET
from rushes.ingest.memo import Memo, Memos, fingerprint
from rushes.ingest.parted import PartedTransfer, begin, count_of
from rushes.ingest.patience import Patience
from rushes.ingest.wire import PushError, Report, Trouble, Wire, metadata_of


@dataclass(frozen=True)
class Sender:
    """Uploads files to one server."""

    server: str
    http: httpx.Client
    memos: Memos
    patience: Callable[[], Patience]
    tell: Callable[[str], None] = lambda sentence: None
    """Called once per trouble that is waited for."""
    parallel: int | None = None
    """In how many parts a file goes at once; None: as its size says."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the files' assets: `profile`, `clip_start`..."""

    def send(self, file: Path, report: Report) -> str:
        """Upload a file, or go on where an earlier run ended. Gives the asset's id. Raises PushError, OSError."""
        name = self._name(file)
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
                self._waiting(trouble)
                continue
            self._check_unchanged(file, name)
            return memo.asset

    def forget(self, file: Path) -> None:
        self.memos.forget(self._name(file))

    def _name(self, file: Path) -> str:
        """By which an upload is found again: the same file with other options becomes another asset."""
        return fingerprint(file, f"{self.server}?{urlencode(self.said)}" if self.said else self.server)

    def _check_unchanged(self, file: Path, name: str) -> None:
        if self._name(file) != name:
            raise PushError("file_changed", f"{file} changed while it was uploaded. Please push it again.", status=0)

    def _waiting(self, trouble: Trouble) -> None:
        self.tell(f"{trouble.as_push_error(self.server).message} Trying again.")

    def _try(self, file: Path, name: str, report: Report, patience: Patience) -> Memo:
        """From the remembered offset, or from a new upload, to the end."""
        wire = Wire(f"{self.server.rstrip('/')}/files", self.http)
        memo = self.memos.find(name)
        if memo is None:
            memo = self._begin(file, wire)
            self.memos.keep(name, memo, patience.clock.now())
        if memo.parts:
            self._send_parts(file, memo, wire, report)
        else:
            _send_whole(file, memo, wire, report, patience)
        if not memo.asset:
            memo = replace(memo, asset=wire.look(memo.url, ASSET))
            self.memos.keep(name, memo, patience.clock.now())
        return memo

    def _begin(self, file: Path, wire: Wire) -> Memo:
        size = file.stat().st_size
        count = count_of(size, self.parallel)
        if count > 1:
            return begin(file, count, wire, self.said)
        url, answer = wire.create({"Upload-Length": str(size), **metadata_of(file, self.said)})
        return Memo(url, answer.headers.get(ASSET, ""))

    def _send_parts(self, file: Path, memo: Memo, wire: Wire, report: Report) -> None:
        """Each part has a patience of its own: when one of them ends, so does the push."""
        try:
            PartedTransfer(file, memo.parts, wire, self.patience, report).send(self._waiting)
            report(file.stat().st_size, file.stat().st_size)
        except Trouble as trouble:
            if trouble.is_gone:
                raise  # a part has expired, and the whole with it
            raise trouble.as_push_error(self.server) from trouble


def _send_whole(file: Path, memo: Memo, wire: Wire, report: Report, patience: Patience) -> None:
    size = file.stat().st_size
    at = wire.offset(memo.url)
    report(at, size)
    while at < size:
        at = wire.send(memo.url, file, at, 0, size, lambda sent: report(sent, size))
        report(at, size)  # what the server has, and no longer what went out
        patience.success()
