"""What a trace tells of an asset, on each database: one trace, links at fan-in and retries, the database's times."""

from __future__ import annotations

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.spans import Span
from rushes.catalog.telling import Ended, Happening, Over, Reached
from rushes.catalog.traces import TOGETHER
from rushes.errors import Blame
from rushes.model import ChecksumResult, Skipped
from rushes.noun import Reason
from rushes.states import Pool, StepKind
from rushes.tracing import attempt_span, root_span, trace_id, upload_span, wait_span
from tests.contract.shop import OOPS, Shop

LATER = 400.0


class Told(Shop):
    """A shop that keeps what it tells."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.told: list[Happening] = []
        store = Store(database, self.clock, tell=self.told.append)
        self.catalog = Catalog(store)
        self.pipeline = Pipeline(store, lease=30.0, max_attempts=3, tool="ffmpeg-test")

    def spans(self) -> dict[str, Span]:
        """By their names; of a step the last attempt's."""
        return {span.name: span for span in self.catalog.spans(self.told)}


def step(shop: Shop, asset: str, key: str) -> str:
    return next(step.id for step in shop.catalog.steps(asset) if step.key == key)


def test_a_retry_is_linked_to_the_attempt_before(database: Database) -> None:
    shop = Told(database)
    asset = shop.upload()
    probe = step(shop, asset.id, "probe")
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.TRANSIENT, cpu_seconds=0.5)
    shop.clock.advance(LATER)
    began = shop.clock.now()
    claim = shop.take("probe")
    shop.clock.advance(2)
    assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    fence = claim.job.fence
    assert fence > 1
    first, last = (one for one in shop.catalog.spans(shop.told) if one.name == "probe" and one.error)
    assert (first.span, last.span) == (attempt_span(probe, 1), attempt_span(probe, fence))
    assert (attempt_span(probe, fence - 1), "retry") in last.links
    assert first.links == ()
    assert (last.began, last.ended, last.error) == (began, began + 2, "internal")
    whole = shop.spans()["asset"]  # it failed with its probe
    assert (whole.span, whole.parent, whole.error) == (root_span(asset.id), None, "internal")
    assert {first.trace, last.trace, whole.trace} == {trace_id(asset.id)}
    assert {first.parent, last.parent} == {root_span(asset.id)}
    upload = shop.spans()["upload"]
    assert (upload.span, upload.parent) == (upload_span(asset.id), root_span(asset.id))


def test_a_fan_in_is_linked_to_all_it_waited_for(database: Database) -> None:
    shop = Told(database)
    shop.upload()
    shop.probe()
    skipped = Skipped(reason=Reason(code="no_model", message="There is no model."))
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None and claim.job.kind is not StepKind.PACKAGE:
        result = ChecksumResult(sha256="0" * 64) if claim.job.kind is StepKind.CHECKSUM else skipped
        assert shop.pipeline.complete(claim.job, result, 0.1)
    assert claim is not None
    assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    package = shop.spans()[claim.job.key]
    with database.read() as tx:
        waited = tx.all("SELECT after FROM step_after WHERE step = :step", {"step": claim.job.step_id})
    assert len(waited) > 1
    links = {span for span, why in package.links if why == "after"}
    assert links == {attempt_span(row["after"], 1) for row in waited}


def test_each_end_is_told_once_and_what_is_fenced_is_no_end(database: Database) -> None:
    shop = Told(database)
    shop.upload()
    claim = shop.take("probe")
    shop.told.clear()
    assert shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT, cpu_seconds=0.5)
    (ended,) = (one for one in shop.told if isinstance(one, Ended))
    assert (ended.kind, ended.outcome, ended.reason, ended.cpu_seconds) == ("probe", "failed", "internal", 0.5)
    assert (ended.step, ended.fence, ended.tenant) == (claim.job.step_id, claim.job.fence, "default")
    shop.told.clear()
    assert not shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
    assert [type(one).__name__ for one in shop.told] == ["Fenced"]


def test_an_asset_that_fails_is_over_and_was_never_ready(database: Database) -> None:
    shop = Told(database)
    asset = shop.upload()
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.PERMANENT)
    assert [one.asset for one in shop.told if isinstance(one, Over)] == [asset.id]
    assert not [one for one in shop.told if isinstance(one, Reached)]


def test_a_wait_has_a_span_of_its_own_before_the_attempt(database: Database) -> None:
    shop = Told(database)
    asset = shop.upload()
    ready = shop.clock.now()
    shop.clock.advance(7)
    claim = shop.take("probe")
    shop.clock.advance(1)
    assert shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
    wait, attempt = shop.spans()["wait probe"], shop.spans()["probe"]
    assert (wait.span, wait.parent, wait.trace) == (wait_span(claim.job.step_id, 1), root_span(asset.id), attempt.trace)
    assert (wait.began, wait.ended) == (ready, attempt.began)
    assert attempt.attributes["rushes.waited_seconds"] == 7
    # Of the next attempt it is the wait since it was ready again
    shop.told.clear()
    shop.clock.advance(LATER)
    again = shop.take("probe")
    assert shop.pipeline.fail(again.job, OOPS, Blame.PERMANENT)
    waited = shop.spans()["probe"].attributes["rushes.waited_seconds"]
    assert isinstance(waited, float)
    assert waited < LATER


def test_many_attempts_are_looked_up_together_and_those_that_are_gone_left_out(database: Database) -> None:
    shop = Told(database)
    named = []
    for _ in range(TOGETHER // 2 + 3):
        shop.upload()
        claim = shop.take("probe")
        named.append((claim.job.step_id, claim.job.fence))
        assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    running = shop.upload() and shop.take("probe").job
    told = [Ended("probe", "failed", step=step, fence=fence) for step, fence in named]
    strange = [Ended("probe", "done", step="none", fence=1), Ended("probe", "done", step=named[0][0], fence=9)]
    still = Ended("probe", "done", step=running.step_id, fence=running.fence)
    spans = shop.catalog.spans([*strange, *told, *told, still, Over("none")])
    assert {span.span for span in spans} == {attempt_span(*one) for one in named}
    assert shop.catalog.spans([]) == []
