"""The part of a remote source that a stretch needs, as a local file with holes."""

from __future__ import annotations

import mmap
from fractions import Fraction

from rushes.engine.job import Job
from rushes.facts import SourceFacts
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.part import Window, part, read_index
from rushes.storage.names import local_name
from rushes.storage.sparse import SparseCopy
from rushes.storage.store import OnDisk
from rushes.storage.workspace import Workspace
from rushes.transcoder.stretch import Stretch

WORTH = 0.7
"""Share of the source's bytes from which on all of it is fetched: by then the rest costs less than another try."""
SMALLEST = 8 * 2**20
"""Bytes of a source that is not worth the requests."""


def fetch_part(job: Job, workspace: Workspace, stretch: Stretch) -> SparseCopy | None:
    """None where the source has to be there whole, or is: its container has no index that is read here, nearly all of it is
    needed, or it is a file already. What the reader finds in the holes are zeros, which it complains about."""
    facts = job.facts
    if facts is None or facts.video is None or facts.demuxer != "mov" or not facts.indexed:
        return None
    if isinstance(workspace.store, OnDisk) or job.source.size < SMALLEST or stretch.is_whole:
        return None
    copy = SparseCopy(workspace.store, job.source.key, workspace.scratch / f"part-{local_name(job.source.key)}")
    try:
        spans = _spans(copy, facts.video.index, _window(facts, stretch))
    except (BoxError, ValueError):
        spans = None
    if spans is None or sum(map(len, spans)) > WORTH * copy.size:
        copy.path.unlink()
        return None
    copy.fetch(spans)
    return copy


def _window(facts: SourceFacts, stretch: Stretch) -> Window:
    starts = [stream.start for stream in facts.audio] + ([facts.video.start] if facts.video else [])
    stop = None if stretch.frames is None else (stretch.first + stretch.frames + 1) / stretch.grid.fps
    return Window(Fraction(min(starts)), stretch.seek or Fraction(0), stop)


def _spans(copy: SparseCopy, track: int, window: Window) -> list[range]:
    """Of the media. The rest of the file is fetched to find out, and the copy has it then."""
    with copy.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        moov = read_index(data, copy.size, lambda span: copy.fetch([span]))
        return part(data, moov, track, window)
