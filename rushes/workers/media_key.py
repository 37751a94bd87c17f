"""The key that a step is told: that of its asset, and only where it protects something. It goes to the child with the order, by a
pipe, and is nowhere else: not in the job, which the database knows, and not in the environment."""

from __future__ import annotations

from rushes.engine.job import Job, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.media_keys import KeyServer
from rushes.states import StepKind


def with_key(job: Job, tools: ToolSettings, keys: KeyServer | None) -> ToolSettings:
    """Blocks on the key server. Raises StepFailure."""
    if job.kind is not StepKind.PACKAGE or not job.is_protected:
        return tools
    if keys is None:
        raise StepFailure("keys_not_configured", Blame.PERMANENT)
    return tools.model_copy(update={"key": keys.key(job.asset, job.key_version)})
