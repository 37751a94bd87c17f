"""`rushes import`: files of a bucket or a directory become assets, a few at a time, with a bar and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rushes import wiring
from rushes.catalog.catalog import Catalog
from rushes.catalog.database import DatabaseUnavailable
from rushes.clock import SystemClock
from rushes.ingest.collection import Collection, Found, open_collection
from rushes.ingest.importing import Done, Importer, Site, Stopped, looks_like_video
from rushes.ingest.manifest import Entry, ManifestError, parse_manifest
from rushes.ingest.open import open_upload_store
from rushes.ingest.rate import Rate
from rushes.settings import Settings, SettingsError, load_profile
from rushes.storage.open import open_store
from rushes.storage.store import StoreError
from rushes.workers.doorbell import open_doorbell

TRIES = 4
"""Of one file, with growing pauses, while a store or the database does not answer."""
INTERRUPTED, REFUSED, OUR_FAULT = 130, 2, 1


@dataclass(frozen=True)
class Order:
    source: str
    tenant: str = "default"
    manifest: Path | None = None
    rate: Rate | None = None
    at_once: int = 4
    everything: bool = False
    """Also what does not look like a video by its name."""
    profile: str = ""
    """Of the assets; empty: that of the settings. A manifest may say another for each."""


@dataclass(frozen=True)
class Candidate:
    path: str
    found: Found | None
    """None: the manifest names it, and it is not there."""
    entry: Entry | None = None
    is_video: bool = True


@dataclass
class Report:
    files: int = 0
    imported: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    refused: list[Done] = field(default_factory=list)
    stopped: bool = False
    dry_run: bool = False

    def add(self, done: Done) -> None:
        self.files += 1
        match done.outcome:
            case "imported":
                self.imported += 1
                self.bytes += done.size
            case "skipped":
                self.skipped[done.code] += 1
            case "refused":
                self.refused.append(done)

    @property
    def exit_code(self) -> int:
        """0 done, 1 a store did not answer, 2 some were refused, 130 stopped."""
        if self.stopped:
            return INTERRUPTED
        codes = {done.code for done in self.refused}
        return OUR_FAULT if codes & _OURS else REFUSED if codes else 0

    def as_dict(self) -> dict[str, Any]:
        names = ("path", "code", "message", "asset")
        refused = [{name: getattr(done, name) for name in names} for done in self.refused]
        plain = {name: getattr(self, name) for name in ("files", "imported", "bytes", "stopped", "dry_run")}
        return {**plain, "skipped": dict(self.skipped), "refused": refused}

    def lines(self) -> Iterator[str]:
        verb = "would be imported" if self.dry_run else "imported"
        yield f"{self.imported} {verb} ({self.bytes / 1e6:,.1f} MB)"
        for code, count in sorted(self.skipped.items()):
            yield f"{count} skipped: {_SKIPPED.get(code, code)}"
        for done in self.refused:
            yield f"refused: {_plain(done.path)}: {done.message} ({done.code})"
        if self.stopped:
            yield "Stopped. Run the same command again to go on."


_OURS = {"storage_unavailable", "insufficient_storage"}
_SKIPPED = {
    "imported_before": "imported before",
    "in_progress": "another import is at them",
    "not_a_video": "no videos by their names (--all takes them too)",
    "cancelled": "cancelled while they were imported",
}


def run(order: Order, settings: Settings, console: Console, *, dry_run: bool = False) -> Report:
    """Raises SettingsError for what is wrong with the order, StoreError where the source cannot be listed."""
    collection = open_collection(order.source)
    entries = _entries(order.manifest)
    for profile in {order.profile, *(entry.profile for entry in entries or ())} - {""}:
        load_profile(profile)
    store = wiring.open_catalog(settings, open_doorbell(settings))
    try:
        uploads = open_upload_store(settings, alone=False)
        site = Site(Catalog(store), open_store(settings.storage), uploads, settings, SystemClock())
        importer = Importer(site, collection, order.tenant, order.rate, profile=order.profile)

        def candidates() -> Iterator[Candidate]:
            return _candidates(collection, entries, everything=order.everything)

        if dry_run:
            return _rehearse(importer, candidates())
        return _perform(importer, candidates, order.at_once, console)
    finally:
        store.database.close()


def _entries(manifest: Path | None) -> list[Entry] | None:
    if manifest is None:
        return None
    try:
        return parse_manifest(manifest.read_text(encoding="utf-8"), manifest.name)
    except (ManifestError, UnicodeDecodeError) as error:
        raise SettingsError(f"{manifest}: {error}") from error


def _candidates(collection: Collection, entries: Sequence[Entry] | None, *, everything: bool) -> Iterator[Candidate]:
    if entries is None:
        for found in collection.list():
            yield Candidate(found.path, found, is_video=everything or looks_like_video(found.path))
        return
    for entry in entries:
        yield Candidate(entry.path, collection.find(entry.path), entry)


def _rehearse(importer: Importer, candidates: Iterator[Candidate]) -> Report:
    """What an import would do; nothing is changed."""
    report = Report(dry_run=True)
    for each in candidates:
        report.add(_at_once(each) or importer.rehearse(_there(each), each.entry))
    return report


def _perform(
    importer: Importer, candidates: Callable[[], Iterator[Candidate]], at_once: int, console: Console
) -> Report:
    report = Report()
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    described = TextColumn("{task.description}")
    with Progress(described, BarColumn(30), *columns, console=console) as bar, ThreadPoolExecutor(at_once) as pool:
        total = sum(each.found.size for each in candidates() if each.found and each.is_video)
        task = bar.add_task("importing", total=total)
        jobs: dict[Future[Done | None], int] = {}
        work = candidates()
        try:
            while True:
                for each in islice(work, 2 * at_once - len(jobs)):
                    size = each.found.size if each.found and each.is_video else 0
                    jobs[pool.submit(_one, importer, each)] = size
                if not jobs:
                    break
                ended, _ = wait(jobs, return_when=FIRST_COMPLETED)
                _collect(ended, report)
                bar.advance(task, sum(jobs.pop(job) for job in ended))
                bar.update(task, description=f"{report.files} files")
        except BaseException as error:
            importer.stop.set()
            ended, _ = wait(jobs)
            _collect(ended, report)
            if not isinstance(error, KeyboardInterrupt):
                raise
            report.stopped = True
    return report


def _collect(jobs: set[Future[Done | None]], report: Report) -> None:
    for job in jobs:
        done = job.result()
        if done is not None:
            report.add(done)


def _one(importer: Importer, candidate: Candidate) -> Done | None:
    """None where the import was stopped before it was done. Blocks."""
    if done := _at_once(candidate):
        return done
    for attempt in range(TRIES):
        try:
            return importer.bring(_there(candidate), candidate.entry)
        except Stopped:
            return None
        except (StoreError, DatabaseUnavailable) as error:
            trouble = str(error)
            if importer.stop.wait(2**attempt):
                return None
        except OSError as error:
            return Done(candidate.path, "refused", code="unreadable", message=f"It cannot be read: {error.strerror}.")
    return Done(candidate.path, "refused", code="storage_unavailable", message=f"A store does not answer: {trouble}.")


def _at_once(candidate: Candidate) -> Done | None:
    """What needs no look at the catalog."""
    if candidate.found is None:
        return Done(candidate.path, "refused", code="not_found", message="There is no such file.")
    if not candidate.is_video:
        return Done(candidate.path, "skipped", size=candidate.found.size, code="not_a_video")
    return None


def _there(candidate: Candidate) -> Found:
    if candidate.found is None:
        raise ValueError(candidate.path)
    return candidate.found


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
