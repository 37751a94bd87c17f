"""What comes by other doors than an upload, on each database: once under a name, pulled by a step, behind all others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rushes.catalog.arrival import Arrival
from rushes.catalog.records import Upload
from rushes.engine.graph import BACK_CATALOGUE, FAST, pull
from rushes.errors import REASONS, Blame
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import Asset, PullResult
from rushes.noun import Reason
from rushes.states import AssetState, Pool, StepKind, StepState
from tests.contract.shop import Shop

GONE = Reason(code="pull_not_found", message=REASONS["pull_not_found"])
BROKEN = Reason(code="pull_failed", message=REASONS["pull_failed"])
LOST = Reason(code="worker_lost", message=REASONS["worker_lost"])


def nouns(shop: Shop, tenant: str = "default", **fields: object) -> tuple[Upload, Asset]:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant=tenant, created_at=now).model_copy(update=fields)
    upload = Upload(id=new_id(now), asset=asset.id, tenant=tenant, length=None, created_at=now, expires_at=now + 60)
    return upload, asset


def begin_pull(shop: Shop) -> Arrival:
    upload, asset = nouns(shop)
    return shop.catalog.create_arrival(upload, asset, [pull("https://example.com/x?sig=1", upload.id)])


def test_a_pull_is_a_step_of_its_own_pool(shop: Shop) -> None:
    made = begin_pull(shop)
    assert shop.rings == [{Pool.PULL}]
    assert shop.pipeline.claim((Pool.IO, Pool.VIDEO), "w") is None
    job = shop.claim(Pool.PULL).job
    assert (job.kind, job.params) == (StepKind.PULL, {"url": "https://example.com/x?sig=1", "upload": made.upload.id})
    assert (job.asset, job.source.size) == (made.asset.id, 0)


def test_the_bundle_of_a_pull_does_not_open_its_address(shop: Shop) -> None:
    made = begin_pull(shop)
    bundle = shop.catalog.bundle(f"{made.asset.id}/pull", tool="t")
    assert bundle.job is not None and bundle.job.params["url"] == "https://example.com/x"
    assert "sig=1" not in bundle.model_dump_json()


def test_what_was_pulled_becomes_the_source_and_is_looked_at(shop: Shop) -> None:
    made = begin_pull(shop)
    job = shop.claim(Pool.PULL).job
    assert shop.pipeline.complete(job, PullResult(upload=made.upload.id, size=9, filename="x.mp4"), 0.1)
    asset = shop.catalog.asset(made.asset.id)
    assert asset.state is AssetState.INGESTED
    assert asset.source == SourceRef(key=f"sources/default/{asset.id}/1", size=9, filename="x.mp4")
    waiting = dict.fromkeys(("probe", "remux", "checksum"), StepState.READY)
    assert shop.states(asset.id) == {"pull": StepState.DONE} | waiting
    upload = shop.catalog.upload(made.upload.id)
    assert (upload.state, upload.length) == ("finished", 9)
    assert [event.type for event in shop.catalog.events()] == ["asset.created", "asset.ingested"]
    assert shop.pipeline.complete(job, PullResult(upload=made.upload.id, size=9), 0.1), "again is harmless"
    assert len(shop.catalog.events()) == 2


def test_a_pull_that_is_refused_fails_the_asset_and_ends_its_upload(shop: Shop) -> None:
    made = begin_pull(shop)
    shop.pipeline.fail(shop.claim(Pool.PULL).job, GONE, Blame.PERMANENT)
    asset = shop.catalog.asset(made.asset.id)
    assert (asset.state, asset.reason) == (AssetState.FAILED, GONE)
    assert shop.claim(Pool.IO).job.params == {"what": "sources"}
    assert shop.catalog.upload(made.upload.id).state == "terminated"


def test_a_pull_has_more_patience_than_other_steps(shop: Shop) -> None:
    """It fails for servers of somebody else, and its bytes kill no worker."""
    made = begin_pull(shop)
    for attempt in range(9):
        claim = shop.claim(Pool.PULL)
        shop.pipeline.fail(claim.job, LOST if attempt % 2 else BROKEN, Blame.POISON if attempt % 2 else Blame.TRANSIENT)
        assert shop.catalog.asset(made.asset.id).state is AssetState.UPLOADING
        shop.clock.advance(400)
    shop.pipeline.fail(shop.claim(Pool.PULL).job, BROKEN, Blame.TRANSIENT)
    assert shop.catalog.asset(made.asset.id).reason == BROKEN


def test_a_pull_that_was_deleted_on_its_way_gets_no_source(shop: Shop) -> None:
    made = begin_pull(shop)
    job = shop.claim(Pool.PULL).job
    shop.catalog.delete(made.asset.id)
    shop.pipeline.complete(job, PullResult(upload=made.upload.id, size=9), 0.1)
    asset = shop.catalog.asset(made.asset.id)
    assert (asset.state, asset.source) == (AssetState.DELETED, None)
    keys = [step.key for step in shop.catalog.steps(asset.id)]
    assert any(key.endswith(".sweep") for key in keys), "what it stored is swept"


def test_a_name_leads_to_one_asset(shop: Shop) -> None:
    first = shop.catalog.create_arrival(*nouns(shop), name="import:1")
    again = shop.catalog.create_arrival(*nouns(shop), name="import:1")
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.asset.id, again.upload.id) == (first.asset.id, first.upload.id)
    assert len(shop.catalog.assets(tenant=None)[0]) == 1
    assert shop.catalog.create_arrival(*nouns(shop), name="import:2").is_new
    found = shop.catalog.arrival("import:1")
    assert found is not None and found.asset.id == first.asset.id
    assert shop.catalog.arrival("import:3") is None


@pytest.mark.parametrize("round_", range(5))
def test_of_many_that_come_at_once_one_is_made(shop: Shop, round_: int) -> None:
    def bring(_: int) -> Arrival:
        return shop.catalog.create_arrival(*nouns(shop), name="import:1")

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(bring, range(6)))
    assert [arrival.is_new for arrival in made].count(True) == 1
    assert len({arrival.asset.id for arrival in made}) == 1
    assert len(shop.catalog.assets(tenant=None)[0]) == 1


def test_what_failed_before_it_had_a_source_may_come_again(shop: Shop) -> None:
    first = shop.catalog.create_arrival(*nouns(shop), name="import:1")
    shop.catalog.terminate_upload(first.upload.id, reason=BROKEN)
    assert shop.catalog.arrival("import:1") is None
    again = shop.catalog.create_arrival(*nouns(shop), name="import:1")
    assert again.is_new
    assert again.asset.id != first.asset.id


def test_what_was_deleted_does_not_come_again(shop: Shop) -> None:
    first = shop.catalog.create_arrival(*nouns(shop), name="import:1")
    shop.catalog.finish_upload(first.upload.id, SourceRef(key="k", size=9))
    shop.catalog.delete(first.asset.id)
    assert not shop.catalog.create_arrival(*nouns(shop), name="import:1").is_new


def test_a_refusal_of_admission_leaves_no_name_behind(shop: Shop) -> None:
    class Full(Exception):
        pass

    def refuse(*_: object) -> int:
        raise Full

    with pytest.raises(Full):
        shop.catalog.create_arrival(*nouns(shop), name="import:1", decide=refuse)
    assert shop.catalog.arrival("import:1") is None
    assert shop.catalog.create_arrival(*nouns(shop), name="import:1").is_new


def test_what_is_imported_gives_way_but_its_takedown_does_not(shop: Shop) -> None:
    slow = shop.catalog.create_arrival(*nouns(shop, priority=BACK_CATALOGUE))
    shop.catalog.finish_upload(slow.upload.id, SourceRef(key="k", size=9))
    shop.clock.advance(10)
    fresh = shop.upload()
    assert [shop.claim(Pool.IO).job.asset for _ in range(6)] == [*[fresh.id] * 3, *[slow.asset.id] * 3]
    shop.catalog.delete(slow.asset.id)
    with shop.database.read() as tx:
        rows = tx.all("SELECT kind, priority FROM steps WHERE asset = :asset", {"asset": slow.asset.id})
    priorities = {row["kind"]: row["priority"] for row in rows}
    assert priorities["probe"] == FAST + 1 + BACK_CATALOGUE
    assert priorities["cleanup"] > FAST
