"""Scaling to and from zero, live: workers are started and stopped by the rules of `docker/kubernetes/components/keda`, as KEDA and
Kubernetes' autoscaler apply them, over a fleet on this machine. Uploads come when only the light worker is there.

`UPLOADS` (6) clips of `CLIP_SECONDS` (6). Times and targets are those of the manifests by `FASTER` (30), so that minutes are
seconds. Fails where an asset does, an attempt is lost or failed, a worker does not end in good order, or a pool is not at its least
number in the end.

KEDA's part: a pool that is not empty has a pod within `pollingInterval`, an empty one none after `cooldownPeriod`. Kubernetes'
part, between one and most: ceil(number / target), up at once, down to the most that was wanted within `stabilizationWindowSeconds`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.clips import phone
from bench.playable import TUS, _free_box
from tests.services.fleet import Fleet, Member
from tests.services.manifests import of_kind, pools, workers
from tests.services.postgres import binaries, running_postgres
from tests.services.redis import RedisServer

UPLOADS = int(os.environ.get("UPLOADS", "6"))
CLIP_SECONDS = int(os.environ.get("CLIP_SECONDS", "6"))
FASTER = float(os.environ.get("FASTER", "30"))
MOST = int(os.environ.get("MOST", "2"))
"""Pods of a pool on this machine, whatever the manifests allow."""


@dataclass
class Pods:
    """One scaled object, and the workers that are its pods."""

    name: str
    spec: dict[str, Any]
    pools: list[str]
    fleet: Fleet
    running: list[Member] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    """Exit codes."""
    leaving: list[Member] = field(default_factory=list)
    wanted: list[tuple[float, int]] = field(default_factory=list)
    """(when, how many), of the last looks."""
    active_at: float = 0.0
    peak: int = 0
    pod_seconds: float = 0.0

    def look(self, now: float, backlog: dict[str, dict[str, float]]) -> None:
        values = [(self._number(one, backlog), float(one["metadata"]["targetValue"])) for one in self.spec["triggers"]]
        if any(value > 0 for value, _ in values):
            self.active_at = now
        least = self.spec["minReplicaCount"]
        count = max(ceil(value * FASTER / target) for value, target in values)
        behaviour = self.spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        window = behaviour["scaleDown"]["stabilizationWindowSeconds"] / FASTER
        self.wanted = [(at, n) for at, n in self.wanted if at > now - window] + [(now, count)]
        target_count = max(n for _, n in self.wanted)
        cold = now - self.active_at > self.spec["cooldownPeriod"] / FASTER
        self._become(least if cold else min(MOST, max(1, least, target_count)))

    def _number(self, trigger: dict[str, Any], backlog: dict[str, dict[str, float]]) -> float:
        _, pool, name = trigger["metadata"]["valueLocation"].split(".")
        return backlog[pool][name]

    def _become(self, count: int) -> None:
        while len(self.running) < count:
            self.running.append(self.fleet.worker(*self.pools, slots=1))
        while len(self.running) > count:
            self.leaving.append(self.running.pop())
            process = self.leaving[-1].process
            assert process
            process.terminate()
        self.peak = max(self.peak, len(self.running))
        for member in [one for one in self.leaving if one.process and one.process.poll() is not None]:
            self.leaving.remove(member)
            self.ended.append(member.end())


def main() -> None:
    programs = binaries()
    if programs is None:
        sys.exit("This needs PostgreSQL and redis-server.")
    with tempfile.TemporaryDirectory() as name, running_postgres(programs) as postgres, _redis(Path(name)) as redis:
        database = postgres.empty()
        settings = {
            "RUSHES_DATABASE_URL": database, "RUSHES_BROKER_URL": redis.url("scaling"),
            "RUSHES_STORAGE_URL": f"file://{name}/objects",
        }  # fmt: skip
        fleet = Fleet(Path(name), settings)
        fleet.migrate()
        try:
            _scale(fleet, Path(name), database)
        finally:
            fleet.stop()


@contextmanager
def _redis(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.kill()


def _scale(fleet: Fleet, folder: Path, database: str) -> None:
    url = fleet.serve(wait=False)
    fleet.until(lambda: _answers(url), "the web side")
    objects = {one["metadata"]["name"]: one["spec"] for one in of_kind("ScaledObject", "components/keda")}
    scaled = [Pods(name, objects[name], pools(pod), fleet) for name, pod in workers().items()]
    clip = phone(folder, seconds=CLIP_SECONDS)
    with httpx.Client(base_url=url, timeout=60) as http:
        began = time.monotonic()
        _turn(scaled, http, lambda: len(http.get("/v1/fleet").json()["workers"]) < 1, "a light worker")
        print(f"autoscale: from nothing to the light worker {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        assets = [_uploaded(http, clip, number) for number in range(UPLOADS)]
        for what in ("playable", "ready"):
            _turn(scaled, http, lambda what=what: not _all(http, assets, what), what)
            print(f"  {UPLOADS} uploads from zero: all {what} after {time.monotonic() - began:.1f} s")
        _turn(scaled, http, lambda: not _at_rest(scaled), "rest")
        print(f"  at rest again after {time.monotonic() - began:.1f} s")
    _report(scaled, database)


def _turn(scaled: list[Pods], http: httpx.Client, goes_on: Any, what: str, patience: float = 420.0) -> None:
    """Look as often as the manifests say, and scale, as long as `goes_on`."""
    end = time.monotonic() + patience
    interval = scaled[0].spec["pollingInterval"] / FASTER
    while goes_on():
        now = time.monotonic()
        if now > end:
            sys.exit(f"{what}: not within {patience:.0f} s")
        backlog = http.get("/v1/fleet/backlog").json()["pools"]
        for pods in scaled:
            pods.look(now, backlog)
            pods.pod_seconds += interval * len(pods.running)
        time.sleep(interval)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + "/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _uploaded(http: httpx.Client, clip: Path, number: int) -> str:
    data = clip.read_bytes() + _free_box(number)
    made = http.post("/files", headers={**TUS, "Upload-Length": str(len(data))}).raise_for_status()
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    http.patch(made.headers["location"], content=data, headers=headers).raise_for_status()
    return str(http.get("/v1/assets?limit=1").json()["items"][0]["id"])


def _all(http: httpx.Client, assets: list[str], what: str) -> bool:
    states = {http.get(f"/v1/assets/{asset}").json()["state"] for asset in assets}
    if "failed" in states:
        sys.exit("An asset failed.")
    return states <= {what, "ready"}


def _at_rest(scaled: list[Pods]) -> bool:
    return all(len(pods.running) == pods.spec["minReplicaCount"] and not pods.leaving for pods in scaled)


def _report(scaled: list[Pods], database: str) -> None:
    for pods in scaled:
        spent = f"most {pods.peak}  pod seconds {pods.pod_seconds:4.0f}"
        print(f"  {pods.name:26} {spent}  ended {len(pods.ended)}, in good order {pods.ended.count(0)}")
    with psycopg.connect(database) as connection:
        found = dict(connection.execute("SELECT outcome, count(*) FROM attempts GROUP BY outcome").fetchall())
    print(f"  attempts: {', '.join(f'{outcome} {number}' for outcome, number in sorted(found.items()))}")
    if found.keys() & {"lost", "failed"} or any(code for pods in scaled for code in pods.ended):
        sys.exit("Something was lost on the way.")


if __name__ == "__main__":
    main()
