"""The rung that is the source itself: decided by its index at the probe, cut from it when the other rungs are there."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

from rushes.engine.job import Job
from rushes.facts import SourceFacts
from rushes.isobmff.boxes import BoxError, Data
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.nal import configuration, is_idr, sifted
from rushes.isobmff.subsamples import ranges_of
from rushes.model import TracksResult
from rushes.plan import Ladder, Plan
from rushes.profiles import Profile
from rushes.storage.workspace import Workspace
from rushes.transcoder.cuts import CutError
from rushes.transcoder.delivery import Delivery
from rushes.transcoder.reuse import may_be, on_grid, with_reuse

MAX_SAMPLES = 1_000_000
"""As in `passthrough`: what has more is encoded."""


def planned(plan: Plan, path: Path, facts: SourceFacts, profile: Profile) -> Plan:
    """The plan, with the source as its top rung where it is a good one."""
    if may_be(facts, profile, plan) is None:
        return plan
    try:
        with _picture(path) as (track, _):
            return with_reuse(plan, track, facts, profile)
    except (BoxError, CutError, ValueError):
        return plan


def copied(job: Job, workspace: Workspace) -> TracksResult | None:
    """The source's pictures as the track of the only rung of the param `ladder`. None where it has to be encoded after all:
    the other rungs, made of the same pictures, found damage or another number of them."""
    ladder = Ladder.model_validate(job.params["ladder"])
    grid, rung = ladder.grid, ladder.rungs[0]
    others = [result for result in job.inputs.values() if isinstance(result, TracksResult)]
    try:
        with _picture(workspace.source(job)) as (track, data):
            track = on_grid(track, grid)
            check(track, data, grid.starts, sealed=job.profile.outputs.protection == "cbcs")
            if not others or _frames(others, grid.frame_ticks) != len(track.samples):
                return None
            sift = partial(sifted, known=configuration(track.sample_entry))
            made = Delivery(job, workspace).publish(rung.name, track, data, grid.starts, fps=grid.fps, sift=sift)
    except (BoxError, CutError, ValueError):
        return None
    return TracksResult(tracks=(made,), decoded_seconds=made.duration)


def check(track: MovieTrack, data: Data, starts: tuple[int, ...], *, sealed: bool) -> None:
    """Segments begin with pictures after which nothing refers to what was before, and the sample entry is that of all of them.
    `sealed`: their slices will be encrypted, so all headers have to be such as we can read. Before anything is uploaded.
    Raises CutError, BoxError."""
    known = configuration(track.sample_entry)
    ranges = ranges_of(track.sample_entry) if sealed else None
    if starts[-1] >= len(track.samples) or not all(is_idr(data, track.samples[at], known.length) for at in starts):
        raise CutError("a segment does not begin with an IDR picture")
    for start, end in pairwise([*starts, len(track.samples)]):
        content, samples = sifted(data, track.samples[start:end], known)
        if ranges:
            for sample in samples:
                ranges(content[sample.position : sample.position + sample.size])


def _frames(others: list[TracksResult], frame_ticks: int) -> int | None:
    """How many pictures another rung has, all chunks together; None where the decoder complained about any."""
    if any(result.decode_errors or result.missing_seconds for result in others):
        return None
    names = [track.name for track in others[0].tracks]
    tracks = [track for result in others for track in result.tracks if track.name in names[:1]]
    return sum(track.ticks for track in tracks) // frame_ticks


@contextmanager
def _picture(path: Path) -> Iterator[tuple[MovieTrack, mmap.mmap]]:
    """The only picture track, and the file it is in. Raises BoxError, CutError, ValueError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = [track for track in read_movie(data, MAX_SAMPLES) if track.handler == "vide" and track.samples]
        if len(found) != 1 or not found[0].codecs.startswith("avc1."):
            raise CutError("there is not exactly one H.264 track")
        yield found[0], data
