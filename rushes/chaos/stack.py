"""A rehearsal's stack: PostgreSQL, Redis, a store on the disk, one web server and a few workers, in processes of their own.

It hurts nothing but what it started itself.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import DatabaseUnavailable, Row
from rushes.catalog.open import open_database
from rushes.chaos import promise
from rushes.chaos.bounds import OVERHEAD
from rushes.chaos.member import PATIENCE, Member, free_port, until
from rushes.chaos.receiver import SECRET, Receiver
from rushes.chaos.rehearsal import Rehearsal, lay_out, write
from rushes.chaos.servers import Broker, Server
from rushes.clock import SystemClock, pause
from rushes.storage.open import open_store

STILL_OPEN = "SELECT 1 FROM steps WHERE asset = :asset AND state IN ('waiting', 'ready', 'running') LIMIT 1"
AGAIN = 0.2
"""Seconds between two tries of a client whose upload was not acknowledged."""


@dataclass(frozen=True)
class Services:
    """What a stack stands on, and may break."""

    database: Server
    database_url: str
    broker: Broker
    broker_url: str
    storage_url: str = ""
    """Empty: a folder of the stack's own."""


@dataclass
class Stack:
    folder: Path
    services: Services
    lease: float = 4.0
    heartbeat: float = 1.0
    thorough: bool = True
    """Faults do all that they know, and not only what is quick."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More of them, without `RUSHES_` and in lower case."""

    def __post_init__(self) -> None:
        self.acknowledged: list[str] = []
        self.workers: list[Member] = []
        self.planted = self.folder / "planted"
        self.receiver = Receiver()
        profile = lay_out(self.planted)
        self.environment = self._environment(profile)
        self.storage_url = self.environment["RUSHES_STORAGE_URL"]
        self._names = 0
        self._api: Member | None = None
        self._port = free_port()
        self.store = Store(open_database(self.services.database_url))
        self.catalog = Catalog(self.store)

    @property
    def recovery(self) -> float:
        """Seconds within which the step of a dead worker has to run elsewhere."""
        return self.lease + OVERHEAD

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _environment(self, profile: Path) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
        path = os.pathsep.join(filter(None, (str(self.planted), os.environ.get("PYTHONPATH", ""))))
        said = {
            "data": str(self.folder / "data"), "config": os.devnull, "log_format": "json", "profile": str(profile),
            "database_url": self.services.database_url, "broker_url": self.services.broker_url,
            "storage_url": self.services.storage_url or f"file://{self.folder / 'data' / 'objects'}",
            "preview_secret": "the same on every server", "refuse_early": "false", "speech_draft": "false",
            "lease_seconds": str(self.lease), "heartbeat_seconds": str(self.heartbeat), "step_stall": "2",
            "step_memory": "300000000", "drain_seconds": "2", "min_free_bytes": "1000000", "max_attempts": "6",
            "webhook_url": f"http://127.0.0.1:{self.receiver.port}/", "webhook_secret": SECRET, **self.settings,
        }  # fmt: skip
        return clean | {f"RUSHES_{name.upper()}": value for name, value in said.items()} | {"PYTHONPATH": path}

    # -- up and down --------------------------------------------------------------------------------------------------

    def start(self, workers: int = 2) -> None:
        """Returns when the web server takes uploads. Raises RuntimeError with what `rushes migrate` said."""
        command = [sys.executable, "-m", "rushes.cli", "migrate"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"The database could not be made ready: {done.stderr[-2000:]}")
        self.heal(workers)

    def stop(self) -> list[int]:
        """Gives the workers' exit codes."""
        for worker in self.workers:
            worker.thaw()
        codes = [worker.end() for worker in self.workers]
        if self._api:
            self._api.end()
        self.receiver.close()
        self.store.database.close()
        return codes

    def heal(self, workers: int = 2) -> None:
        """All is well: the stand-ins do nothing but work, and the web server and so many workers live."""
        write(self.planted, Rehearsal())
        self.fill_up(workers)
        for worker in self.workers[workers:]:
            worker.end()
        self.workers = self.workers[:workers]
        self.heal_api()

    def heal_api(self) -> None:
        """Returns when it takes uploads."""
        if self._api is None or not self._api.lives:
            self._api = self._member("api", "serve", "--port", str(self._port))
        self.until(self._takes_uploads, "the web server")

    def fill_up(self, workers: int = 2) -> None:
        """In the place of those that have died come others."""
        self.workers = [worker for worker in self.workers if worker.lives]
        while len(self.workers) < workers:
            self.worker()

    def worker(self, *pools: str, **more: str) -> Member:
        """One more, with these variables of its own."""
        arguments = ("worker", "--slots", "4", *(("--pools", ",".join(pools)) if pools else ()))
        self.workers.append(self._member("worker", *arguments, **more))
        return self.workers[-1]

    def kill_api(self) -> None:
        """As the kernel would; `heal` brings another."""
        if self._api:
            self._api.kill()

    def _member(self, name: str, *arguments: str, **more: str) -> Member:
        self._names += 1
        return Member(f"{name}-{self._names}", arguments, self.environment | more, self.folder)

    def _takes_uploads(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz").status_code == 200
        return False

    # -- work ---------------------------------------------------------------------------------------------------------

    def rehearse(self, rehearsal: Rehearsal) -> None:
        write(self.planted, rehearsal)

    def submit(self, count: int = 1) -> list[str]:
        """Uploads, sent until they are acknowledged to their last byte; gives their assets."""
        return [self._upload() for _ in range(count)]

    def _upload(self) -> str:
        body = secrets.token_bytes(64)
        said = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(body)),
            "Content-Type": "application/offset+octet-stream",
        }
        clock = SystemClock()
        deadline = clock.monotonic() + PATIENCE
        while True:
            with suppress(httpx.HTTPError):
                answer = httpx.post(f"{self.url}/files", content=body, headers=said, timeout=10)
                if answer.status_code == 201 and answer.headers.get("Upload-Offset") == str(len(body)):
                    asset = str(answer.headers["Rushes-Asset"])
                    self.acknowledged.append(asset)
                    return asset
            if clock.monotonic() > deadline:
                raise TimeoutError(f"no upload was taken within {PATIENCE:.0f} s; see {self.folder}")
            pause(AGAIN)

    def rows(self, statement: str, **values: object) -> list[Row]:
        """Of the catalog; waits for a database that is away."""
        found: list[Row] = []

        def asked() -> bool:
            with suppress(DatabaseUnavailable), self.store.database.read() as tx:
                found[:] = tx.all(statement, values)
                return True
            return False

        self.until(asked, "the database")
        return found

    def running(self, key: str, asset: str = "", beyond: float = -1.0) -> Row | None:
        """A step of this key that somebody is at: id, asset, lease_owner, fence, progress, attempts."""
        found = self.rows(
            "SELECT id, asset, lease_owner, fence, progress, attempts FROM steps WHERE state = 'running' AND key = :key"
            " AND progress > :beyond AND (:asset = '' OR asset = :asset) ORDER BY id LIMIT 1",
            key=key, asset=asset, beyond=beyond,
        )  # fmt: skip
        return found[0] if found else None

    def caught(self, key: str, asset: str = "", beyond: float = -1.0) -> tuple[Row, Member]:
        """Wait for such a step; gives it, and whose it is."""
        found: list[Row] = []

        def look() -> bool:
            found[:] = [row for row in (self.running(key, asset, beyond),) if row]
            return bool(found)

        self.until(look, f"a running step {key}")
        return found[0], next(worker for worker in self.workers if worker.owns(found[0]["lease_owner"]))

    def knows(self, *members: Member) -> bool:
        """Whether these workers are in the catalog."""
        names = [row["id"] for row in self.rows("SELECT id FROM workers")]
        return all(any(member.owns(name) for name in names) for member in members)

    def elsewhere(self, step: Row) -> Callable[[], bool]:
        """Whether somebody else has begun it since, or ended it."""

        def look() -> bool:
            state = self.rows("SELECT state, fence FROM steps WHERE id = :id", id=step["id"])[0]
            return bool(state["fence"] > step["fence"]) or state["state"] in ("done", "skipped", "failed")

        return look

    def outcomes(self, step: str) -> list[str]:
        """Of its attempts, in their order; `open` of one that has not ended."""
        found = self.rows("SELECT outcome FROM attempts WHERE step = :step ORDER BY fence", step=step)
        return [row["outcome"] or "open" for row in found]

    def tries(self, step: str) -> list[str]:
        """The same without those that were given back untouched, as on a machine too busy to start a child in time."""
        return [outcome for outcome in self.outcomes(step) if outcome != "released"]

    def is_settled(self, assets: Iterable[str]) -> bool:
        """Nothing is left to be done for them."""
        return all(self.catalog_says(asset) and not self.rows(STILL_OPEN, asset=asset) for asset in assets)

    def catalog_says(self, asset: str) -> bool:
        """It has left the state of an upload."""
        return bool(self.rows("SELECT 1 FROM assets WHERE id = :id AND state <> 'uploading'", id=asset))

    def settled(self, assets: Iterable[str], patience: float = PATIENCE) -> float:
        wanted = list(assets)
        return self.until(lambda: self.is_settled(wanted), "the end of all steps", patience)

    def broken(self, assets: Iterable[str]) -> list[str]:
        return promise.broken(self.store, open_store(self.storage_url), assets)

    def until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> float:
        try:
            return until(condition, what, patience)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; see {self.folder}") from None
