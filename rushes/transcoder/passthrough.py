"""Step `remux`: the fast lane. A standard source is cut into segments as it is, so that it plays before any encode."""

from __future__ import annotations

from dataclasses import replace

from rushes.engine.job import Job
from rushes.engine.standard import not_standard
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.door import Door
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.segmenter import starts_at
from rushes.model import Skipped, Track, TracksResult
from rushes.noun import Reason
from rushes.storage.workspace import Workspace
from rushes.transcoder.command import remux_args
from rushes.transcoder.cuts import CutError, shown_at, sync_starts
from rushes.transcoder.delivery import Delivery, Movie, open_movie
from rushes.transcoder.inputs import Input, facts_of, input_of
from rushes.transcoder.verify import declared_seconds, missing_seconds

MAX_OFFSET = 0.1
"""Seconds by which the sound may begin after the picture; more needs an encode."""
SHORTEST_AAC = 0.009
"""Seconds: 960 samples at the highest rate, 96 kHz, are 10 ms."""
MAX_AAC_BYTES = 8191
"""Of one frame: ADTS has 13 bits for it (ISO/IEC 14496-3 section 1.A.2.2). The 768 bytes a channel of the decoder's buffer
are no bound in practice: encoders exceed them now and then."""


def run(job: Job, workspace: Workspace) -> TracksResult | Skipped:
    """Track `source` and, if there is sound, `source-audio`; provisional. Whatever is unusual skips the step: the
    encode that runs anyway handles it."""
    reason = not_standard(facts_of(job))
    if reason:
        return _skipped(reason)
    try:
        return TracksResult(tracks=_remux(job, workspace), provisional=True)
    except (BoxError, CutError) as error:
        return _skipped(str(error))
    except StepFailure as failure:
        if failure.blame is Blame.PERMANENT or failure.code == "verify_failed":
            return _skipped(failure.detail or failure.message)
        raise


def _skipped(reason: str) -> Skipped:
    return Skipped(reason=Reason(code="not_standard", message=f"Not delivered as it is: {reason}."))


def _remux(job: Job, workspace: Workspace) -> tuple[Track, ...]:
    source = input_of(job, workspace)
    output = workspace.scratch / "remuxed" / "source.mp4"
    output.parent.mkdir()
    Door(workspace.tools).run(
        remux_args(source, output), reads=[source.path], writes=output.parent, progress=lambda done: None
    )
    with open_movie(output) as movie:
        return _tracks(Delivery(job, workspace), source, movie)


def _tracks(delivery: Delivery, source: Input, movie: Movie) -> tuple[Track, ...]:
    facts = source.facts.video
    video, audio = movie.first("vide"), movie.first("soun")
    if video is None or facts is None or not video.samples:
        raise CutError("the copy has no picture")
    check_start(video)
    starts = sync_starts(video)
    missing = missing_seconds(declared_seconds(source.facts), video.ticks / video.timescale)
    if missing:
        raise CutError(f"{missing:.1f} s are missing at the end")
    if video.ticks / video.timescale - declared_seconds(source.facts) > MAX_OFFSET + 1 / facts.fps:
        raise CutError("the edit list hides the last pictures")  # a copy would show what the creator has cut off
    picture = delivery.publish(
        "source",
        video,
        movie.data,
        starts,
        start_ticks=shown_after_zero(video),
        fps=facts.fps,
        rotation=facts.rotation,
        matrix=video.matrix,
    )
    if audio is None or not audio.samples:
        return (picture,)
    check_start(audio)
    check_sound(audio)
    audio = until(audio, picture.start_ticks / picture.timescale + picture.duration)
    cuts = starts_at(audio, shown_at(video, starts))
    sound = delivery.publish(
        "source-audio",
        audio,
        movie.data,
        cuts,
        start_ticks=max(0, round(audio.delay * audio.timescale)),
        language=source.audio[0].language,
        default=True,
    )
    return picture, sound


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
    """Ticks after the asset's time zero at which the first picture is shown."""
    return round(track.delay * track.timescale) + track.first_pts - track.media_time
