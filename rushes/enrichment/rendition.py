"""Pictures out of a rung that we encoded ourselves: upright, SDR, square pixels, every segment begins with a keyframe."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from math import floor
from pathlib import Path

import numpy as np

from rushes.engine.job import Job
from rushes.enrichment.picture import Picture
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.door import Door
from rushes.model import PackageResult
from rushes.storage import rendition
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

_IN_A_ROW = 24


def rungs(job: Job) -> list[Track]:
    """The video tracks that this job was given, the largest first. Raises StepFailure when there are none."""
    videos = rendition.footage(job.inputs.values())
    if not videos:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"{job.key} was started without a complete build")
    return sorted(videos, key=pixels, reverse=True)


def pixels(track: Track) -> int:
    width, height = size(track)
    return width * height


def size(track: Track) -> tuple[int, int]:
    """Width and height; a video track always has them."""
    return track.width or 0, track.height or 0


def fps(track: Track) -> Fraction:
    """Pictures per second; a track of ours has a constant rate. Raises StepFailure for one without."""
    if not track.fps:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"the track {track.name!r} has no frame rate")
    return track.fps


def segment_seconds(track: Track) -> float:
    """Length of the longest segment."""
    return max(segment.ticks for segment in track.segments) / track.timescale


def span(track: Track) -> tuple[float, float]:
    """When the track's first picture is shown and its last one ends, in seconds."""
    start = track.start_ticks / track.timescale
    return start, start + track.duration


def whole(job: Job) -> Fraction:
    """Seconds until the last picture or sound of the build ends; a sound may go on."""
    tracks = (track for result in job.inputs.values() if isinstance(result, PackageResult) for track in result.tracks)
    return max(Fraction(track.start_ticks + track.ticks, track.timescale) for track in tracks)


def snap(track: Track, times: Iterable[float], *, keyframes: bool = False) -> list[float]:
    """For each time that of the picture which is shown then, or with `keyframes` of the nearest start of a segment."""
    start, end = span(track)
    if keyframes:
        starts = [ticks / track.timescale for ticks in _segment_starts(track)]
        return [min(starts, key=lambda one: abs(one - time)) for time in times]
    rate = fps(track)
    last = max(0, round((end - start) * rate) - 1)
    return [start + min(last, max(0, floor((time - start) * rate + 1e-6))) / rate for time in times]


def holding(track: Track, times: Iterable[float]) -> list[int]:
    """Indices, ascending, of the segments in which these times lie; a time outside counts for the nearest one."""
    starts = _segment_starts(track)
    # A picture's time is a sum of floats, so it may fall a hair before the segment that it begins.
    return sorted({max(0, bisect_right(starts, time * track.timescale + 0.5) - 1) for time in times})


def assemble(track: Track, workspace: Workspace, segments: Sequence[int] | None = None) -> Path:
    """A scratch MP4 of the track's init and the segments of these indices (None: all), with their times unchanged.

    Raises ObjectMissing where a segment is gone.
    """
    chosen = track.segments if segments is None else tuple(track.segments[index] for index in segments)
    folder = Path(tempfile.mkdtemp(prefix="rung-", dir=workspace.scratch))
    return rendition.assemble(track.model_copy(update={"segments": chosen}), workspace.store, folder)


def pictures(
    track: Track, workspace: Workspace, times: Sequence[float], shape: tuple[int, int], *, keyframes: bool = False
) -> list[tuple[float, Picture]]:
    """(time, picture) for each of the ascending `times`, of `shape` (width, height) in pixels.

    Only the segments in which the times lie are fetched, in one run of ffmpeg. With `keyframes` the first picture of
    the nearest segment is given and nothing else decoded, which is a twentieth of the work. Raises StepFailure.
    """
    exact = snap(track, times, keyframes=keyframes)
    wanted = sorted(set(exact))
    path = assemble(track, workspace, holding(track, wanted))
    found = _decode(path, workspace, arguments(path, wanted, shape, float(fps(track)), keyframes=keyframes), shape)
    # Fewer pictures than asked for (a segment that lost its end): the last one stands in for the rest.
    place = {time: min(number, len(found) - 1) for number, time in enumerate(wanted)}
    return [(time, found[place[time]]) for time in exact]


def arguments(path: Path, times: Sequence[float], shape: tuple[int, int], rate: float, *, keyframes: bool) -> list[str]:
    """ffmpeg's arguments for the pictures shown at exactly these times, as raw RGB on its standard output.

    `-copyts` keeps the track's own times in a file from whose middle segments are missing. A rung that is the source itself
    may not say its matrix; `-colorspace` is what it then has, as players take it.
    """
    half = 0.5 / rate
    chosen = _any_of([f"between(t,{time - half:.6f},{time + half:.6f})" for time in times])
    chain = f"select='{chosen}',scale={shape[0]}:{shape[1]}:flags=area,setsar=1,format=rgb24"
    return [
        *("-copyts",),
        *(("-skip_frame", "nokey") if keyframes else ()),
        *("-colorspace", "bt709"),
        *input_args(path, "mov"),
        *("-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-frames:v", str(len(times))),
        *("-f", "rawvideo", "pipe:1"),
    ]


def _any_of(terms: Sequence[str]) -> str:
    """A sum in brackets: ffmpeg 9 takes an expression of more than 100 terms in a row for one that needs too much memory."""
    groups = [terms[at : at + _IN_A_ROW] for at in range(0, len(terms), _IN_A_ROW)]
    return "+".join(f"({'+'.join(group)})" for group in groups)


def _decode(path: Path, workspace: Workspace, args: list[str], shape: tuple[int, int]) -> Sequence[Picture]:
    data = bytearray()
    Door(workspace.tools).run(args, reads=[path], stdout=data.extend)
    width, height = shape
    found = np.frombuffer(data, np.uint8)[: len(data) // (width * height * 3) * width * height * 3]
    if not len(found):
        raise StepFailure("no_decodable_frames", Blame.TRANSIENT, detail=f"no picture in {path.name}")
    return list(found.reshape(-1, height, width, 3))


def _segment_starts(track: Track) -> list[int]:
    """In ticks."""
    return list(accumulate((segment.ticks for segment in track.segments), initial=track.start_ticks))[:-1]
