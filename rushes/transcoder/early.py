"""Step PROBE of an upload that is not complete: what is there of it, with a hole where the later samples will be."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rushes.engine.clip import check_holds, shown
from rushes.engine.early import Pieces, digest
from rushes.engine.job import Job
from rushes.errors import REASONS, StepFailure
from rushes.ffmpeg.probe import probe
from rushes.keys import early_key
from rushes.model import ProbeResult, Skipped
from rushes.noun import Reason
from rushes.storage.store import ObjectMissing, StoreError
from rushes.storage.workspace import Workspace
from rushes.transcoder.copied import planned
from rushes.transcoder.ladder import plan
from rushes.transcoder.lazy import put_off
from rushes.transcoder.limits import check


def run(job: Job, workspace: Workspace) -> ProbeResult | Skipped:
    """As the probe of the whole file. Whatever is wrong skips the step, with a reason of which the engine knows whether it
    is final (`rushes.engine.early.is_certain`): the probe of the whole file comes later in any case."""
    try:
        path = _with_hole(job, workspace)
        facts = probe(path, workspace.tools, holes=True, personal=job.profile.personal_metadata)
        check(facts, job.profile.limits)
        wanted = shown(facts, job.options)
        found = plan(wanted, job.profile)
        check_holds(job.options, facts, found.grid.fps)
        return ProbeResult(facts=facts, plan=put_off(planned(found, path, wanted, job.profile), wanted, job.profile))
    except StepFailure as failure:
        return Skipped(reason=Reason(code=failure.code, message=failure.message))
    except (ObjectMissing, StoreError, OSError) as error:
        return Skipped(reason=Reason(code="internal", message=f"{REASONS['internal']} ({type(error).__name__})"))
    finally:
        with suppress(StoreError):  # it is swept later
            workspace.store.delete(early_key(job.asset))


def _with_hole(job: Job, workspace: Workspace) -> Path:
    """A file of the declared length that has the given bytes at its ends and takes no room for the rest."""
    pieces = Pieces.model_validate(job.params)
    both = workspace.store.read(early_key(job.asset))
    head, tail = both[: pieces.head], both[pieces.head :]
    if len(tail) != pieces.tail or digest(head, tail) != pieces.sha256:
        raise StepFailure("internal", detail="these are not the bytes that were announced")
    path = workspace.scratch / "early"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(pieces.length)
        file.seek(pieces.length - pieces.tail)
        file.write(tail)
    return path
