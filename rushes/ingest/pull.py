"""Step PULL: the source is fetched from an address into the upload store, and becomes the asset's source from there.

It may be killed anywhere and begun again, by another worker too. What is stored of the file counts as long as the server
says that the file is the same; which one it was stands in a note beside the source-to-be:

| killed after | is left | then |
|---|---|---|
| nothing | nothing | the file is asked for |
| the note | a note, no upload | the file is asked for, the note replaced |
| the upload's creation | an upload of no bytes | the same, and the upload replaced |
| some bytes | an upload of so many | the rest is asked for, if the file is the same; else all of it |
| the hand-over | the object | recognised by its place |

The fence of the attempt goes with what it appends, so that what a zombie stores late does not count (`UploadStore`).
"""

from __future__ import annotations

from contextlib import suppress

import httpx
from pydantic import ValidationError

from rushes.addresses import AddressRefused, HttpUrl, Rules, parse_url
from rushes.clock import Clock, SystemClock, pause
from rushes.engine.job import Job, PullSettings
from rushes.errors import Blame, StepFailure
from rushes.ingest.fetch import Answer, Fetcher, broken, refused
from rushes.ingest.metadata import MAX_NAME
from rushes.ingest.open import open_upload_store
from rushes.ingest.pace import Floor
from rushes.ingest.pull_rules import Reading, Version, read, unusable, wanted
from rushes.ingest.store import Appender, StoreFull, UploadBusy, UploadDamaged, UploadMissing, UploadStore
from rushes.keys import source_key
from rushes.model import PullResult
from rushes.settings import Settings
from rushes.storage.store import ObjectMissing
from rushes.storage.workspace import Workspace
from rushes.text import one_line

BUFFER = 2 * 2**20
"""Bytes gathered before a write, unless WRITE_EVERY comes first."""
WRITE_EVERY, SAVE_EVERY = 1.0, 10.0
"""Seconds after which what came is written, and made to survive a crash: so much a slow pull loses at most."""
FRUITFUL = 64 * 1024
"""Bytes that a connection has to bring to be followed by another one at once; else the engine waits, longer each time."""
BREATH = 1.0
"""Seconds between two connections."""
MOST_RESTARTS = 3
"""Times in one attempt that what was fetched is given up, because the file is another one."""


def run(job: Job, workspace: Workspace) -> PullResult:
    """Raises StepFailure."""
    settings = workspace.tools.pull
    if settings is None:
        raise StepFailure("internal", detail="a pull was not told where it may go")
    uploads = open_upload_store(Settings.model_validate(settings.uploads), alone=False)
    return Pull(job, workspace, uploads, settings).run()


def rules_of(settings: PullSettings) -> Rules:
    return Rules(private=settings.private, http=settings.http, ports=settings.ports)


class Pull:
    """One attempt."""

    def __init__(
        self, job: Job, workspace: Workspace, uploads: UploadStore, settings: PullSettings, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._rules = rules_of(settings)
        self._fetcher = Fetcher(self._rules, settings.ca_file)
        self._objects, self._uploads = workspace.store, uploads
        self._progress = workspace.progress
        self._upload: str = job.params["upload"]
        self._address: str = job.params["url"]
        self._fence = job.fence
        self._key = source_key(job.tenant, job.asset, 1)
        self._note_key = f"sources/{job.tenant}/{job.asset}/pull.json"
        self._clock = clock or SystemClock()
        self._deadline = self._clock.monotonic() + settings.seconds

    def run(self) -> PullResult:
        try:
            return self._run()
        except (StoreFull, UploadBusy, UploadMissing, UploadDamaged) as error:
            what = f"{type(error).__name__}: {error}"
            raise StepFailure("storage_unavailable", Blame.TRANSIENT, detail=what) from error

    def _run(self) -> PullResult:
        url, vain = self._url(), 0
        while not self._is_there():
            offset = self._offset()
            version = self._note() if offset else None
            if version is not None and version.length == offset:
                self._uploads.hand_over(self._upload, self._objects, self._key)
                break
            with self._fetcher.get(url, wanted(offset, version)) as answer:
                reading = read(answer.status, answer.headers, offset, version)
                vain += bool(offset) and not reading.keeps
                if vain > MOST_RESTARTS:
                    raise _given_up(version)
                self._check_size(reading.version.length)
                ended = self._take(answer, reading, offset)
            if ended:
                self._uploads.hand_over(self._upload, self._objects, self._key)
            else:
                pause(BREATH)
        return self._result(url)

    def _url(self) -> HttpUrl:
        """The rules may have become stricter since the asset was made."""
        try:
            return parse_url(self._address, self._rules)
        except AddressRefused as error:
            raise refused(error) from error

    # -- what is there ------------------------------------------------------------------------------------------------

    def _is_there(self) -> bool:
        """Whether the bytes were handed over, now or by an attempt that died behind it."""
        try:
            self._objects.head(self._key)
        except ObjectMissing:
            return False
        return True

    def _offset(self) -> int:
        try:
            return self._uploads.stat(self._upload).size
        except UploadMissing:
            return 0

    def _note(self) -> Version | None:
        try:
            return Version.model_validate_json(self._objects.read(self._note_key))
        except (ObjectMissing, ValidationError):
            return None

    def _check_size(self, length: int | None) -> None:
        if length is not None and length > self._settings.max_bytes:
            raise StepFailure("pull_too_large", Blame.PERMANENT, detail=f"{length} bytes")
        if length == 0:
            raise StepFailure("empty_file", Blame.PERMANENT)

    # -- one connection -----------------------------------------------------------------------------------------------

    def _take(self, answer: Answer, reading: Reading, offset: int) -> bool:
        """Store the body. True when nothing is missing; False to ask for the rest, or again."""
        if not reading.keeps:
            self._uploads.remove(self._upload)
        if not reading.has_body:
            return reading.keeps
        if not reading.keeps:
            self._begin(reading.version)
            offset = 0
        appender = self._uploads.append(self._upload, self._fence)
        try:
            sink = _Sink(appender, self._settings.max_bytes, self._clock)
            try:
                self._pour(answer, sink, offset - reading.start, reading.version)
            finally:
                sink.flush()
                appender.commit()  # whatever ended it: what came is kept
        except httpx.HTTPError as error:
            if sink.size - offset < FRUITFUL:
                raise broken(error) from error
            return False
        finally:
            appender.close()
        return self._ends_at(sink.size, reading.version)

    def _begin(self, version: Version) -> None:
        """The note comes first: bytes without one count for nothing."""
        if version.length is not None and self._uploads.free() < version.length:
            raise StoreFull
        self._objects.put_bytes(self._note_key, version.model_dump_json().encode())
        self._uploads.create(self._upload, self._key, version.length)

    def _pour(self, answer: Answer, sink: _Sink, skip: int, version: Version) -> None:
        """`skip`: bytes at the body's beginning that are stored already, where the server heeds no ranges."""
        floor, received = Floor(self._settings.min_rate, self._clock.monotonic()), 0
        for piece in answer.pieces():
            received += len(piece)
            floor.got(len(piece), self._clock.monotonic())
            sink.take(piece[skip:] if skip else piece)
            skip = max(0, skip - len(piece))
            if version.length:
                self._progress(sink.size / version.length)
            now = self._clock.monotonic()
            if now > self._deadline:
                raise StepFailure("pull_too_slow", Blame.PERMANENT, detail=f"{sink.size} bytes in the time there was")
            if not floor.judge(now):
                raise StepFailure("pull_too_slow", Blame.TRANSIENT, detail=f"{received} bytes came")
            floor.wait(now)

    def _ends_at(self, size: int, version: Version) -> bool:
        """The whole body came, as HTTP tells. Where no length was known, it is now."""
        self._check_size(size)
        if version.length not in (None, size):
            raise unusable(f"{size} bytes came instead of {version.length}")
        self._uploads.declare(self._upload, size, self._fence)
        return True

    # -- the end ------------------------------------------------------------------------------------------------------

    def _result(self, url: HttpUrl) -> PullResult:
        size = self._objects.head(self._key).size
        note = self._note()
        self._uploads.remove(self._upload)
        with suppress(ObjectMissing):
            self._objects.delete(self._note_key)
        name = (note.filename if note else "") or url.filename
        return PullResult(upload=self._upload, size=size, filename=_file_name(name))


def _given_up(version: Version | None) -> StepFailure:
    if version is not None and version.validator:
        return StepFailure("pull_changed", Blame.PERMANENT)
    return StepFailure("pull_failed", Blame.TRANSIENT, detail="it breaks off, and begins anew each time")


def _file_name(name: str) -> str:
    return one_line(name.replace("\\", "/").rsplit("/", 1)[-1], MAX_NAME)


class _Sink:
    """Gathers pieces for few writes, and counts."""

    def __init__(self, appender: Appender, most: int, clock: Clock) -> None:
        self._appender, self._most, self._clock = appender, most, clock
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._written = self._saved = clock.monotonic()
        self.size = appender.size

    def take(self, piece: bytes) -> None:
        """Raises StepFailure where the file grows beyond what is allowed."""
        self.size += len(piece)
        if self.size > self._most:
            raise StepFailure("pull_too_large", Blame.PERMANENT, detail=f"more than {self._most} bytes came")
        self._pieces.append(piece)
        self._gathered += len(piece)
        now = self._clock.monotonic()
        if self._gathered >= BUFFER or now - self._written >= WRITE_EVERY:
            self.flush()
            self._written = now
        if now - self._saved >= SAVE_EVERY:
            self._appender.commit()
            self._saved = self._clock.monotonic()

    def flush(self) -> None:
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        self._appender.write(pieces)
