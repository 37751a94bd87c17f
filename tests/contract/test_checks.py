"""What the catalog makes of a check that failed, on each database: nothing that breaks a rule is public, and every asset ends."""

from __future__ import annotations

import pytest

from rushes.errors import Conflict
from rushes.model import Asset, LintResult, PackageResult, PublishResult, TracksResult
from rushes.states import AssetState, Publication, StepState
from tests.contract.shop import Shop
from tests.contract.test_encodes import ARCHIVE, QUIET, finish, ready
from tests.contract.test_given_up import build_of, is_as_it_was, until

BROKEN = LintResult(build=1, certificate="media/x/b/1/lint.json", musts=("hls.bandwidth", "dash.tfdt"))
RULES = "hls.bandwidth, dash.tfdt"


def packaged(shop: Shop) -> Asset:
    asset = shop.upload()
    shop.probe()
    shop.do("encode.0", TracksResult(tracks=()))
    shop.do("audio", TracksResult(tracks=()))
    shop.do("package.ready", PackageResult(build=1, tracks=(), complete=True, bytes=10))
    return asset


def test_a_build_that_fails_its_check_is_the_end_of_its_asset(shop: Shop) -> None:
    asset = packaged(shop)
    shop.do("lint.ready", BROKEN)
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.publication) == (AssetState.FAILED, Publication.PRIVATE)
    assert found.reason is not None and found.reason.code == "lint_failed" and RULES in found.reason.message
    assert found.lint == BROKEN
    assert [event.type for event in shop.catalog.events(asset=asset.id)][-1] == "asset.failed"
    finish(shop)
    assert all(state.is_final for state in shop.states(asset.id).values())


def test_a_retry_looks_at_it_again_for_the_rule_may_have_been_wrong(shop: Shop) -> None:
    asset = packaged(shop)
    shop.do("lint.ready", BROKEN)
    for _ in range(2):  # as often as somebody asks, while nothing has changed
        shop.catalog.retry(asset.id)
        assert shop.catalog.asset(asset.id).state is AssetState.READY
        again = until(shop, "lint.ready")
        assert shop.states(asset.id)["publish.ready"] is StepState.WAITING
        assert shop.pipeline.complete(again, BROKEN, 1.0)
        found = shop.catalog.asset(asset.id)
        assert (found.state, found.publication) == (AssetState.FAILED, Publication.PRIVATE)
        assert found.reason is not None and found.reason.code == "lint_failed"
    # And where the build was right all along, it is published
    shop.catalog.retry(asset.id)
    assert shop.pipeline.complete(until(shop, "lint.ready"), LintResult(build=1), 1.0)
    publication = until(shop, "publish.ready")
    assert publication.inputs["lint.ready"] == LintResult(build=1)
    assert shop.pipeline.complete(publication, PublishResult(build=1), 1.0)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.reason, found.publication) == (AssetState.READY, None, Publication.PUBLISHED)
    assert found.lint == LintResult(build=1)
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)


def test_a_retry_publishes_what_nobody_needed_too(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    check = until(shop, "lint.enriched")
    build = build_of(check)
    assert shop.pipeline.complete(check, LintResult(build=build, musts=BROKEN.musts), 1.0)
    assert shop.pipeline.complete(until(shop, "publish.enriched"), QUIET, 1.0)
    finish(shop)
    before = shop.catalog.asset(asset.id).published_build
    assert before < build
    # When its check is done again, then nothing else is but its publication
    shop.catalog.retry(asset.id)
    assert shop.pipeline.complete(until(shop, "lint.enriched"), LintResult(build=build, musts=BROKEN.musts), 1.0)
    assert [note.code for note in shop.catalog.asset(asset.id).notes].count("lint_failed") == 1
    with pytest.raises(Conflict, match="nothing_to_retry"):  # before its publication has ended
        shop.catalog.retry(asset.id)
    assert shop.pipeline.complete(until(shop, "publish.enriched"), QUIET, 1.0)
    shop.catalog.retry(asset.id)
    still = {key for key, state in shop.states(asset.id).items() if not state.is_final}
    assert still == {"lint.enriched", "publish.enriched"}
    assert shop.pipeline.complete(until(shop, "lint.enriched"), LintResult(build=build), 1.0)
    assert shop.pipeline.complete(until(shop, "publish.enriched"), PublishResult(build=build), 1.0)
    assert shop.catalog.asset(asset.id).published_build == build
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)


def test_a_build_that_was_refused_is_no_matter_once_a_newer_one_plays(shop: Shop) -> None:
    asset = packaged(shop)
    finish(shop)
    with shop.database.write() as tx:
        tx.execute(
            "UPDATE steps SET state = 'done', result = :said WHERE asset = :asset AND key = 'lint.ready'",
            {"asset": asset.id, "said": BROKEN.model_dump_json()},
        )
    assert shop.catalog.asset(asset.id).published_build == 1
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)


def test_a_build_that_nobody_needs_leaves_a_note(shop: Shop) -> None:
    asset = ready(shop)
    assert asset.lint is None
    other = shop.upload()
    shop.probe()
    job = until(shop, "lint.enriched")
    assert shop.pipeline.complete(job, BROKEN, 1.0)
    found = shop.catalog.asset(other.id)
    assert (found.state, found.notes[-1].code) == (AssetState.READY, "lint_failed")
    assert RULES in found.notes[-1].message
    assert [event.type for event in shop.catalog.events(asset=other.id)][-1] == "asset.updated"


def test_an_encode_that_fails_its_check_is_given_up(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    job = until(shop, "lint.ready~2")
    build = max(one.build for one in job.inputs.values() if isinstance(one, PackageResult))
    assert shop.pipeline.complete(job, BROKEN.model_copy(update={"build": build}), 1.0)
    finish(shop)
    assert is_as_it_was(shop, asset)
    assert shop.states(asset.id)["publish.ready~2"] is StepState.CANCELLED
    note = shop.catalog.asset(asset.id).notes[-1]
    assert note.code == "lint_failed" and "encode 2" in note.message
    # And taken up again by a retry
    shop.catalog.retry(asset.id)
    assert shop.pipeline.complete(until(shop, "lint.ready~2"), LintResult(build=build), 1.0)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert (found.published_build, found.profile) == (build, ARCHIVE.ref)


def test_steps_that_were_planned_before_there_were_checks_are_done(shop: Shop) -> None:
    asset = packaged(shop)
    with shop.database.write() as tx:  # as the graph was
        tx.execute(
            "DELETE FROM step_after WHERE after IN (SELECT id FROM steps WHERE kind = 'lint')"
            " OR step IN (SELECT id FROM steps WHERE kind = 'lint')",
            {},
        )
        tx.execute("DELETE FROM steps WHERE kind = 'lint'", {})
        tx.execute(
            "UPDATE steps SET waiting = (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after"
            " WHERE l.step = steps.id AND d.state <> 'done') WHERE state = 'waiting'",
            {},
        )
    finish(shop)
    assert shop.catalog.asset(asset.id).publication is Publication.PUBLISHED
