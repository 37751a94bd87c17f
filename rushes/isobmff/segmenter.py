"""Cutting a track into CMAF segments at given samples. Pure: bytes in, bytes out; nothing is encoded again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import overload

from rushes.isobmff.boxes import BoxError, Data
from rushes.isobmff.init_segment import init_segment
from rushes.isobmff.media_segment import media_segment
from rushes.isobmff.movie import IDENTITY, Matrix, MovieTrack
from rushes.isobmff.samples import Sample

Sift = Callable[[Data, list[Sample]], tuple[Data, list[Sample]]]
"""Takes parts out of the samples of a segment: gives what is left, and where it lies. Their times stay."""


@dataclass(frozen=True)
class CutSegment:
    """One segment: its bytes, its length in ticks, the bytes up to the end of its first sample."""

    data: bytes
    ticks: int
    keyframe_size: int


class CutSegments(Sequence[CutSegment]):
    """The segments in order, each built when it is asked for, so that a long file never lies in memory whole.

    The data given to `cut` (a mapped file) has to stay open while they are read.
    """

    def __init__(self, data: Data, groups: list[list[Sample]], sift: Sift | None = None) -> None:
        self._data = data
        self._groups = groups
        self._sift = sift

    def sifted(self, sift: Sift | None) -> CutSegments:
        """The same segments with parts of their samples taken out."""
        return CutSegments(self._data, self._groups, sift)

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, index: int) -> CutSegment: ...
    @overload
    def __getitem__(self, index: slice) -> list[CutSegment]: ...
    def __getitem__(self, index: int | slice) -> CutSegment | list[CutSegment]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        samples = self._groups[number]
        data, samples = self._sift(self._data, samples) if self._sift else (self._data, samples)
        content, keyframe_size = media_segment(data, samples, number + 1)
        return CutSegment(content, sum(sample.duration for sample in samples), keyframe_size)


@dataclass(frozen=True)
class CutTrack:
    init: bytes
    timescale: int
    codecs: str
    width: int
    height: int
    channels: int
    sample_rate: int
    segments: CutSegments


def cut(
    track: MovieTrack,
    data: Data,
    starts: Sequence[int],
    *,
    first_ticks: int = 0,
    matrix: Matrix = IDENTITY,
    reorder: int | None = None,
) -> CutTrack:
    """Cut a picture or sound track before the samples `starts` (indices, the first is 0).

    Pictures: each segment's tfdt is exactly when its first picture is seen, the first one of all at `first_ticks`
    (ticks of the track's timescale). Decode times are the segment's presentation times in order; so that no offset
    is negative all of them are raised by `reorder` ticks and the init's edit list takes these off again. None: as
    many as the track needs; give a number where several cuts must share one init. `matrix` is for a track that
    keeps its rotation (`track.matrix` of the source).

    Sound: the init's edit list cuts the priming off, and the first sample to be heard is heard at `first_ticks`.

    Both are edit lists as CMAF's brand `cmfc` restricts them. Signed offsets without one (`cmf2`) would be shorter,
    but ffmpeg shows such a track late by its largest negative offset.

    Raises BoxError where the cuts are impossible: no samples, indices out of order, a segment that does not begin
    with a sync sample or has pictures that are seen outside it (an open GOP), more reordering than `reorder`.
    """
    groups = _groups(track, starts)
    if track.handler == "vide":
        groups, media_time = _raised(_timed_pictures(groups, first_ticks), reorder)
    else:
        media_time = max(0, track.media_time - track.samples[0].dts)
        groups = _timed_sound(groups, first_ticks)
    _check_widths(groups)
    return CutTrack(
        init_segment(track, media_time=media_time, matrix=matrix),
        track.timescale,
        track.codecs,
        track.width,
        track.height,
        track.channels,
        track.sample_rate,
        CutSegments(data, groups),
    )


def closed_starts(track: MovieTrack) -> list[int]:
    """Indices of the sync samples at which a picture track may be cut: all before are seen earlier, all after later."""
    found: list[int] = []
    seen_later = _minima_from_the_end(track.samples)
    latest = None
    for index, sample in enumerate(track.samples):
        if sample.sync and seen_later[index] == sample.pts and (latest is None or latest < sample.pts):
            found.append(index)
        latest = sample.pts if latest is None else max(latest, sample.pts)
    return found


def starts_at(track: MovieTrack, times: Sequence[Fraction]) -> list[int]:
    """Indices of the sound samples at which to cut so that segments begin at, or right after, `times`.

    Times are seconds of presentation, ascending, the first is 0; those past the end are left out. Priming goes with
    the first segment.
    """
    heard = [sample.dts - track.media_time for sample in track.samples]
    indices = [0] + [bisect_left(heard, time * track.timescale) for time in times[1:]]
    return sorted({index for index in indices if index < len(heard)})


def _minima_from_the_end(samples: Sequence[Sample]) -> list[int]:
    minima: list[int] = []
    for sample in reversed(samples):
        minima.append(min(sample.pts, minima[-1]) if minima else sample.pts)
    return minima[::-1]


def _groups(track: MovieTrack, starts: Sequence[int]) -> list[list[Sample]]:
    samples = track.samples
    if track.handler not in ("vide", "soun") or not samples:
        raise BoxError(f"track {track.id} ({track.handler!r}) has no samples to cut")
    bounds = [*starts, len(samples)]
    if bounds[0] != 0 or any(a >= b for a, b in pairwise(bounds)):
        raise BoxError("segments have to begin at ascending samples, the first at 0")
    return [samples[a:b] for a, b in pairwise(bounds)]


def _timed_pictures(groups: list[list[Sample]], first_ticks: int) -> list[list[Sample]]:
    zero = groups[0][0].pts - first_ticks
    starts = [group[0].pts for group in groups]
    end = max(sample.pts + sample.duration for sample in groups[-1])
    timed = []
    for number, (group, following) in enumerate(zip(groups, [*starts[1:], end], strict=True), 1):
        times = sorted(sample.pts for sample in group)
        if not group[0].sync or times[0] != group[0].pts or times[-1] >= following:
            raise BoxError(f"segment {number} is not a closed group of pictures")
        timed.append(list(_on_times(group, [*times, following], zero)))
    return timed


def _raised(groups: list[list[Sample]], reorder: int | None) -> tuple[list[list[Sample]], int]:
    """Offsets raised until none is negative, and by how many ticks."""
    needed = max(0, -min(sample.offset for group in groups for sample in group))
    if reorder is not None and reorder < needed:
        raise BoxError(f"pictures are reordered over {needed} ticks; {reorder} were allowed")
    raise_by = needed if reorder is None else reorder
    if not raise_by:
        return groups, 0
    return [[sample._replace(offset=sample.offset + raise_by) for sample in group] for group in groups], raise_by


def _check_widths(groups: list[list[Sample]]) -> None:
    """The fields of `trun` have 32 bits, that of `tfdt` 64."""
    for sample in (sample for group in groups for sample in group):
        if sample.duration >> 32 or not -(1 << 31) <= sample.offset < 1 << 31 or sample.dts >> 63:
            raise BoxError(f"sample times too far apart: {sample}")


def _on_times(group: list[Sample], times: list[int], zero: int) -> Iterator[Sample]:
    for sample, time, following in zip(group, times, times[1:], strict=False):
        yield sample._replace(dts=time - zero, offset=sample.pts - time, duration=following - time)


def _timed_sound(groups: list[list[Sample]], first_ticks: int) -> list[list[Sample]]:
    """Durations are the distances between decode times, so that a gap in the source does not shift what follows."""
    zero = groups[0][0].dts - first_ticks
    flat = [sample for group in groups for sample in group]
    ends = [sample.dts for sample in flat[1:]] + [flat[-1].dts + flat[-1].duration]
    if any(end < sample.dts for sample, end in zip(flat, ends, strict=True)):
        raise BoxError("decode times go backwards")
    timed = iter(
        sample._replace(dts=sample.dts - zero, offset=0, duration=end - sample.dts)
        for sample, end in zip(flat, ends, strict=True)
    )
    return [[next(timed) for _ in group] for group in groups]
