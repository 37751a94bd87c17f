"""What a claim costs by what is waiting: a thousand ready steps of ten tenants beside a million of a thousand, and beside those
as many that wait for their next attempt. On PostgreSQL with fsync."""

from __future__ import annotations

import statistics
import time

import psycopg

from rushes.catalog.change import Store
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.postgres import PostgresDatabase
from rushes.model import Asset
from rushes.settings import load_policy, load_profile
from rushes.states import Pool
from tests.services.postgres import Postgres

FEW, MANY, WAITING = (1_000, 10), (1_000_000, 1_000), 100_000
"""(steps, tenants); steps in back-off."""
CLAIMS = 400
STEPS_OF_ASSET = 100

_ASSETS = """
INSERT INTO assets (id, tenant, state, publication, created_at, profile, policy, doc)
SELECT 'a' || n, 'tenant-' || n %% %(tenants)s, 'ingested', 'private', 0, %(profile)s, %(policy)s,
  replace(replace(%(doc)s, 'ASSET', 'a' || n), 'TENANT', 'tenant-' || n %% %(tenants)s)
FROM generate_series(0, %(assets)s - 1) n
"""
_STEPS = """
INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost, state, waiting,
  created_at, ready_at, not_before, class, deadline)
SELECT 's' || %(name)s || n, 'a' || n %% %(assets)s, 'tenant-' || n %% %(assets)s %% %(tenants)s, 1, %(name)s || n, 'poster',
  'image', '{}', 0, 10, 0.2 + (n %% 7) / 10.0, %(state)s, 0, 0, 0, %(begin)s, 2, n
FROM generate_series(1, %(steps)s) n
"""
_LANES = """
INSERT INTO queues (pool, class, tenant, version, tag, since)
SELECT pool, class, tenant, version, random(), random()
FROM (SELECT DISTINCT pool, class, tenant, version FROM steps WHERE state = 'ready') l
"""


def fill(url: str, steps: int, tenants: int, waiting: int = 0) -> None:
    """So many ready steps, spread evenly, and so many in back-off."""
    assets = max(tenants, steps // STEPS_OF_ASSET)
    doc = Asset(id="ASSET", tenant="TENANT", created_at=0.0, policy="development").model_dump_json()
    profile, policy = load_profile("balanced"), load_policy("development")
    terms = {"profile": profile.model_dump_json(), "policy": policy.model_dump_json(), "doc": doc}
    several = {"assets": assets, "tenants": tenants}
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO tenants (id) SELECT 'tenant-' || n FROM generate_series(0, %s - 1) n", (tenants,)
        )
        connection.execute(_ASSETS, {**several, **terms})
        connection.execute(_STEPS, {**several, "steps": steps, "name": "r", "state": "ready", "begin": 0})
        connection.execute(_STEPS, {**several, "steps": waiting, "name": "w", "state": "waiting", "begin": 9e9})
        connection.execute(_LANES)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def claims(url: str, count: int = CLAIMS) -> list[float]:
    """Milliseconds of each of so many claims, the first few left out."""
    database = PostgresDatabase(url)
    pipeline = Pipeline(Store(database), lease=60.0, max_attempts=4, tool="none")
    times = []
    for _ in range(count + 20):
        start = time.perf_counter()
        assert pipeline.claim((Pool.IMAGE,), "bench") is not None
        times.append(1e3 * (time.perf_counter() - start))
    database.close()
    return sorted(times[20:])


def report(postgres: Postgres) -> None:
    found = {}
    for steps, tenants, waiting in ((*FEW, 0), (*MANY, WAITING)):
        url = postgres.fresh()
        fill(url, steps, tenants, waiting)
        times = claims(url)
        found[steps] = statistics.median(times)
        print(
            f"  a claim among {steps:9,} ready steps of {tenants:5,} tenants, {waiting:7,} in back-off:"
            f" p50 {found[steps]:.2f} ms  p99 {times[int(0.99 * len(times))]:.2f} ms"
        )
        postgres.drop(url)
    print(f"  ratio {found[MANY[0]] / found[FEW[0]]:.2f} (goal: at most 2)")
