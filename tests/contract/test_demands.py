"""What is made when somebody wants to see a video, on each database: once, beside whatever else happens to the asset."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from rushes.api.views import encode_view, lazy_view
from rushes.catalog import demands
from rushes.catalog.change import Store
from rushes.catalog.records import Upload
from rushes.engine import lazy
from rushes.engine.job import Job
from rushes.engine.outcome import cleanup_step
from rushes.errors import Blame, Conflict
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import AnalysisResult, Asset, PackageResult, ProbeResult, Result, TracksResult
from rushes.plan import Chunk, Ladder, Plan, Rung
from rushes.settings import load_profile
from rushes.states import AssetState, Pool, StepKind, StepState
from rushes.tracks import Segment, Track
from tests.contract.shop import FACTS, LADDER, OOPS, Shop
from tests.contract.test_encodes import answer

LAZY = Ladder(
    rungs=(Rung(name="720p", width=1280, height=720, crf=23, max_bitrate=2_800_000, buffer_bits=5_600_000),),
    grid=LADDER.grid,
)
CHUNKS = (Chunk(frames=120), Chunk(number=1, first=120))
PLAN = Plan(ladders=(LADDER,), lazy=(LAZY,), lazy_chunks=CHUNKS)
FOUND = ProbeResult(facts=FACTS, plan=PLAN)
BOTH = ("encode.lazy.h264.0", "encode.lazy.h264.1")


def track(name: str, first: int = 0, segments: int = 2) -> Track:
    parts = tuple(Segment(name=f"{number:05d}.m4s", ticks=120_000, size=9) for number in range(1, segments + 1))
    return Track(
        name=name, kind="video", prefix=f"media/x/t/{name}/", codecs="avc1.64001f", timescale=30_000, segments=parts,
        start_ticks=first * 1000, fps=Fraction(30), width=1280, height=720,
    )  # fmt: skip


def said(job: Job) -> Result:
    """As what was put off goes into the builds."""
    if job.kind is StepKind.PROBE:
        return FOUND
    if job.key.startswith("encode.lazy"):
        return TracksResult(tracks=(track("720p", job.params["chunk"]["first"], 1),))
    if job.kind is StepKind.PACKAGE and job.params["phase"] == "ready":
        missing = tuple(map(Rung.model_validate, job.params.get("lazy", ())))
        return PackageResult(build=job.build, tracks=(track("360p"),), complete=True, bytes=1, lazy=missing)
    if job.kind is StepKind.PACKAGE and job.params["phase"] == "lazy":
        return PackageResult(build=job.build, tracks=(track("720p"), track("360p")), complete=True, bytes=1)
    return answer(job)


def finish(shop: Shop, *, until: str = "") -> Job | None:
    """Do whatever is ready; or all that comes before the step `until`, which is claimed then."""
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        if claim.job.key == until:
            return claim.job
        assert shop.pipeline.complete(claim.job, said(claim.job), 1.0)
    return None


def upload(shop: Shop, profile: str = "lazy", priority: int = 0, size: int = 9) -> Asset:
    now = shop.clock.now()
    asset = Asset(
        id=new_id(now), tenant="default", created_at=now, policy="development", profile=profile, priority=priority
    )
    record = Upload(id=new_id(now), asset=asset.id, tenant="default", length=9, created_at=now, expires_at=now + 60)
    shop.catalog.create_upload(record, asset)
    return shop.catalog.finish_upload(record.id, SourceRef(key=f"sources/default/{asset.id}/1", size=size))


def ready(shop: Shop, profile: str = "lazy") -> Asset:
    asset = upload(shop, profile)
    finish(shop)
    return shop.catalog.asset(asset.id)


def planned(shop: Shop, asset: str) -> set[str]:
    return {key for key in shop.states(asset) if lazy.is_lazy(key)}


def state(shop: Shop, asset: str) -> str:
    return lazy_view(shop.catalog.asset(asset), shop.catalog.steps(asset)).state


def test_nobody_watches_and_nothing_is_made(shop: Shop) -> None:
    asset = ready(shop)
    assert (asset.state, [rung.name for rung in asset.lazy]) == (AssetState.READY, ["720p"])
    assert planned(shop, asset.id) == set()
    assert state(shop, asset.id) == "available"
    assert "720p is made on demand" in shop.catalog.why(asset.id)


def test_the_first_play_makes_it_as_a_new_build_that_is_published(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    assert {*BOTH, "package.lazy", "publish.lazy"} <= planned(shop, asset.id)
    assert state(shop, asset.id) == "making"
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert found.build > asset.build and found.published_build == found.build
    assert ([one.name for one in found.tracks], found.lazy) == (["720p", "360p"], ())
    assert state(shop, asset.id) == "made"
    told = [event.type for event in shop.catalog.events(asset=asset.id)]
    assert told.count("asset.demanded") == 1


def test_once_however_many_watch(shop: Shop) -> None:
    asset = ready(shop)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: shop.catalog.demand(asset.id, "play"), range(24)))
    once = shop.catalog.asset(asset.id)
    assert len(planned(shop, asset.id)) == len([key for key in shop.states(asset.id) if lazy.is_lazy(key)])
    assert once.revision == asset.revision + 1
    finish(shop)
    for by in ("play", "origin", "segment", "api"):
        shop.catalog.demand(asset.id, by)
    assert finish(shop) is None
    assert len([event for event in shop.catalog.events(asset=asset.id) if event.type == "asset.demanded"]) == 1


def test_as_many_plays_as_the_operator_asks_for(shop: Shop) -> None:
    asset = ready(shop)
    for plays in (1, 2):
        assert shop.catalog.demand(asset.id, "play", 3).demand.plays == plays
        assert state(shop, asset.id) == "available"
    assert shop.catalog.demand(asset.id, "origin", 3).demand.requested_at is not None
    assert state(shop, asset.id) == "making"


def test_whoever_asks_by_name_or_for_a_segment_does_not_wait_for_others(shop: Shop) -> None:
    for by in ("api", "segment"):
        asset = ready(shop)
        assert shop.catalog.demand(asset.id, by, 100).demand.by == by
        assert state(shop, asset.id) == "making"


def test_what_has_nothing_put_off_is_never_written(shop: Shop) -> None:
    asset = upload(shop, "fast")
    shop.do("probe", ProbeResult(facts=FACTS, plan=Plan(ladders=(LADDER,))))
    assert shop.catalog.demand(asset.id, "play").revision == shop.catalog.asset(asset.id).revision
    finish(shop)
    before = shop.catalog.asset(asset.id)
    assert shop.catalog.demand(asset.id, "api") == before == shop.catalog.asset(asset.id)
    assert state(shop, asset.id) == "none"


def test_a_demand_that_comes_early_is_kept_until_the_build_is_there(shop: Shop) -> None:
    asset = upload(shop)
    shop.catalog.demand(asset.id, "play")
    assert state(shop, asset.id) == "wanted"
    package = finish(shop, until="package.ready")
    assert package is not None and planned(shop, asset.id) == set()
    assert shop.pipeline.complete(package, said(package), 1.0)
    assert set(BOTH) <= planned(shop, asset.id)
    finish(shop)
    assert state(shop, asset.id) == "made"


def test_what_was_deleted_before_it_was_ready_is_not_looked_at_for_ever(shop: Shop) -> None:
    asset, other = upload(shop), upload(shop)
    for one in (asset, other):
        shop.catalog.demand(one.id, "play")
    shop.catalog.delete(asset.id)
    with shop.database.read() as tx:
        assert demands.waiting(tx) == []
        assert len(tx.all("SELECT id FROM assets WHERE wanted = 1")) == 2


def test_a_demand_outlives_the_server(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    running = shop.take("encode.lazy.h264.0").job
    # When the stack is killed, and another one starts on the same database
    again = Shop(shop.database)
    again.clock.advance(1)
    assert again.pipeline.disown() == 1
    finish(again)
    assert state(again, asset.id) == "made"
    assert not again.pipeline.complete(running, said(running), 1.0)


def test_chunks_go_first_to_last_and_before_other_peoples_ladders(shop: Shop) -> None:
    asset = ready(shop)
    other = upload(shop, size=10)
    shop.do("probe", FOUND)
    shop.catalog.demand(asset.id, "play")
    keys = []
    while (claim := shop.pipeline.claim((Pool.VIDEO,), "w1")) is not None:
        keys.append((claim.job.asset, claim.job.key))
    lane = [key for key in keys if key[1].startswith(("first", "encode"))]
    assert [key for key in lane if not key[1].startswith("first")] == [
        (asset.id, BOTH[0]),
        (asset.id, BOTH[1]),
        (other.id, "encode.0"),
    ]


def test_what_was_imported_does_not_wait_once_somebody_watches(shop: Shop) -> None:
    asset = upload(shop, priority=-100)
    finish(shop)
    shop.catalog.demand(asset.id, "play")
    assert shop.take("encode.lazy.h264.0").job.priority > 10


def test_captions_that_come_later_are_made_on_it(shop: Shop) -> None:
    # Given that the transcript takes its time
    asset = upload(shop)
    held = finish(shop, until="transcript")
    assert held is not None
    finish(shop)
    shop.catalog.demand(asset.id, "play")
    finish(shop)
    assert state(shop, asset.id) == "made"
    made = shop.catalog.asset(asset.id).build
    assert shop.pipeline.complete(held, answer(held), 1.0)
    enriched = finish(shop, until="package.enriched")
    assert enriched is not None
    builds = {key: one.build for key, one in enriched.inputs.items() if isinstance(one, PackageResult)}
    assert builds["package.lazy"] == max(builds.values()) == made


def test_it_waits_for_captions_that_are_being_added(shop: Shop) -> None:
    asset = upload(shop)
    enriched = finish(shop, until="package.enriched")
    assert enriched is not None
    finish(shop)
    shop.catalog.demand(asset.id, "play")
    finish(shop)
    assert shop.states(asset.id)["package.lazy"] is StepState.WAITING
    captions = PackageResult(build=enriched.build, tracks=(track("360p"),), complete=True, bytes=1, lazy=LAZY.rungs)
    assert shop.pipeline.complete(enriched, captions, 1.0)
    package = finish(shop, until="package.lazy")
    assert package is not None
    assert package.inputs["package.enriched"] == captions


@pytest.mark.parametrize("by", ["play", "api"])
def test_what_failed_starts_again_only_where_it_is_asked_for_by_name(shop: Shop, by: demands.By) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    job = shop.take("encode.lazy.h264.1").job
    assert shop.pipeline.fail(job, OOPS, Blame.PERMANENT)
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        missing = claim.job.key == "package.lazy"
        shop.pipeline.complete(claim.job, answer(claim.job) if missing else said(claim.job), 1.0)
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.build, state(shop, asset.id)) == (AssetState.READY, asset.build, "available")
    assert any("encode.lazy.h264.1 failed" in note.message for note in found.notes)
    shop.catalog.demand(asset.id, by)
    finish(shop)
    assert state(shop, asset.id) == ("made" if by == "api" else "available")


def test_a_call_that_starts_nothing_again_leaves_cleanups_ready(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        missing = claim.job.key == "package.lazy"
        shop.pipeline.complete(claim.job, answer(claim.job) if missing else said(claim.job), 1.0)
    assert state(shop, asset.id) == "available"
    asset = shop.catalog.asset(asset.id)
    with Store(shop.database, shop.clock).change() as change:
        change.add_steps(asset, [cleanup_step("original", 0)])
    shop.catalog.demand(asset.id, "api")
    assert shop.states(asset.id)["cleanup.original.0"] is StepState.READY


def test_an_operators_retry_takes_it_up_too(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    shop.catalog.cancel(asset.id)
    assert all(shop.states(asset.id)[key] is StepState.CANCELLED for key in BOTH)
    assert state(shop, asset.id) == "available"
    shop.catalog.retry(asset.id)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert (state(shop, asset.id), found.published_build) == ("made", found.build)


def test_deleted_while_it_is_wanted(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    running = shop.take("encode.lazy.h264.0").job
    shop.catalog.delete(asset.id)
    assert shop.states(asset.id)["encode.lazy.h264.1"] is StepState.CANCELLED
    assert shop.pipeline.complete(running, said(running), 1.0)  # it ends cancelled
    with pytest.raises(Conflict, match="deleted"):
        shop.catalog.demand(asset.id, "play")
    finish(shop)
    assert shop.catalog.asset(asset.id).build == asset.build
    # And whoever waits for a segment hears that there will be none
    assert shop.catalog.lazy_progress(asset.id, BOTH[0], "720p").is_over


def test_what_cannot_be_made_any_more_is_not_promised(shop: Shop) -> None:
    asset = ready(shop)
    shop.clock.advance(90_000)
    assert shop.pipeline.housekeep(1.0) >= 1
    finish(shop)
    shop.catalog.demand(asset.id, "play")
    assert planned(shop, asset.id) == set()
    assert shop.catalog.offer(asset.id).rungs == ()


def test_a_later_encode_of_what_is_watched_puts_nothing_off(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "play")
    finish(shop)
    shop.catalog.encode(asset.id, load_profile("lazy"))
    probe = finish(shop, until="probe~2")
    assert probe is not None and shop.pipeline.complete(probe, FOUND, 1.0)
    encode = finish(shop, until="encode.0~2")
    assert encode is not None
    assert [one["name"] for one in encode.params["ladder"]["rungs"]] == ["720p", "360p"]


def test_of_what_nobody_watched_a_later_encode_puts_off_its_own(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, load_profile("lazy"))
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert found.build > asset.build and [rung.name for rung in found.lazy] == ["720p"]
    shop.catalog.demand(asset.id, "play")
    assert {f"{key}~2" for key in BOTH} <= planned(shop, asset.id)
    chunks = shop.catalog.lazy_chunks(shop.catalog.asset(asset.id), "720p")
    assert chunks is not None and chunks.keys == tuple(f"{key}~2" for key in BOTH)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert (found.lazy, found.published_build, state(shop, asset.id)) == ((), found.build, "made")


def test_a_demand_while_another_encode_is_made_waits_for_it(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, load_profile("lazy"))
    held = finish(shop, until="encode.0~2")
    assert held is not None
    shop.catalog.demand(asset.id, "play")
    assert planned(shop, asset.id) == set()
    assert state(shop, asset.id) == "wanted"
    # When that encode is given up, nobody asks again, and it is made all the same
    shop.catalog.cancel_encode(asset.id, 2)
    shop.pipeline.release(held, "cancelled")
    shop.pipeline.housekeep(-1.0)
    assert set(BOTH) <= planned(shop, asset.id)
    finish(shop)
    assert state(shop, asset.id) == "made"


def test_after_that_encode_it_is_made_for_the_one_that_plays(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, load_profile("lazy"))
    held = finish(shop, until="encode.0~2")
    assert held is not None
    shop.catalog.demand(asset.id, "play")
    assert shop.pipeline.complete(held, said(held), 1.0)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert ([one.name for one in found.tracks], found.demand.encode) == (["720p", "360p"], 2)
    assert all(key.endswith("~2") for key in planned(shop, asset.id))


def test_the_analysis_says_what_was_put_off(shop: Shop) -> None:
    other = LAZY.model_copy(update={"rungs": (LAZY.rungs[0].model_copy(update={"crf": 31.0}),)})
    asset = upload(shop)
    shop.do("probe", FOUND)
    with shop.database.write() as tx:  # as if the profile aimed at a quality
        tx.execute(
            "UPDATE steps SET key = 'analyze', result = :result, state = 'done' WHERE asset = :id AND key = 'transcript'",
            {"id": asset.id, "result": AnalysisResult(plan=PLAN.model_copy(update={"lazy": (other,)})).model_dump_json()},
        )  # fmt: skip
        found = demands.plan_of(tx, asset.id, 1)
    assert found is not None and found.lazy == (other,)


def test_the_chunk_that_a_segment_is_in(shop: Shop) -> None:
    asset = ready(shop)
    assert shop.catalog.lazy_chunks(asset, "720p") is None
    shop.catalog.demand(asset.id, "segment")
    chunks = shop.catalog.lazy_chunks(asset, "720p")
    assert chunks is not None
    assert [chunks.at(Fraction(second)) for second in (0, 3, 4, 100)] == [BOTH[0], BOTH[0], BOTH[1], BOTH[1]]
    assert shop.catalog.lazy_chunks(asset, "720p-av1") is None
    # A player waits for the second one: it goes first
    shop.catalog.hasten(asset.id, BOTH[1])
    assert shop.claim(Pool.VIDEO).job.key == BOTH[1]
    assert not shop.catalog.lazy_progress(asset.id, BOTH[1], "720p").is_over


def test_what_is_there_of_a_rung_is_found(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.demand(asset.id, "segment")
    assert shop.catalog.lazy_init(asset, "720p") is None
    assert shop.catalog.offer(asset.id).codecs == {}
    job = shop.take(BOTH[1]).job
    assert shop.pipeline.complete(job, said(job), 1.0)
    found = shop.catalog.lazy_init(asset, "720p")
    assert found is not None and found.start_ticks == 120_000
    assert shop.catalog.offer(asset.id).codecs == {"720p": "avc1.64001f"}
    progress = shop.catalog.lazy_progress(asset.id, BOTH[1], "720p")
    assert (progress.is_over, progress.track) == (True, found)
    assert shop.catalog.lazy_progress(asset.id, "encode.lazy.h264.9", "720p").is_over


def test_an_encode_is_done_though_something_of_it_is_made_on_demand(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, load_profile("lazy"))
    finish(shop)
    shop.catalog.demand(asset.id, "play")
    found = shop.catalog.asset(asset.id)
    assert encode_view(found.encodes[0], shop.catalog.steps(asset.id)).state == "done"
    # And a further one is another one, which comes after it
    shop.catalog.encode(asset.id, load_profile("lazy"))
    assert shop.states(asset.id)["probe~3"] is StepState.WAITING
    finish(shop)
    assert shop.catalog.asset(asset.id).lazy == ()  # what is watched is not put off again
