"""Several threads at one PostgreSQL, each with a connection of its own, and what has to hold when they are done."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.postgres import PostgresDatabase
from rushes.catalog.records import Claim, Upload
from rushes.clock import SystemClock, pause
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import Asset, ProbeResult
from rushes.states import Pool
from tests.contract.shop import FACTS, PLAN

T = TypeVar("T")
PROBED = ProbeResult(facts=FACTS, plan=PLAN)
FINAL = "('done', 'skipped', 'failed', 'cancelled')"


class Site:
    """A process of the fleet: catalog and pipeline by the database's own clock."""

    def __init__(self, url: str, *, lease: float = 30.0, deliver: bool = False) -> None:
        self.url = url
        self.database = PostgresDatabase(url, size=20)
        self.store = Store(self.database, deliver=deliver)
        self.catalog = Catalog(self.store)
        self.pipeline = Pipeline(self.store, lease=lease, max_attempts=50, tool="ffmpeg-test")

    def upload(self, tenant: str = "default") -> str:
        now = SystemClock().now()
        asset = Asset(id=new_id(now), tenant=tenant, created_at=now, policy="development")
        upload = Upload(id=new_id(now), asset=asset.id, tenant=tenant, length=9, created_at=now, expires_at=now + 60)
        self.catalog.create_upload(upload, asset)
        self.catalog.finish_upload(upload.id, SourceRef(key=f"sources/{tenant}/{asset.id}/1", size=9))
        return asset.id

    def probed(self) -> str:
        """An asset whose encode and audio, among others, are ready."""
        asset = self.upload()
        claim = self.claim()
        assert claim is not None and (claim.job.asset, claim.job.key) == (asset, "probe")
        assert self.pipeline.complete(claim.job, PROBED, 0.1)
        return asset

    def claim(self) -> Claim | None:
        return self.pipeline.claim(tuple(Pool), "w")

    def rows(self, statement: str) -> list[dict[str, object]]:
        with self.database.read() as tx:
            return [dict(row) for row in tx.all(statement)]

    def until_waiting(self, count: int = 1) -> None:
        """Until so many transactions wait for a lock that another holds."""
        deadline = SystemClock().monotonic() + 10
        with psycopg.connect(self.url, autocommit=True) as own:
            while own.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone() != (count,):
                assert SystemClock().monotonic() < deadline, "nobody waits"
                pause(0.005)

    def check(self) -> None:
        """What holds between any two transactions, whoever was at work."""
        for row in self.rows(
            "SELECT s.id, s.key, s.state, s.fence, sum(CASE WHEN a.fence IS NOT NULL AND a.outcome IS NULL THEN 1 ELSE 0 END)"
            # what a retry has set aside, to do it once more, keeps its result
            " AS open, sum(CASE WHEN a.outcome = 'done' AND a.result IS NULL THEN 1 ELSE 0 END) AS done, count(a.fence) AS attempts"
            " FROM steps s LEFT JOIN attempts a ON a.step = s.id GROUP BY s.id"
        ):
            assert row["open"] == (1 if row["state"] == "running" else 0), row
            assert row["attempts"] == row["fence"], row
            assert row["done"] == (1 if row["state"] == "done" else 0), row
        stuck = self.rows(
            "SELECT s.key, s.waiting FROM steps s WHERE s.state = 'waiting' AND ((s.waiting = 0 AND s.not_before = 0)"
            " OR s.waiting <>"
            f" (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = s.id AND d.state NOT IN {FINAL}))"
        )
        assert stuck == []
        unseen = self.rows(
            "SELECT s.key FROM steps s WHERE s.state = 'ready' AND NOT EXISTS (SELECT 1 FROM queues q WHERE q.pool = s.pool"
            " AND q.class = s.class AND q.tenant = s.tenant AND q.version = s.version AND q.open = 1)"
        )
        assert unseen == []


def together(count: int, action: Callable[[int], T]) -> list[T]:
    """Do it in so many threads at the same moment. Raises what one of them raised."""
    gate = threading.Barrier(count)

    def one(number: int) -> T:
        gate.wait()
        return action(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def rounds(seconds: float) -> itertools.takewhile[int]:
    """0, 1, 2 ... for so long."""
    deadline = SystemClock().monotonic() + seconds
    return itertools.takewhile(lambda _: SystemClock().monotonic() < deadline, itertools.count())
