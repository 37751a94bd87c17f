"""From the catalog's nouns to the asset JSON. Pure: addresses are made by functions that are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rushes.api.models import (
    AnalysisView,
    AssetView,
    EncodeView,
    LazyRungView,
    LazyView,
    LintView,
    OperatorView,
    OptionsView,
    Playback,
    PrivatePlayback,
    RenditionView,
    SourceView,
    StepJson,
    TrackView,
    TranscriptView,
)
from rushes.clock import rfc3339
from rushes.engine.classes import chosen_of
from rushes.engine.lazy import is_lazy
from rushes.engine.lazy import state as lazy_state
from rushes.engine.outcome import shown_encode
from rushes.engine.rounds import round_of
from rushes.facts import SourceFacts, SourceRef
from rushes.keys import build_prefix, licence_path, pointer_key
from rushes.model import AnalysisResult, Asset, Encode, StepView
from rushes.options import Options
from rushes.packaging.bitrate import target_duration, track_average, track_peak
from rushes.packaging.playlist import playlist_name
from rushes.plan import Receipt
from rushes.states import StepState
from rushes.tracks import Track, has_dash

Link = Callable[[str], str]
"""The address of an object, by its key."""


def asset_json(
    asset: Asset, steps: Iterable[StepView], cost: Mapping[str, float], *, base: str, local: bool = False
) -> dict[str, Any]:
    """The asset JSON as plain data. `local`: addresses are paths inside the directory of `rushes transcode`."""
    link = in_directory(asset.id) if local else under(base)
    return asset_view(asset, steps, cost, link).model_dump(mode="json")


def under(base: str) -> Link:
    """Keys are the paths of their objects: `https://host` and a key make the address."""
    return lambda key: f"{base}/{key}"


def in_directory(asset: str) -> Link:
    """`media/{asset}/master.m3u8` -> `master.m3u8`, `artifacts/{asset}/x` -> `artifacts/x`."""

    def link(key: str) -> str:
        folder, _, rest = key.partition("/")
        below = rest.removeprefix(f"{asset}/")
        return below if folder == "media" else f"{folder}/{below}"

    return link


def operator_view(asset: Asset, steps: Iterable[StepView]) -> OperatorView:
    return OperatorView(
        id=asset.id, tenant=asset.tenant, state=asset.state, publication=asset.publication, reason=asset.reason,
        class_=chosen_of(asset.priority).name.lower(), steps=tuple(step_json(step) for step in steps),
    )  # fmt: skip


def asset_view(
    asset: Asset,
    steps: Iterable[StepView],
    cost: Mapping[str, float],
    link: Link,
    private: PrivatePlayback | None = None,
) -> AssetView:
    public = link if asset.publication.is_public else None
    found = tuple(steps)
    kept = {"id", "tenant", "title", "metadata", "state", "publication", "reason", "profile", "policy", "partial"}
    kept |= {"build", "published_build", "labels", "coverage", "verdict", "notes", "revision"}
    moments = ("created_at", "uploaded_at", "playable_at", "ready_at", "published_at", "deleted_at")
    return AssetView.model_validate(
        {
            **{name: getattr(asset, name) for name in kept},
            **{name: moment(getattr(asset, name)) for name in moments},
            "duration": duration(asset),
            "early": asset.early.model_dump() if asset.early and asset.facts is None else None,
            "source": source_view(asset.source, asset.facts) if asset.source else None,
            "options": options_view(asset.options),
            "lazy": lazy_view(asset, found),
            "encodes": tuple(encode_view(encode, found) for encode in asset.encodes),
            "playback": playback(asset, public, private),
            "analysis": analysis_view(asset.analysis),
            "renditions": renditions(asset.tracks, asset.analysis),
            "tracks": tuple(track_view(asset, track, public) for track in asset.tracks),
            "transcript": transcript(asset, public),
            "lint": lint_view(asset, public),
            "steps": tuple(step_json(step) for step in found),
            "cost": {**cost, "by_kind": cpu_by_kind(found)},
        }
    )


def options_view(options: Options) -> OptionsView:
    mark = options.watermark
    shown = mark.model_dump(exclude={"key", "width", "height"}) if mark else None
    return OptionsView.model_validate({"clip": options.clip, "watermark": shown, "playback": options.playback})


def lazy_view(asset: Asset, steps: Sequence[StepView]) -> LazyView:
    """Of the encode that plays."""
    number, demand = shown_encode(asset), asset.demand
    wanted = demand.requested_at if demand.encode == number else None
    states = {step.key: step.state for step in steps if round_of(step.key) == number}
    return LazyView(
        state=lazy_state(asset.lazy, states, wanted=wanted is not None),
        missing=tuple(
            LazyRungView(name=rung.name, codec=rung.codec, short_side=min(rung.width, rung.height))
            for rung in asset.lazy
        ),
        plays=demand.plays,
        requested_at=moment(wanted),
        by=demand.by or None,
    )


def encode_view(encode: Encode, steps: Sequence[StepView]) -> EncodeView:
    """Its state is that of its steps: done once the last of them is, and before that, where its build is not the asset's yet,
    cancelled as soon as one is, failed with one that it cannot do without."""
    own = [step for step in steps if round_of(step.key) == encode.number and not is_lazy(step.key)]
    states = {step.state for step in own}
    if not encode.build and any(step.required and step.state is StepState.FAILED for step in own):
        state = "failed"
    elif not encode.build and StepState.CANCELLED in states:
        state = "cancelled"
    elif all(state.is_final for state in states):
        state = "done"
    else:
        state = "running" if states & {StepState.RUNNING, StepState.DONE} else "waiting"
    return EncodeView(
        number=encode.number, profile=encode.profile, state=state, requested_at=rfc3339(encode.requested_at)
    )


def analysis_view(analysis: AnalysisResult | None) -> AnalysisView | None:
    return AnalysisView(features=analysis.features, receipts=analysis.receipts) if analysis else None


def cpu_by_kind(steps: Sequence[StepView]) -> dict[str, float]:
    """CPU seconds of those kinds of steps that took any."""
    used: dict[str, float] = {}
    for step in steps:
        used[str(step.kind)] = used.get(str(step.kind), 0.0) + step.cpu_seconds
    return {kind: round(seconds, 3) for kind, seconds in sorted(used.items()) if seconds}


def moment(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)


def source_view(source: SourceRef, facts: SourceFacts | None) -> SourceView:
    fields: dict[str, object] = {name: getattr(source, name) for name in ("filename", "size", "version", "sha256")}
    if facts:
        same = (
            "container",
            "duration",
            "declared_duration",
            "bitrate",
            "streams",
            "warnings",
            "provenance",
            "personal",
        )
        fields |= {name: getattr(facts, name) for name in same} | _video(facts) | _audio(facts)
    return SourceView.model_validate(fields)


def _video(facts: SourceFacts) -> dict[str, object]:
    video = facts.video
    if video is None:
        return {}
    same = ("width", "height", "rotation", "vfr", "frames", "bit_depth", "hdr", "interlaced")
    newer = ("hdr_format", "dolby_vision", "field_order")
    width, height = video.display_size
    return {name: getattr(video, name) for name in (*same, *newer)} | {
        "display_width": width,
        "display_height": height,
        "fps": round(float(video.fps), 3),
        "video_codec": video.codec,
        "video_profile": video.profile,
    }


def _audio(facts: SourceFacts) -> dict[str, object]:
    if not facts.audio:
        return {}
    audio = next((stream for stream in facts.audio if stream.default), facts.audio[0])
    return {"audio_codec": audio.codec, "audio_channels": audio.channels, "audio_sample_rate": audio.sample_rate}


def playback(asset: Asset, public: Link | None, private: PrivatePlayback | None) -> Playback:
    if public is None:
        return Playback(private=private)
    return Playback(
        hls=public(pointer_key(asset.id, "master.m3u8")),
        dash=public(pointer_key(asset.id, "manifest.mpd")) if is_in_dash(asset, asset.published_build) else None,
        clearkey=public(licence_path(asset.id)) if is_protected(asset) else None,
        mp4=public(asset.download.key) if asset.download else None,
        poster=public(asset.poster.key) if asset.poster else None,
        thumbhash=asset.poster.thumbhash if asset.poster else None,
        storyboard=public(asset.storyboard.vtt_key) if asset.storyboard else None,
        private=private,
    )


def is_protected(asset: Asset) -> bool:
    return any(track.protection for track in asset.tracks)


def is_in_dash(asset: Asset, build: int) -> bool:
    """Not while a first look grows, and not what is encrypted for HLS alone."""
    return build != asset.growing and has_dash(asset.tracks)


def private_playback(asset: Asset, link: Link, expires: int) -> PrivatePlayback | None:
    """For an asset that plays, but not for everybody. `link` puts a preview token into the address."""
    is_open = asset.publication.is_public and asset.options.playback == "public"
    if is_open or not asset.state.has_build:
        return None
    build = build_prefix(asset.id, asset.build)
    return PrivatePlayback(
        hls=link(f"{build}master.m3u8"),
        dash=link(f"{build}manifest.mpd") if is_in_dash(asset, asset.build) else None,
        clearkey=link(licence_path(asset.id)) if is_protected(asset) else None,
        poster=link(asset.poster.key) if asset.poster else None,
        thumbhash=asset.poster.thumbhash if asset.poster else None,
        storyboard=link(asset.storyboard.vtt_key) if asset.storyboard else None,
        expires=rfc3339(expires),
    )


def renditions(tracks: Sequence[Track], analysis: AnalysisResult | None = None) -> tuple[RenditionView, ...]:
    """The video tracks, with the rates that the manifests declare and the quality that the analysis tells."""
    target = target_duration(tracks)
    receipts = {receipt.rung: receipt for receipt in (analysis.receipts if analysis else ())}
    return tuple(_rendition(track, target, receipts.get(track.name)) for track in tracks if track.kind == "video")


def _rendition(track: Track, target: int, receipt: Receipt | None) -> RenditionView:
    return RenditionView(
        name=track.name,
        codec=track.codecs,
        width=track.width or 0,
        height=track.height or 0,
        fps=round(float(track.fps), 3) if track.fps else None,
        bitrate=track_average(track),
        peak_bitrate=track_peak(track, target),
        segments=len(track.segments),
        vmaf=_vmaf(track, receipt),
        hdr=track.hdr,
    )


def _vmaf(track: Track, receipt: Receipt | None) -> float | None:
    """As it was measured after the encode; as it was predicted where it was not."""
    predicted = receipt.predicted_vmaf if receipt else None
    found = predicted if track.vmaf is None else track.vmaf
    return None if found is None else round(found, 2)


def track_view(asset: Asset, track: Track, public: Link | None) -> TrackView:
    kinds = {"video": "main", "text": "captions", "image": "storyboard"}
    kind = kinds.get(track.kind) or ("main" if track.default else "alternate")
    return TrackView(
        type=track.kind,
        name=track.name,
        language=track.language,
        codec=track.codecs,
        channels=track.channels,
        kind=kind,
        duration=round(track.duration, 3),
        loudness=track.loudness,
        url=public(f"{build_prefix(asset.id, asset.build)}{playlist_name(track)}") if public else None,
    )


def lint_view(asset: Asset, public: Link | None) -> LintView | None:
    found = asset.lint
    if found is None:
        return None
    fields = found.model_dump(include={"build", "checked", "musts", "shoulds"})
    return LintView(**fields, passed=found.passed, url=public(found.certificate) if public else None)


def transcript(asset: Asset, public: Link | None) -> TranscriptView | None:
    found = asset.transcript
    if found is None:
        return None
    return TranscriptView(
        language=found.language,
        engine=found.engine,
        trusted=found.trusted,
        cues=len(found.cues),
        url=public(found.vtt_key) if public else None,
        json_url=public(found.json_key) if public else None,
    )


def step_json(step: StepView) -> StepJson:
    same = ("key", "kind", "pool", "state", "required", "attempts", "reason")
    return StepJson.model_validate(
        {name: getattr(step, name) for name in same}
        | {
            "progress": round(step.progress, 4),
            "started_at": moment(step.started_at),
            "finished_at": moment(step.finished_at),
            "cpu_seconds": round(step.cpu_seconds, 3),
            "avoided_cpu_seconds": round(step.avoided_cpu_seconds, 3),
        }
    )


def duration(asset: Asset) -> float | None:
    """What a viewer sees: the picture's length in the newest build; before there is one, what the source declares."""
    pictures = [track.duration for track in asset.tracks if track.kind == "video"]
    if pictures:
        return round(max(pictures), 3)
    return asset.facts.duration if asset.facts else None
