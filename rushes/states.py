"""The states of things and the legal ways between them. Each enum answers the questions that others ask of it."""

from __future__ import annotations

from enum import StrEnum


class AssetState(StrEnum):
    UPLOADING = "uploading"
    INGESTED = "ingested"
    PLAYABLE = "playable"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"

    @property
    def is_final(self) -> bool:
        return self in (AssetState.READY, AssetState.FAILED, AssetState.DELETED)

    @property
    def has_build(self) -> bool:
        return self in (AssetState.PLAYABLE, AssetState.READY)

    def may_become(self, other: AssetState) -> bool:
        return other in _ASSET_TRANSITIONS[self]


_ASSET_TRANSITIONS: dict[AssetState, frozenset[AssetState]] = {
    AssetState.UPLOADING: frozenset({AssetState.INGESTED, AssetState.FAILED, AssetState.DELETED}),
    AssetState.INGESTED: frozenset({AssetState.PLAYABLE, AssetState.READY, AssetState.FAILED, AssetState.DELETED}),
    AssetState.PLAYABLE: frozenset({AssetState.READY, AssetState.FAILED, AssetState.DELETED}),
    AssetState.READY: frozenset({AssetState.FAILED, AssetState.DELETED}),  # failed where it could not be published
    AssetState.FAILED: frozenset(  # an operator's retry takes it back to where its builds had brought it
        {AssetState.INGESTED, AssetState.PLAYABLE, AssetState.READY, AssetState.DELETED}
    ),
    AssetState.DELETED: frozenset(),
}


class Publication(StrEnum):
    PRIVATE = "private"
    PUBLISHED = "published"
    HELD = "held"
    BLOCKED = "blocked"

    @property
    def is_public(self) -> bool:
        return self is Publication.PUBLISHED

    def may_become(self, other: Publication) -> bool:
        """Decisions are reversible, so every change is legal; `private` is only left, or returned to by a takedown."""
        return other is not self


class TicketState(StrEnum):
    """Of a one-time upload address."""

    WAITING = "waiting"
    ASSET_CREATED = "asset_created"
    """An upload is complete, and its asset has not failed."""
    ERRORED = "errored"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    """It ended before anything was complete."""


class StepState(StrEnum):
    WAITING = "waiting"
    """For other steps, or for its time: that of its next attempt, after one that failed."""
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    """Nothing to do, with a reason (no model, no audio). Counts as done for those that wait for it."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.CANCELLED)

    def may_become(self, other: StepState) -> bool:
        return other in _STEP_TRANSITIONS[self]


_STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    StepState.WAITING: frozenset({StepState.READY, StepState.CANCELLED}),
    StepState.READY: frozenset({StepState.RUNNING, StepState.CANCELLED, StepState.FAILED}),
    StepState.RUNNING: frozenset(
        {StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.READY, StepState.WAITING, StepState.CANCELLED}
    ),
    StepState.DONE: frozenset(),
    StepState.SKIPPED: frozenset(),
    StepState.FAILED: frozenset({StepState.WAITING, StepState.READY}),  # an operator's retry
    StepState.CANCELLED: frozenset({StepState.WAITING, StepState.READY}),
}


class StepKind(StrEnum):
    """Every kind of step. Its pool and its module are in `rushes.engine.kinds`."""

    PULL = "pull"
    PROBE = "probe"
    ANALYZE = "analyze"
    CHECKSUM = "checksum"
    REMUX = "remux"
    ENCODE = "encode"
    CORRECT = "correct"
    AUDIO = "audio"
    PACKAGE = "package"
    LINT = "lint"
    POSTER = "poster"
    STORYBOARD = "storyboard"
    DOWNLOAD = "download"
    TRANSCRIPT = "transcript"
    LABELS = "labels"
    VERDICT = "verdict"
    PUBLISH = "publish"
    CLEANUP = "cleanup"


class Pool(StrEnum):
    """Workers are scaled by pool."""

    PULL = "pull"
    IO = "io"
    VIDEO = "video"
    AUDIO = "audio"
    IMAGE = "image"
    SPEECH = "speech"
    MODERATION = "moderation"
    PUBLISH = "publish"


LIGHT = (Pool.IO, Pool.PUBLISH)
"""Pools that share a few slots of their own in each worker: their steps are done in no time."""
APART = (*LIGHT, Pool.PULL)
"""Pools that take no slot of the heavy ones: a pull waits for a network, perhaps for hours."""


class Action(StrEnum):
    """What a policy decides."""

    PUBLISH = "publish"
    HOLD = "hold"
    BLOCK = "block"

    @property
    def publication(self) -> Publication:
        return {"publish": Publication.PUBLISHED, "hold": Publication.HELD, "block": Publication.BLOCKED}[self.value]


class Coverage(StrEnum):
    """What a detector did. `not_evaluated` is never the same as clean."""

    EVALUATED = "evaluated"
    NOT_EVALUATED = "not_evaluated"
    PARTIAL = "partial"
