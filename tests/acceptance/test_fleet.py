"""A fleet through a bad day: uploads while workers die and freeze, Redis is flushed and restarted, and the database
is restarted. Nothing acknowledged is lost, nothing is published twice, no process is left over."""

from __future__ import annotations

import hashlib
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from rushes.clock import SystemClock, pause
from rushes.testing import running_stack
from tests.acceptance.corpus import all_settled, record, upload
from tests.conftest import unavailable
from tests.services.children import living
from tests.services.fleet import Fleet, Member
from tests.services.postgres import Postgres, binaries, running_postgres
from tests.services.redis import RedisServer
from tests.services.swift import Swift

UPLOADS = [pytest.param(4, 3_000_000, id="4"), pytest.param(20, 8_000_000, id="20", marks=pytest.mark.nightly)]
"""How many clips, and the bytes of the largest one taken: the day is long enough."""
LEASE = 5.0
"""Seconds; shorter than the default, to wait less."""


@pytest.fixture
def durable_postgres() -> Iterator[Postgres]:
    """A server of one's own, with fsync: it is going to be restarted."""
    programs = binaries()
    if programs is None:
        unavailable("PostgreSQL")
    assert programs
    with running_postgres(programs, durable=True) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        unavailable("redis-server")
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def fleet(tmp_path: Path, durable_postgres: Postgres, own_redis: RedisServer, swift: Swift) -> Iterator[Fleet]:
    settings = {
        "RUSHES_DATABASE_URL": durable_postgres.empty(),
        "RUSHES_BROKER_URL": own_redis.url("fleet"),
        "RUSHES_STORAGE_URL": swift.url(swift.bucket()),
        "RUSHES_LEASE_SECONDS": str(LEASE),
        **swift.environment,
    }
    built = Fleet(tmp_path, settings)
    built.migrate()
    try:
        yield built
    finally:
        built.stop()


@pytest.fixture
def clips(count: int, room: int, media: Path) -> list[Path]:
    """Different real clips, the longest work last."""
    return sorted((path for path in (media / "real").iterdir() if path.stat().st_size < room), key=_size)[-count:]


def _size(path: Path) -> int:
    return path.stat().st_size


def owner(database: str, kind: str) -> tuple[str, str] | None:
    """Step and worker of an encode that is under way."""
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT id, lease_owner FROM steps WHERE state = 'running' AND kind = %s AND progress BETWEEN 0.05 AND 0.9"
            " ORDER BY progress LIMIT 1",
            (kind,),
        ).fetchone()
    return (found[0], found[1]) if found else None


def member_of(fleet: Fleet, worker: str) -> Member:
    """By the process number in the worker's name."""
    return next(member for member in fleet.members if member.process and f"-{member.pid}-" in worker)


def busy(fleet: Fleet, database: str, spared: tuple[Member, ...] = ()) -> tuple[str, Member]:
    """A step that is being encoded, and by whom."""
    found: list[tuple[str, Member]] = []

    def look() -> bool:
        seen = owner(database, "encode")
        if seen and (member := member_of(fleet, seen[1])) not in spared:
            found.append((seen[0], member))
        return bool(found)

    fleet.until(look, "an encode that is under way")
    return found[-1]


def elsewhere(database: str, step: str, name: str) -> Callable[[], bool]:
    """Whether the step is somebody else's, or done."""

    def look() -> bool:
        with psycopg.connect(database) as connection:
            found = connection.execute("SELECT state, lease_owner FROM steps WHERE id = %s", (step,)).fetchone()
        return found is not None and (found[0] == "done" or (found[0] == "running" and f"-{name}-" not in found[1]))

    return look


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("count", "room"), UPLOADS)
def test_a_bad_day(
    fleet: Fleet, durable_postgres: Postgres, own_redis: RedisServer, clips: list[Path]
) -> None:  # fmt: skip
    database = fleet.environment["RUSHES_DATABASE_URL"]
    url, clock = fleet.serve(), SystemClock()
    workers = [fleet.worker() for _ in range(3)]
    # Given uploads, acknowledged to their last byte
    with ThreadPoolExecutor(4) as pool:
        assets = list(pool.map(lambda path: upload(url, path), clips))
    # When a worker is killed in the middle of an encode
    step, victim = busy(fleet, database)
    children = psutil.Process(victim.pid).children(recursive=True)
    killed = clock.monotonic()
    victim.end(signal.SIGKILL)
    fleet.until(elsewhere(database, step, str(victim.pid)), "the step elsewhere")
    print(f"from the kill to the step elsewhere: {clock.monotonic() - killed:.1f} s, with a lease of {LEASE:.0f} s")  # noqa: T201 - for the eye
    fleet.until(lambda: not living(children), "the end of the killed worker's children")
    # and another one, with all its children, is frozen past its lease
    step, frozen = busy(fleet, database, (victim,))
    group = [psutil.Process(frozen.pid), *psutil.Process(frozen.pid).children(recursive=True)]
    for process in group:
        process.suspend()
    fleet.worker()  # somebody comes to replace the dead one
    # and Redis forgets everything, dies, and comes back
    own_redis.flush()
    own_redis.kill()
    fleet.until(elsewhere(database, step, str(frozen.pid)), "the frozen worker's step elsewhere")
    own_redis.start()
    for process in reversed(group):
        process.resume()
    # and the database is restarted
    durable_postgres.stop()
    pause(1.0)
    durable_postgres.start()
    # Then all are ready, each published once, and the pointers lead to segments that are there
    records = all_settled(url, assets, patience=600)
    assert Counter(found["state"] for found in records) == {"ready": len(clips)}
    assert Counter(found["publication"] for found in records) == {"published": len(clips)}
    events = _events(url)
    told = Counter((event["asset"], event["type"]) for event in events)
    once = ("asset.created", "asset.ingested", "asset.playable", "asset.ready", "asset.published")
    assert {told[asset, type_] for asset in assets for type_ in once} == {1}
    for found in records[:5]:
        assert_whole(found["playback"]["hls"])
    # and the workers that live end in good order, and nothing of anybody is left
    assert workers[0].process is not None
    codes = fleet.stop()
    assert sorted(codes) == [-signal.SIGKILL, 0, 0, 0, 0]
    assert fleet.leftovers() == []
    assert living(children) == []


def _events(url: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        page = httpx.get(f"{url}/v1/events", params={"limit": 1000, "after": after}).json()["items"]
        if not page:
            return found
        found += page


def assert_whole(master: str) -> None:
    """Every playlist and segment that the pointer leads to is there."""
    for address in _listed(master):
        segments = _listed(address)
        assert segments
        assert {httpx.head(segment).status_code for segment in segments} == {200}


def _listed(address: str) -> list[str]:
    text = httpx.get(address).raise_for_status().text
    return [str(httpx.URL(address).join(line)) for line in text.splitlines() if line and not line.startswith("#")]


SAME = [
    ("derived-vfr-phone-720p-speech.mp4", "chaplin-bw-360p.mp4"),
    pytest.param(("phone-portrait-1080x1920-keyboard.mp4",), marks=pytest.mark.nightly),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", SAME)
def test_the_same_video_has_the_same_recipes_and_bytes_in_both_deployments(
    fleet: Fleet, tmp_path: Path, media: Path, names: tuple[str, ...]
) -> None:
    clips = [media / "real" / name for name in names]
    if not all(clip.is_file() for clip in clips):
        pytest.skip("the shared clips are not there")
    url = fleet.serve()
    for _ in range(2):
        fleet.worker()
    theirs = _segments(url, clips)
    with running_stack(tmp_path / "embedded", speech_draft="false") as stack:
        ours = _segments(stack.url, clips)
    assert ours == theirs
    assert all(len(found) > 3 for found in ours)


def _segments(url: str, clips: list[Path]) -> list[dict[str, str]]:
    """Recipe, track and name of every segment, with its hash; without asset and fence, which are told by chance."""
    assets = [upload(url, clip) for clip in clips]
    all_settled(url, assets, patience=300)
    return [_hashes(record(url, asset)) for asset in assets]


def _hashes(found: dict[str, object]) -> dict[str, str]:
    playback = found["playback"]
    assert isinstance(playback, dict)
    hashes: dict[str, str] = {}
    for playlist in _listed(playback["hls"]):
        for address in [playlist, *_listed(playlist)]:
            if "/t/" in address:
                recipe, _, rest = address.partition("/t/")[2].partition("/")
                name = f"{recipe}/{rest.partition('/')[2]}"
                hashes[name] = hashlib.sha256(httpx.get(address).content).hexdigest()
    return hashes
