"""What may be concluded from a probe that ran ahead of the last byte."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.engine.early import EARLY_PROBE, Pieces, digest, early_facts, is_certain
from rushes.engine.graph import early_probe, intake
from rushes.engine.outcome import apply
from rushes.facts import AudioFacts, EarlyFacts, SourceFacts, SourceRef, VideoFacts
from rushes.model import Asset, ProbeResult, Skipped
from rushes.noun import Reason
from rushes.plan import Plan
from rushes.states import AssetState, StepKind

UPLOADING = Asset(id="a" * 26, tenant="t", created_at=1.0)
FACTS = SourceFacts(
    container="mp4", demuxer="mov", size=9, duration=4.0,
    video=VideoFacts(index=0, codec="hevc", width=640, height=360, fps=Fraction(30), rotation=90),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000),),
)  # fmt: skip
FOUND = ProbeResult(facts=FACTS, plan=Plan(ladders=()))


def skipped(code: str) -> Skipped:
    return Skipped(reason=Reason(code=code, message="It is so."))


def test_the_step_carries_what_it_is_shown() -> None:
    pieces = Pieces.of(b"head", b"tail", 100)
    step = early_probe(pieces)
    assert (step.key, step.kind, step.required) == (EARLY_PROBE, StepKind.PROBE, False)
    assert Pieces.model_validate(step.params) == pieces
    assert pieces.sha256 == digest(b"headtail", b"") == digest(b"", b"headtail")


def test_what_was_probed_is_not_probed_again() -> None:
    assert [step.key for step in intake(probed=True)] == ["checksum"]


@pytest.mark.parametrize("code", ["over_limit_duration", "over_limit_pixels", "codec_unsupported", "type_refused"])
def test_what_the_missing_bytes_cannot_change_ends_the_upload(code: str) -> None:
    assert is_certain(code)
    outcome = apply(UPLOADING, EARLY_PROBE, skipped(code), 5.0)
    assert (outcome.asset.state, outcome.events) == (AssetState.FAILED, ("asset.failed",))
    assert outcome.asset.reason == Reason(code=code, message="It is so.")


@pytest.mark.parametrize("code", ["corrupt", "truncated", "no_decodable_frames", "internal", "over_limit_memory"])
def test_what_the_missing_bytes_may_explain_changes_nothing(code: str) -> None:
    assert not is_certain(code)
    outcome = apply(UPLOADING, EARLY_PROBE, skipped(code), 5.0)
    assert (outcome.asset, outcome.events) == (UPLOADING, ())


def test_what_was_found_is_shown_while_the_upload_goes_on() -> None:
    shown = EarlyFacts(
        container="mp4", duration=4.0, width=640, height=360, rotation=90, video_codec="hevc", audio_codec="aac"
    )
    assert early_facts(FACTS) == shown
    outcome = apply(UPLOADING, EARLY_PROBE, FOUND, 5.0)
    assert (outcome.asset.early, outcome.asset.facts, outcome.events) == (shown, None, ())


@pytest.mark.parametrize("result", [FOUND, skipped("over_limit_duration")])
def test_an_early_probe_that_ends_late_says_nothing(result: ProbeResult | Skipped) -> None:
    source = {"state": AssetState.INGESTED, "source": SourceRef(key="k", size=9)}
    asset = UPLOADING.model_copy(update=source)
    outcome = apply(asset, EARLY_PROBE, result, 5.0)
    assert (outcome.asset, outcome.events) == (asset, ())
