"""Step `remux`: the fast lane. A standard source is cut into segments as it is, so that it plays before any encode.

No tool is asked: the index of an MP4 file says where its pictures lie, and they are copied from there (docs/decisions). The
step runs beside the probe, or before it, and judges by the index alone; what only a decoder can say (pixel format, size,
interlacing) the graph asks of the probe's facts before a build is made of this.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from rushes.engine.job import Job
from rushes.engine.shortfall import missing_seconds
from rushes.engine.standard import not_standard
from rushes.errors import StepFailure
from rushes.ffmpeg.orientation import orientation
from rushes.ffmpeg.sniff import HEAD_BYTES, sniff
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.nal import configuration, sifted
from rushes.isobmff.sample_entry import HDR, transfer_of
from rushes.isobmff.segmenter import starts_at
from rushes.model import Skipped, TracksResult
from rushes.noun import Reason
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder.cuts import CutError, packed, shown_at, sync_starts
from rushes.transcoder.delivery import Delivery, Movie
from rushes.transcoder.peek import why_not

MAX_OFFSET = 0.1
"""Seconds by which the sound may begin after the picture; more needs an encode."""
MAX_PRIMING = 0.2
"""Seconds of sound that the edit list may hide at the start; more is a cut of somebody's, which not all players follow."""
SHORTEST_AAC = 0.009
"""Seconds: 960 samples at the highest rate, 96 kHz, are 10 ms."""
MAX_AAC_BYTES = 8191
"""Of one frame: ADTS has 13 bits for it (ISO/IEC 14496-3 section 1.A.2.2). The 768 bytes a channel of the decoder's buffer
are no bound in practice: encoders exceed them now and then."""
MAX_SAMPLES = 1_000_000
"""Pictures and sound frames of a source: three hours. A list of them takes 0.25 GB."""
_ONE = 0x10000


def run(job: Job, workspace: Workspace) -> TracksResult | Skipped:
    """Track `source` and, if there is sound, `source-audio`; provisional. Whatever is unusual skips the step: the
    encode that runs anyway handles it."""
    reason = not_standard(job.facts) if job.facts else None
    reason = reason or why_not(workspace.store, job.source.key, job.source.size)
    if reason:
        return _skipped(reason)
    try:
        return TracksResult(tracks=_remux(job, workspace), provisional=True)
    except (BoxError, CutError, ValueError) as error:
        return _skipped(str(error))


def _skipped(reason: str) -> Skipped:
    return Skipped(reason=Reason(code="not_standard", message=f"Not delivered as it is: {reason}."))


def _remux(job: Job, workspace: Workspace) -> tuple[Track, ...]:
    path = workspace.source(job)
    _check_container(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        movie = Movie(data, tuple(read_movie(data, MAX_SAMPLES)))
        picture, sound = picture_of(movie.tracks), _sound_of(movie)
        return _tracks(Delivery(job, workspace), movie, picture, sound)


def _check_container(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        name = sniff(head, path.stat().st_size).name
    except StepFailure as failure:
        raise CutError(failure.message.rstrip(".")) from failure
    if name != "mp4":
        raise CutError(f"the container is {name}")


def picture_of(tracks: Sequence[MovieTrack]) -> MovieTrack:
    """The only picture track. Which one of several is meant, the encode finds out. Nor is it for a copy where players would
    believe of shape or range what the probe does not. Raises CutError."""
    found = [track for track in tracks if track.handler == "vide" and track.samples]
    if len(found) != 1:
        raise CutError(f"there are {len(found)} picture tracks")
    if not found[0].codecs.startswith("avc1."):
        raise CutError(f"the video codec is {found[0].codecs or 'unknown'}")
    if found[0].sar[0] != found[0].sar[1]:
        raise CutError("the pixels are not square")
    if transfer_of(found[0].sample_entry) in HDR:
        raise CutError("the picture is HDR")
    return found[0]


def _sound_of(movie: Movie) -> MovieTrack | None:
    """The only sound that browsers play; phones put a spatial one beside it, in a codec of their own."""
    found = [track for track in movie.tracks if track.handler == "soun" and track.samples]
    plain = [track for track in found if track.codecs == "mp4a.40.2"]
    if found and len(plain) != 1:
        raise CutError(f"there are {len(found)} sound tracks, {len(plain)} of them AAC-LC")
    return plain[0] if plain else None


def _tracks(delivery: Delivery, movie: Movie, video: MovieTrack, audio: MovieTrack | None) -> tuple[Track, ...]:
    """Nothing is uploaded before both tracks were looked at."""
    check_start(video)
    check_end(video)
    rotation = turned(video)
    if audio is not None:
        check_start(audio)
        check_sound(audio)
    starts = packed(sync_starts(video), video)
    picture = delivery.publish(
        "source",
        video,
        movie.data,
        starts,
        start_ticks=shown_after_zero(video),
        fps=Fraction(len(video.samples) * video.timescale, video.ticks).limit_denominator(1001),
        rotation=rotation,
        matrix=video.matrix,
        sift=partial(sifted, known=configuration(video.sample_entry)),
    )
    if audio is None:
        return (picture,)
    audio = until(audio, picture.start_ticks / picture.timescale + picture.duration)
    cuts = starts_at(audio, shown_at(video, starts))
    start = shown_after_zero(audio)
    sound = delivery.publish("source-audio", audio, movie.data, cuts, start_ticks=start, default=True)
    return picture, sound


def turned(track: MovieTrack) -> int:
    """Degrees clockwise. Raises CutError for a matrix that does more than that."""
    a, b, _, c, d, *_ = track.matrix
    if sorted((abs(a), abs(b), abs(c), abs(d))) != [0, 0, _ONE, _ONE]:
        raise CutError("the picture is turned or stretched in an unusual way")
    rotation, flip = orientation(track.matrix)
    if flip:
        raise CutError("the picture is mirrored")
    return rotation


def check_start(track: MovieTrack) -> None:
    """A simple edit list only, and nothing that is decoded but not shown: without it players would differ.

    Sound may have priming. Raises CutError.
    """
    if track.edits > 1:
        raise CutError("the edit list has several edits")
    if track.delay > MAX_OFFSET:
        raise CutError(f"a track begins {float(track.delay):.2f} s late")
    if track.handler == "vide" and track.first_pts < track.media_time:
        raise CutError("the edit list hides the first pictures")
    if track.first_pts - track.media_time > MAX_OFFSET * track.timescale:
        raise CutError("the first picture comes late" if track.handler == "vide" else "the first sound comes late")
    if track.handler == "soun" and track.media_time - track.samples[0].dts > MAX_PRIMING * track.timescale:
        raise CutError("the edit list hides the beginning of the sound")


def check_end(track: MovieTrack) -> None:
    """The pictures end where the edit list says. Raises CutError."""
    if track.shown is None:
        return
    there = Fraction(track.first_pts + track.ticks - track.media_time, track.timescale)
    missing = missing_seconds(float(track.shown), float(there))
    if missing:
        raise CutError(f"{missing:.1f} s are missing at the end")
    frame = Fraction(track.ticks, track.timescale * len(track.samples))
    if there - track.shown > MAX_OFFSET + frame:
        raise CutError("the edit list hides the last pictures")  # a copy would show what the creator has cut off


def check_sound(track: MovieTrack) -> None:
    """Frames of equal length that an encoder could have made; a broken index or a cut by edit lists makes others, which
    are heard as noise or not at all. Raises CutError."""
    lengths = sorted(sample.duration for sample in track.samples[:-1])
    usual = lengths[len(lengths) // 2] if lengths else 0
    if lengths and usual < SHORTEST_AAC * track.timescale:
        raise CutError("the frames of the sound are too short")
    if any(not 0.5 * usual <= length <= usual + MAX_OFFSET * track.timescale for length in lengths):
        raise CutError("the frames of the sound do not follow each other")
    if any(not 0 < sample.size <= MAX_AAC_BYTES for sample in track.samples):
        raise CutError("the frames of the sound have impossible sizes")


def until(track: MovieTrack, seconds: float) -> MovieTrack:
    """The sound without the frames that begin after the picture's end (docs/decisions/0002-duration-rule.md)."""
    end = seconds * track.timescale + track.media_time
    return replace(track, samples=[sample for sample in track.samples if sample.dts < end] or track.samples[:1])


def shown_after_zero(track: MovieTrack) -> int:
    """Ticks after the asset's time zero at which the first picture is shown, or the sound begins behind its priming."""
    return round(track.delay * track.timescale) + max(0, track.first_pts - track.media_time)
