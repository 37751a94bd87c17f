"""Step `correct`: rungs that missed what was expected of them are encoded once more, with another CRF."""

from __future__ import annotations

from rushes.engine.effort import encode_cost
from rushes.engine.job import Job
from rushes.engine.quality import measured, spent
from rushes.model import TracksResult
from rushes.plan import Ladder, Rung
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder import encode
from rushes.transcoder.surface import SCALES, slope

TOLERATED = 2.0
"""VMAF by which a rung may be off, as it was measured."""
TRUSTED = 0.6
"""Of the difference, how far a rung is moved: a few pictures are not the whole, and those that the prediction rests on are about
as good, so the truth lies between."""
FARTHEST = 6.0
"""CRFs by which a rung is moved at the most."""
HELD = 0.7
"""Of a rung's cap, as a mean: from here on its busy parts are at the cap, and a lower CRF gives bits to those that need none (2.7
VMAF for 30 % more bits, of a quarter noise)."""
DEAREST = 600.0
"""CPU seconds that encoding again may cost. It is one step for the whole length, and the asset waits for it."""


def run(job: Job, workspace: Workspace) -> TracksResult:
    """Params: `ladder`, as its chunks were encoded, which are the inputs. What is made replaces the tracks of the same
    names; nothing where all is well, or where it became no better."""
    ladder = Ladder.model_validate(job.params["ladder"])
    chunks = [result for result in job.inputs.values() if isinstance(result, TracksResult) and not result.provisional]
    tracks = [track for result in chunks for track in result.tracks]
    before = measured(tracks)
    seconds = sum(result.decoded_seconds or 0.0 for result in chunks)
    rungs = () if any(map(is_damaged, chunks)) else corrected(ladder, before, spent(tracks), seconds)
    if not rungs:
        return TracksResult(tracks=(), replaces=True)
    again = ladder.model_copy(update={"rungs": rungs})
    params = {**job.params, "ladder": again.model_dump(mode="json")}
    made = encode.run(job.model_copy(update={"params": params}), workspace)
    same = abs((made.decoded_seconds or 0.0) - seconds) < 1 / ladder.grid.fps
    better = tuple(track for track in made.tracks if same and _is_better(track, ladder, before))
    return TracksResult(tracks=better, decoded_seconds=made.decoded_seconds, replaces=True)


def is_damaged(result: TracksResult) -> bool:
    """What is put together of damaged chunks may be shorter than what one encode of the whole would give."""
    return bool(result.decode_errors or result.missing_seconds or not result.tracks)


def corrected(ladder: Ladder, found: dict[str, float], rates: dict[str, float], seconds: float) -> tuple[Rung, ...]:
    """The rungs that are off, with the CRF that they should have had. `found` and `rates`: VMAF and bits per second, by name.

    What its cap holds back is given no more."""
    frames = seconds * float(ladder.grid.fps)
    off = [(rung, _moved(rung, found[rung.name])) for rung in ladder.rungs if rung.name in found]
    return tuple(
        moved
        for rung, moved in off
        if moved is not None
        and (moved.crf > rung.crf or rates[rung.name] < HELD * rung.max_bitrate)
        and encode_cost(moved, frames) <= DEAREST
    )


def _moved(rung: Rung, found: float) -> Rung | None:
    if rung.vmaf is None or abs(found - rung.vmaf) <= TOLERATED:
        return None
    scale = SCALES[rung.codec]
    move = TRUSTED * (rung.vmaf - found) / slope(rung.codec, (found + rung.vmaf) / 2)
    crf = rung.crf + min(FARTHEST, max(-FARTHEST, round(move / scale.step) * scale.step))
    crf = min(scale.most, max(scale.least, crf))
    return rung.model_copy(update={"crf": crf}) if crf != rung.crf else None


def _is_better(track: Track, ladder: Ladder, before: dict[str, float]) -> bool:
    aim = next((rung.vmaf for rung in ladder.rungs if rung.name == track.name), None)
    if aim is None or track.vmaf is None:
        return False
    return abs(track.vmaf - aim) < abs(before[track.name] - aim)
