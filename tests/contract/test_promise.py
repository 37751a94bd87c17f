"""The check of the promise finds each way in which it can be broken, and nothing where it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.catalog.open import open_database
from rushes.chaos import promise
from rushes.keys import build_prefix, pointer_key
from rushes.model import (
    LintResult,
    PackageResult,
    ProbeResult,
    PublishResult,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.states import Action, AssetState, Pool, StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.store import Headers
from rushes.tracks import Segment, Track
from tests.contract.shop import FACTS, PLAN, Shop

NOTHING = Skipped(reason=Reason(code="x", message="Nothing to do."))


class Published:
    """An asset with one segment, published as its steps say and as the store has it."""

    def __init__(self, folder: Path) -> None:
        self.shop, self.objects = Shop(_database(folder)), MemoryStore()
        self.asset = self.shop.upload().id
        self.prefix = ""
        while claim := self.shop.pipeline.claim(tuple(Pool), "w"):
            self.shop.pipeline.complete(claim.job, self._result(claim.job), 0.1)
        self.build = self.shop.catalog.asset(self.asset).build
        self.put(
            pointer_key(self.asset, "master.m3u8"), f"#EXTM3U\n# rushes build={self.build}\nb/{self.build}/v.m3u8\n"
        )
        self.put(f"{build_prefix(self.asset, self.build)}v.m3u8", f"#EXTM3U\n../../../../{self.prefix}0.m4s\n")
        self.put(f"{self.prefix}0.m4s", "x")

    def _result(self, job):
        match job.kind:
            case StepKind.PROBE:
                return ProbeResult(facts=FACTS, plan=PLAN)
            case StepKind.ENCODE:
                self.prefix = job.clear_prefix
                segments = (Segment(name="0.m4s", ticks=60, size=1),)
                track = Track(
                    name="v", kind="video", prefix=self.prefix, codecs="avc1", timescale=30, segments=segments
                )
                return TracksResult(tracks=(track,))
            case StepKind.AUDIO:
                return TracksResult(tracks=())
            case StepKind.PACKAGE if job.params["phase"] == "ready":
                return PackageResult(build=job.build, tracks=(), complete=True, bytes=1)
            case StepKind.LINT:
                return LintResult(build=job.build)
            case StepKind.VERDICT:
                return VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=("r",)))
            case StepKind.PUBLISH if job.params["phase"] == "ready":
                return PublishResult(build=job.build)
            case _:
                return NOTHING

    def put(self, key: str, text: str) -> None:
        self.objects.put_bytes(key, text.encode(), Headers())

    def tell(self, statement: str) -> None:
        with self.shop.database.write() as tx:
            tx.execute(statement)

    def broken(self, *more: str) -> str:
        return " ".join(promise.broken(self.shop.catalog._store, self.objects, [self.asset, *more]))


def _database(folder: Path):
    database = open_database(f"sqlite:///{folder / 'catalog.db'}")
    database.migrate()
    return database


@pytest.fixture
def kept(tmp_path: Path) -> Published:
    return Published(tmp_path)


def test_a_promise_that_is_kept(kept: Published) -> None:
    assert kept.shop.catalog.asset(kept.asset).state is AssetState.READY
    assert kept.broken() == ""


def test_an_asset_that_is_lost(kept: Published) -> None:
    assert "is lost" in kept.broken("01hzynobodyknowsthisone00")


def test_what_was_taken_down_between_is_published_again(kept: Published) -> None:
    kept.tell(
        "INSERT INTO events (id, at, type, asset, tenant, data) SELECT 'again', at, type, asset, tenant, data FROM events"
        " WHERE type = 'asset.published'"
    )
    assert "asset.published was told 2 times" in kept.broken()
    kept.tell("UPDATE steps SET key = 'cleanup.unpublish.7' WHERE key = 'poster'")
    assert kept.broken() == ""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE assets SET state = 'ingested', doc = replace(doc, '\"ready\"', '\"ingested\"')", "neither ready"),
        ("UPDATE steps SET state = 'ready' WHERE key = 'poster'", "that is ready"),
        ("UPDATE attempts SET step = (SELECT id FROM steps WHERE key = 'audio'), fence = 7 WHERE step ="
         " (SELECT id FROM steps WHERE key = 'encode.0')", "done more than once"),
        ("INSERT INTO events (id, at, type, asset, tenant, data) SELECT 'again', at, type, asset, tenant, data FROM events"
         " WHERE type = 'asset.published'", "asset.published was told 2 times"),
        ("UPDATE steps SET result = '{}' WHERE key = 'encode.0'", "not of an attempt that won"),
    ],
)  # fmt: skip
def test_what_the_catalog_cannot_mean(kept: Published, statement: str, said: str) -> None:
    kept.tell(statement)
    assert said in kept.broken()


def test_a_segment_that_is_missing(kept: Published) -> None:
    kept.objects.delete(f"{kept.prefix}0.m4s")
    assert "is missing" in kept.broken()


def test_a_pointer_that_is_missing(kept: Published) -> None:
    kept.objects.delete(pointer_key(kept.asset, "master.m3u8"))
    assert "has no pointer" in kept.broken()


def test_a_pointer_to_another_build(kept: Published) -> None:
    kept.put(pointer_key(kept.asset, "master.m3u8"), "#EXTM3U\n# rushes build=99\n")
    assert "its pointer names 99" in kept.broken()


def test_a_pointer_that_should_not_be_there(kept: Published) -> None:
    kept.shop.catalog.decide(kept.asset, Action.HOLD)
    assert "has a pointer and is" in kept.broken()
