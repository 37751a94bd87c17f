from __future__ import annotations

from fractions import Fraction

from rushes.engine.outcome import Outcome, apply, cleanup_step, fail, replaced, shown_encode
from rushes.facts import SourceFacts, SourceRef
from rushes.model import (
    Asset,
    ChecksumResult,
    DownloadResult,
    Encode,
    PackageResult,
    Partial,
    ProbeResult,
    PublishResult,
    Result,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.plan import Grid, Ladder, Plan, Rung
from rushes.states import Action, AssetState, Publication
from rushes.tracks import Track

NOW = 1000.0
ASSET = Asset(id="a" * 26, tenant="t", created_at=1.0, state=AssetState.INGESTED, source=SourceRef(key="k", size=1))
RUNG = Rung(name="360p", width=640, height=360, crf=23, max_bitrate=1, buffer_bits=1)
TRACK = Track(name="360p", kind="video", prefix="p/", codecs="avc1.64001e", timescale=30, segments=())


def package(build: int, *, complete: bool) -> PackageResult:
    return PackageResult(build=build, tracks=(TRACK,), complete=complete, bytes=1)


def verdict(action: Action) -> VerdictResult:
    return VerdictResult(verdict=Verdict(action=action, policy="p@1", rules=("r",)))


def test_a_provisional_build_makes_an_asset_playable_and_a_complete_one_ready() -> None:
    first = apply(ASSET, "package.first", package(1, complete=False), NOW)
    assert (first.asset.state, first.asset.playable_at, first.events) == (AssetState.PLAYABLE, NOW, ("asset.playable",))
    second = apply(first.asset, "package.ready", package(2, complete=True), NOW + 5)
    assert (second.asset.state, second.asset.ready_at, second.asset.playable_at) == (AssetState.READY, NOW + 5, NOW)
    assert second.events == ("asset.ready",)


def test_a_complete_first_build_tells_both() -> None:
    assert apply(ASSET, "package.ready", package(1, complete=True), NOW).events == ("asset.playable", "asset.ready")


def test_an_older_build_never_replaces_a_newer_one() -> None:
    newer = apply(ASSET, "package.ready", package(5, complete=True), NOW).asset
    assert apply(newer, "package.first", package(4, complete=False), NOW).asset.build == 5


def test_holding_what_is_public_takes_it_down() -> None:
    public = ASSET.model_copy(update={"publication": Publication.PUBLISHED, "published_build": 3})
    held = apply(public, "verdict.labels", verdict(Action.HOLD), NOW)
    assert (held.asset.publication, held.asset.published_build, held.unpublish) == (Publication.HELD, 0, True)
    assert held.events == ("asset.held",)


def test_a_verdict_to_publish_waits_for_the_pointer() -> None:
    outcome = apply(ASSET, "verdict.ready", verdict(Action.PUBLISH), NOW)
    assert outcome.asset.publication is Publication.PRIVATE


def test_a_pointer_written_against_the_newest_verdict_goes_again() -> None:
    held = apply(ASSET, "verdict.labels", verdict(Action.HOLD), NOW).asset
    late = apply(held, "publish.enriched", PublishResult(build=2), NOW)
    assert late.unpublish
    assert late.asset.publication is Publication.HELD


def test_a_milder_verdict_that_comes_late_changes_nothing_but_a_review_may() -> None:
    held = apply(ASSET, "verdict.labels", verdict(Action.HOLD), NOW).asset
    assert apply(held, "verdict.ready", verdict(Action.PUBLISH), NOW).asset.verdict == held.verdict
    freed = apply(held, "verdict.review.7", verdict(Action.PUBLISH), NOW).asset
    assert freed.verdict is not None and freed.verdict.action is Action.PUBLISH


def test_what_only_follows_from_a_skipped_step_is_not_noted() -> None:
    outcome = apply(ASSET, "publish.first", Skipped(reason=Reason(code="no_build", message="m")), NOW)
    assert outcome.asset.notes == ()


def test_published_is_told_once() -> None:
    once = apply(ASSET, "publish.first", PublishResult(build=1), NOW)
    twice = apply(once.asset, "publish.ready", PublishResult(build=2), NOW + 9)
    assert (once.events, twice.events) == (("asset.published",), ("asset.updated",))
    assert (twice.asset.published_at, twice.asset.published_build) == (NOW, 2)


def test_missing_seconds_make_the_asset_partial() -> None:
    outcome = apply(ASSET, "encode.0", TracksResult(tracks=(), missing_seconds=1.5, decode_errors=3), NOW)
    assert outcome.asset.partial is not None
    assert (outcome.asset.partial.missing_seconds, outcome.asset.partial.decode_errors) == (1.5, 3)


def test_what_is_missing_of_joined_chunks_is_told_by_their_package() -> None:
    damaged = apply(ASSET, "encode.0", TracksResult(tracks=(), decode_errors=3), NOW).asset
    joined = PackageResult(build=1, tracks=(), complete=True, bytes=1, missing_seconds=2.5, decode_errors=3)
    partial = apply(damaged, "package.ready", joined, NOW).asset.partial
    assert partial == Partial(missing_seconds=2.5, decode_errors=3)
    whole = PackageResult(build=1, tracks=(), complete=True, bytes=1)
    assert apply(ASSET, "package.ready", whole, NOW).asset.partial is None


def test_what_was_skipped_is_noted_with_its_reason() -> None:
    outcome = apply(ASSET, "transcript", Skipped(reason=Reason(code="no_model", message="No model.")), NOW)
    assert outcome.asset.notes == (Reason(code="no_model", message="transcript skipped: No model."),)


def test_a_checksum_before_the_probe_is_kept() -> None:
    outcome = apply(ASSET, "checksum", ChecksumResult(sha256="ff"), NOW)
    assert outcome.asset.source is not None and outcome.asset.source.sha256 == "ff"


def test_failing_takes_down_what_is_public_and_happens_once() -> None:
    public = ASSET.model_copy(update={"state": AssetState.PLAYABLE, "publication": Publication.PUBLISHED})
    outcome = fail(public, Reason(code="truncated", message="m"))
    assert (outcome.asset.state, outcome.asset.publication, outcome.unpublish) == (
        AssetState.FAILED, Publication.PRIVATE, True,
    )  # fmt: skip
    assert fail(outcome.asset, Reason(code="other", message="m")).asset.reason == Reason(code="truncated", message="m")


def test_cleanups_have_keys_of_their_own() -> None:
    assert cleanup_step("unpublish", 1).key != cleanup_step("unpublish", 2).key


def encoded_again() -> Asset:
    ready = apply(ASSET, "package.ready", package(1, complete=True), NOW).asset
    return ready.model_copy(update={"encodes": (Encode(number=2, profile="quality@3", requested_at=NOW),)})


def test_what_a_later_encode_makes_changes_nothing_before_its_publication_has_ended() -> None:
    asset = encoded_again()
    file = DownloadResult(key="k", size=1, width=2, height=2, tracks=())
    for key, result in {"package.ready~2": package(2, complete=True), "download~2": file}.items():
        assert apply(asset, key, result, NOW + 9) == Outcome(asset)
    assert apply(asset, "download", file, NOW).asset.download == file


def test_a_later_encodes_build_replaces_the_first_with_all_that_is_said_of_it() -> None:
    asset = encoded_again()
    made: dict[str, Result] = {"package.ready": package(2, complete=True), "package.codecs": package(4, complete=True)}
    found = replaced(asset.model_copy(update={"download": "old"}), 2, made)
    assert (found.build, found.profile, found.download) == (4, "quality@3", None)
    assert (found.state, found.ready_at, shown_encode(found)) == (AssetState.READY, NOW, 2)
    # What comes later of this encode counts, of the first one no more
    file = DownloadResult(key="k", size=1, width=2, height=2, tracks=())
    assert apply(found, "download~2", file, NOW).asset.download == file
    assert apply(found, "download", file, NOW) == Outcome(found)
    # And where it has no build there is nothing to show
    assert replaced(asset, 2, {}) == replaced(asset, 3, made) == asset


def test_a_later_encode_finds_out_nothing_more_about_the_source() -> None:
    asset = encoded_again()
    damaged = TracksResult(tracks=(), missing_seconds=2.0, decode_errors=5)
    assert apply(asset, "encode.0~2", damaged, NOW).asset.partial is None
    assert apply(asset, "encode.0", damaged, NOW).asset.partial is not None
    found = ProbeResult(
        facts=SourceFacts(container="mp4", demuxer="mov", size=1, duration=1.0),
        plan=Plan(ladders=(Ladder(rungs=(RUNG,), grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)),)),
    )
    assert apply(asset, "probe~2", found, NOW).asset == asset
    assert apply(asset, "probe", found, NOW).asset.facts is not None
