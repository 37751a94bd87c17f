"""The release before the newest migration, as it was, beside this one on one catalog that is of today: a rolling update.

It is taken out of the history of this repository; where that is not there (a shallow clone, an archive) the test is skipped.
`test_mixed_versions` is its short form.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rushes.catalog.database import migrations
from rushes.catalog.open import open_database
from rushes.states import AssetState, Publication
from tests.contract.shop import Shop

if TYPE_CHECKING:
    from tests.services.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
ACT = """
import sys
from rushes.catalog.open import open_database
from rushes.states import Pool
from tests.contract.shop import Shop
from tests.contract.test_encodes import answer

shop = Shop(open_database(sys.argv[1]))
shop.clock.advance(float(sys.argv[2]))
for what in sys.argv[4:]:
    if what.startswith("upload:"):
        print(shop.upload(what.partition(":")[2]).id)
    elif what == "claim":
        shop.pipeline.claim(tuple(Pool), "dies")
    elif what.isdecimal():
        for _ in range(int(what)):
            claim = shop.pipeline.claim(tuple(Pool), sys.argv[3])
            if claim is not None:
                assert shop.pipeline.complete(claim.job, answer(claim.job), 1.0)
    else:
        getattr(shop.pipeline, what)()
"""
"""What a process of either release does, in its own words."""


def git(*arguments: str) -> bytes:
    found = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"git {arguments[0]}: {found.stderr.decode(errors='replace').strip()}")
    return found.stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its source and its tests' shop."""
    name = f"rushes/catalog/migrations/{migrations()[-1][0]}"
    added = git("log", "--diff-filter=A", "--format=%H", "--", name).decode().split()
    if not added:
        pytest.skip(f"the history does not say when {name} came")
    archive = git("archive", f"{added[-1]}^", "rushes", "tests/contract", "tests/services")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    assert not (folder / name).exists()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    found = server.fresh() if server else f"sqlite:///{tmp_path / 'rushes.db'}"
    database = open_database(found)
    database.migrate()
    database.close()
    yield found
    if server:
        server.drop(found)


class Fleet:
    """Processes of both releases, one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = 0

    def act(self, release: Path, *what: str) -> list[str]:
        """What a process of a release printed. Every delay is over by the next one."""
        self._turn += 1
        command = [sys.executable, "-P", "-c", ACT, self._url, str(400 * self._turn), release.name, *what]
        ended = subprocess.run(
            command, cwd=release, env={"PYTHONPATH": str(release)}, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.split()


@pytest.mark.nightly
def test_a_rolling_update_loses_and_doubles_nothing(before: Path, url: str) -> None:
    """Both plan, claim, complete and lose steps of the same assets, turn about."""
    fleet = Fleet(url)
    assets = [*fleet.act(before, "upload:a", "3", "claim"), *fleet.act(ROOT, "upload:b", "2", "claim")]
    for turn in range(4):
        fleet.act(before, "4", "claim", "reconcile")
        fleet.act(ROOT, "take_over", "reconcile", "3" if turn % 2 else "5")
    for _ in range(3):
        fleet.act(ROOT, "take_over", "reconcile", "80")
    shop = Shop(open_database(url))
    for asset in assets:
        found = shop.catalog.asset(asset)
        assert (found.state, found.publication) == (AssetState.READY, Publication.PUBLISHED), shop.states(asset)
        assert all(state.is_final for state in shop.states(asset).values())
    assert [event.type for event in shop.catalog.events(limit=1000)].count("asset.published") == len(assets)
    assert shop.pipeline.open_work() == 0
    with shop.database.read() as tx:
        done = tx.all("SELECT worker, count(*) AS n FROM attempts WHERE outcome IN ('done', 'skipped') GROUP BY worker")
    assert {row["worker"] for row in done} == {before.name, ROOT.name}
    assert min(row["n"] for row in done) > 3
    shop.database.close()
