"""What the result of a step does to its asset. Pure: (asset, result, now) -> (asset, events, follow-up).

The catalog calls this inside the transaction that completes the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rushes.engine.checking import FAILED, READY, refused
from rushes.engine.early import EARLY_PROBE, early_facts, is_certain
from rushes.engine.kinds import KINDS
from rushes.engine.rounds import plain, round_of
from rushes.model import (
    AnalysisResult,
    Asset,
    ChecksumResult,
    CleanupResult,
    DownloadResult,
    LabelsResult,
    LintResult,
    PackageResult,
    Partial,
    PosterResult,
    ProbeResult,
    PublishResult,
    PullResult,
    Result,
    Skipped,
    StepSpec,
    StoryboardResult,
    TracksResult,
    TranscriptResult,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.states import Action, AssetState, Pool, Publication, StepKind


@dataclass(frozen=True)
class Outcome:
    asset: Asset
    events: tuple[str, ...] = ()
    unpublish: bool = False
    """The pointer has to go: a verdict turned against what is public."""
    steps: tuple[StepSpec, ...] = ()
    """What has to follow."""


def apply(asset: Asset, key: str, result: Result, now: float) -> Outcome:
    """The asset after `result` of the step `key`."""
    match result:
        case ProbeResult() if key == EARLY_PROBE:
            return _early(asset, result)
        case ProbeResult():
            return _probed(asset, key, result)
        case ChecksumResult():
            return _checksum(asset, result.sha256)
        case TracksResult():
            return _tracks(asset, key, result)
        case PackageResult():
            return _package(asset, key, result, now)
        case VerdictResult():
            return _verdict(asset, key, result)
        case PublishResult():
            return _published(asset, result, now)
        case Skipped():
            return _skipped(asset, key, result.reason)
        case CleanupResult() | PullResult():
            return Outcome(asset, steps=_purges(key, result))
        case _:
            return _enriched(asset, key, result)


def _probed(asset: Asset, key: str, result: ProbeResult) -> Outcome:
    """A later encode looks at the same source again: only its plan counts."""
    if round_of(key) > 1:
        return Outcome(asset)
    facts = result.facts.model_copy(update={"sha256": asset.source.sha256 if asset.source else None})
    return _updated(asset, facts=facts)


def _early(asset: Asset, result: ProbeResult) -> Outcome:
    """What was found before the last byte is shown at once, and counts when the last byte is there. Its event has been: that
    the first bytes were recognised."""
    if asset.state is not AssetState.UPLOADING:
        return Outcome(asset)
    return Outcome(asset.model_copy(update={"early": early_facts(result.facts)}))


def _skipped(asset: Asset, key: str, reason: Reason) -> Outcome:
    """Noted for the record, but not where it only follows from another step that was skipped.

    An early probe that found what the missing bytes cannot change ends the asset.
    """
    if key == EARLY_PROBE:
        hopeless = asset.state is AssetState.UPLOADING and is_certain(reason.code)
        return fail(asset, reason) if hopeless else Outcome(asset)
    if key.startswith("publish.") and round_of(key) > 1:
        return _updated(asset)  # its build is the asset's now, though not public
    if key == "publish.ready" and reason.code == FAILED:
        return fail(asset, reason)  # its check was done before, and what it found holds
    if key.startswith(("package.", "lint.", "verdict.", "publish.")) or (
        key == "remux" and reason.code == "not_standard"
    ):
        return Outcome(asset)  # nothing is missing: most sources are not standard
    note = Reason(code=reason.code, message=f"{key} skipped: {reason.message}")
    return Outcome(asset.model_copy(update={"notes": (*asset.notes, note)}))


def _linted(asset: Asset, key: str, result: LintResult) -> Outcome:
    """The newest certificate is shown. A build that is not required leaves a note where it is not published; of one that is,
    the catalog ends the asset, or the encode."""
    newest = asset.lint is None or result.build >= asset.lint.build
    changed = asset.model_copy(update={"lint": result}) if newest else asset
    if result.passed or plain(key) == READY:
        return Outcome(changed)
    told = refused(result)  # once, however often it is looked at
    return _updated(changed, notes=(*(note for note in asset.notes if note != told), told))


def _updated(asset: Asset, **fields: object) -> Outcome:
    return Outcome(asset.model_copy(update=fields), ("asset.updated",))


def _checksum(asset: Asset, sha256: str) -> Outcome:
    source = asset.source.model_copy(update={"sha256": sha256}) if asset.source else None
    facts = asset.facts.model_copy(update={"sha256": sha256}) if asset.facts else None
    return Outcome(asset.model_copy(update={"source": source, "facts": facts}))


def _tracks(asset: Asset, key: str, result: TracksResult) -> Outcome:
    """What is wrong with the source is known from the first encode."""
    if round_of(key) > 1 or not (result.missing_seconds or result.decode_errors):
        return Outcome(asset)
    old = asset.partial
    partial = Partial(
        missing_seconds=max(result.missing_seconds, old.missing_seconds if old else 0.0),
        decode_errors=result.decode_errors + (old.decode_errors if old else 0),
    )
    return _updated(asset, partial=partial)


def _package(asset: Asset, key: str, result: PackageResult, now: float) -> Outcome:
    """A build never replaces a newer one; a provisional one makes the asset playable, a complete one ready. That of a later
    encode, which may still be given up, changes nothing yet (`replaced`)."""
    if round_of(key) > 1 or (asset.ready_at is not None and not result.complete):
        return Outcome(asset)  # the fast lane came last: it must not stand in for the whole ladder
    fields: dict[str, object] = {"partial": _partial(asset.partial, result.missing_seconds)}
    events: list[str] = []
    if result.build >= asset.build:  # the same: a first look that has grown
        fields |= {"build": result.build, "tracks": result.tracks, "lazy": result.lazy}
    if result.growing:
        fields["growing"] = result.build
    if asset.state is AssetState.INGESTED:
        fields |= {"state": AssetState.PLAYABLE, "playable_at": now}
        events.append("asset.playable")
    if result.complete and asset.state in (AssetState.INGESTED, AssetState.PLAYABLE):
        fields |= {"state": AssetState.READY, "ready_at": now}
        events.append("asset.ready")
    return Outcome(asset.model_copy(update=fields), tuple(events) or ("asset.updated",))


def replaced(asset: Asset, number: int, made: Mapping[str, Result]) -> Asset:
    """The asset with what encode `number` has `made`, by plain keys of steps, in place of what it had of that kind."""
    builds = [result for result in made.values() if isinstance(result, PackageResult)]
    newest = max(builds, key=lambda result: result.build, default=None)
    encode = next((encode for encode in asset.encodes if encode.number == number), None)
    if newest is None or encode is None or newest.build <= asset.build:
        return asset
    now = encode.model_copy(update={"build": newest.build})
    fields = {
        "profile": encode.profile,
        "encodes": tuple(now if one is encode else one for one in asset.encodes),
        "build": newest.build,
        "tracks": newest.tracks,
        "lazy": newest.lazy,
        "partial": _partial(asset.partial, newest.missing_seconds),
        "analysis": next((result for result in made.values() if isinstance(result, AnalysisResult)), None),
        "download": next((result for result in made.values() if isinstance(result, DownloadResult)), None),
    }
    return asset.model_copy(update=fields)


def shown_encode(asset: Asset) -> int:
    """The number of the encode that the asset's build is of."""
    return max((encode.number for encode in asset.encodes if encode.build), default=1)


def _partial(known: Partial | None, missing: float) -> Partial | None:
    """Of what was encoded in chunks, how much is missing is found where they are joined; their errors are known then."""
    if not missing:
        return known
    errors = known.decode_errors if known else 0
    return Partial(missing_seconds=max(missing, known.missing_seconds if known else 0.0), decode_errors=errors)


def _verdict(asset: Asset, key: str, result: VerdictResult) -> Outcome:
    """Only a review makes a verdict milder: verdicts of one asset may end in another order than they were planned."""
    verdict = result.verdict
    if (
        asset.verdict
        and not key.startswith("verdict.review")
        and _SEVERITY[verdict.action] < _SEVERITY[asset.verdict.action]
    ):
        return Outcome(asset)
    if verdict.action is Action.PUBLISH:
        return Outcome(asset.model_copy(update={"verdict": verdict}))
    publication = verdict.action.publication
    changed = asset.model_copy(update={"verdict": verdict, "publication": publication, "published_build": 0})
    events = (f"asset.{publication.value}",) if publication is not asset.publication else ()
    return Outcome(changed, events, unpublish=asset.publication is Publication.PUBLISHED)


_SEVERITY = {Action.PUBLISH: 0, Action.HOLD: 1, Action.BLOCK: 2}


def _published(asset: Asset, result: PublishResult, now: float) -> Outcome:
    """The pointer is written. If the asset was held, failed or deleted meanwhile it has to go again."""
    if not may_be_public(asset):
        return Outcome(asset, unpublish=True)
    fields = {
        "publication": Publication.PUBLISHED,
        "published_build": max(result.build, asset.published_build),
        "published_at": asset.published_at or now,
    }
    event = "asset.updated" if asset.publication is Publication.PUBLISHED else "asset.published"
    return Outcome(asset.model_copy(update=fields), (event,))


def _enriched(asset: Asset, key: str, result: Result) -> Outcome:
    match result:
        case AnalysisResult() | DownloadResult() if round_of(key) != shown_encode(asset):
            return Outcome(asset)  # it says nothing of what plays: it comes with its build (`replaced`)
        case AnalysisResult():
            return _updated(asset, analysis=result)
        case LintResult():
            return _linted(asset, key, result)
        case PosterResult():
            return _updated(asset, poster=result.poster)
        case StoryboardResult():
            return _updated(asset, storyboard=result)
        case DownloadResult():
            return _updated(asset, download=result)
        case TranscriptResult():
            return _updated(asset, transcript=result)
        case LabelsResult():
            return _updated(asset, labels=result.labels, coverage=result.coverage)
        case _:
            raise TypeError(f"no effect is defined for a result of kind {result.kind}")


def fail(asset: Asset, reason: Reason) -> Outcome:
    """A required step is lost. What was public goes: an asset that failed is never half there."""
    if asset.state in (AssetState.DELETED, AssetState.FAILED):
        return Outcome(asset)
    public = asset.publication is Publication.PUBLISHED
    fields: dict[str, object] = {"state": AssetState.FAILED, "reason": reason}
    if public:
        fields |= {"publication": Publication.PRIVATE, "published_build": 0}
    return Outcome(asset.model_copy(update=fields), ("asset.failed",), unpublish=public)


def may_be_public(asset: Asset) -> bool:
    """Whether a pointer of this asset may be there: not once it is gone or a verdict stands against it."""
    gone = asset.state in (AssetState.FAILED, AssetState.DELETED)
    return not gone and (asset.verdict is None or asset.verdict.action is Action.PUBLISH)


def revived(asset: Asset) -> Asset:
    """A failed asset as its retried steps find it: as far as its builds had brought it."""
    if asset.state is not AssetState.FAILED:
        return asset
    state = AssetState.PLAYABLE if asset.playable_at is not None else AssetState.INGESTED
    state = AssetState.READY if asset.ready_at is not None else state
    return asset.model_copy(update={"state": state, "reason": None})


def cleanup_step(what: str, number: int, *, purge: bool = False) -> StepSpec:
    """The step that removes pointers (`unpublish`), the source (`original`), what came of none (`sources`) or everything
    (`delete`). `purge`: it lists what caches have to forget."""
    return StepSpec(
        key=f"cleanup.{what}.{number}",
        kind=StepKind.CLEANUP,
        pool=KINDS[StepKind.CLEANUP].pool,
        params={"what": what, "purge": True} if purge else {"what": what},
        required=False,
        priority=30,
        cost=0.1,
    )


SETTLED = 3.0
"""Seconds after which no web side believes an asset to be public that is not, and answers that were under way are over: what a
cache took in meanwhile has to be purged once more."""


def _purges(key: str, result: CleanupResult | PullResult) -> tuple[StepSpec, ...]:
    return purge_steps(key, result.purge) if isinstance(result, CleanupResult) and result.purge else ()


def purge_steps(done: str, key: str) -> tuple[StepSpec, ...]:
    """What follows the cleanup `done`, which left the list of paths `key`: tell the caches, and tell them again. Takedowns have
    to happen at last, so these are of their kind: never given up."""
    number = done.removeprefix("cleanup.")
    first = StepSpec(
        key=f"purge.{number}",
        kind=StepKind.CLEANUP,
        pool=Pool.PUBLISH,
        params={"what": "purge", "list": key},
        after=(done,),
        required=False,
        priority=30,
        cost=0.1,
    )
    again: dict[str, object] = {"key": f"{first.key}.again", "after": (first.key,), "delay": SETTLED}
    return first, first.model_copy(update={**again, "params": {**first.params, "last": True}})


def losers_step(number: int, winners: Sequence[str]) -> StepSpec:
    """The step that removes what attempts left behind that did not win. `winners` are the prefixes that stay."""
    step = cleanup_step("losers", number)
    return step.model_copy(update={"params": {**step.params, "keep": list(winners)}, "priority": 0})
