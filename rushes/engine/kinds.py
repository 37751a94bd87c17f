"""Each kind of step: its pool, the module whose `run(job, workspace)` does it."""

from __future__ import annotations

from dataclasses import dataclass

from rushes.states import Pool, StepKind


@dataclass(frozen=True)
class Kind:
    pool: Pool
    module: str
    inline: bool = False
    """Pure and quick: runs in the worker itself, not in a child."""
    strict: bool = False
    """Changes what viewers see, or deletes: ends when its lease cannot be kept. Others write to places of their own, so a
    second run costs only time, and a catalog that is away for a minute must not cost a fleet all its work."""
    attempts: int = 0
    """Where the setting's number is too few: what fails is a server of somebody else. No byte is looked at, so it cannot
    be what kills a worker either."""
    version: int = 1
    """Part of the recipe key: raise it when the same parameters give another result."""


KINDS: dict[StepKind, Kind] = {
    StepKind.PULL: Kind(Pool.PULL, "rushes.ingest.pull", attempts=10),
    StepKind.PROBE: Kind(Pool.IO, "rushes.transcoder.source"),
    StepKind.ANALYZE: Kind(Pool.VIDEO, "rushes.transcoder.analysis"),
    StepKind.CHECKSUM: Kind(Pool.IO, "rushes.transcoder.checksum"),
    StepKind.REMUX: Kind(Pool.IO, "rushes.transcoder.passthrough", version=2),
    StepKind.ENCODE: Kind(Pool.VIDEO, "rushes.transcoder.encode", version=2),
    StepKind.CORRECT: Kind(Pool.VIDEO, "rushes.transcoder.correction"),
    StepKind.AUDIO: Kind(Pool.AUDIO, "rushes.transcoder.audio", version=2),
    StepKind.PACKAGE: Kind(Pool.PUBLISH, "rushes.packaging.package"),
    StepKind.LINT: Kind(Pool.PUBLISH, "rushes.packaging.lint.step"),
    StepKind.POSTER: Kind(Pool.IMAGE, "rushes.enrichment.poster", version=2),
    StepKind.STORYBOARD: Kind(Pool.IMAGE, "rushes.enrichment.storyboard", version=2),
    StepKind.DOWNLOAD: Kind(Pool.IO, "rushes.packaging.download"),
    StepKind.TRANSCRIPT: Kind(Pool.SPEECH, "rushes.enrichment.transcript"),
    StepKind.LABELS: Kind(Pool.MODERATION, "rushes.moderation.labels"),
    StepKind.VERDICT: Kind(Pool.PUBLISH, "rushes.moderation.verdict", inline=True),
    StepKind.PUBLISH: Kind(Pool.PUBLISH, "rushes.packaging.publish", strict=True),
    StepKind.CLEANUP: Kind(Pool.IO, "rushes.packaging.cleanup", strict=True),
}
BY_NAME = {kind.value: what for kind, what in KINDS.items()}
"""For rows, which a newer release may have written: a name that is not here is no error of theirs."""
