"""Step `audio`: each kept language once and whole, as AAC-LC that begins and ends with the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.ffmpeg.door import Door
from rushes.isobmff.segmenter import starts_at
from rushes.model import Skipped, Track, TracksResult
from rushes.noun import Reason
from rushes.profiles import Profile
from rushes.storage.workspace import Workspace
from rushes.transcoder import verify
from rushes.transcoder.command import audio_args
from rushes.transcoder.cuts import every
from rushes.transcoder.delivery import Delivery, open_movie
from rushes.transcoder.grid import plan_grid
from rushes.transcoder.inputs import Input, input_of
from rushes.transcoder.languages import track_name
from rushes.transcoder.reading import read_source

NO_AUDIO = Reason(code="no_audio", message="The source has no sound.")
UNREADABLE = Reason(
    code="audio_unreadable", message="The sound of this video could not be decoded; it is published silent."
)


def run(job: Job, workspace: Workspace) -> TracksResult | Skipped:
    """Params: `duration`, seconds of picture that the sound is fitted to (docs/decisions/0002-duration-rule.md), not
    counting its held first frame where it begins late; none: what the source declares.

    A stream that cannot be decoded is left out; if none is left the step is skipped, since a picture without its
    sound is better than no video.
    """
    source = input_of(job, workspace)
    if not source.audio:
        return Skipped(reason=NO_AUDIO)
    asked: float | None = job.params.get("duration")
    seconds = verify.lead_seconds(source.facts) + asked if asked else verify.declared_seconds(source.facts)
    tracks = [
        track
        for position, stream in enumerate(source.audio)
        if (track := _track(Delivery(job, workspace), source, position, seconds))
    ]
    return TracksResult(tracks=tuple(tracks), decoded_seconds=seconds) if tracks else Skipped(reason=UNREADABLE)


def cut_interval(facts: SourceFacts, profile: Profile) -> Fraction:
    """Seconds of a segment: those of the video's grid."""
    if facts.video is None:
        return Fraction(profile.video.gop_seconds) * profile.video.segment_gops
    seconds: Fraction = plan_grid(facts.video, profile.video).segment_seconds
    return seconds


def _track(delivery: Delivery, source: Input, position: int, seconds: float) -> Track | None:
    stream = source.audio[position]
    name = track_name(position, stream)
    output = _encode(delivery, source, stream, (name, seconds))
    if output is None:
        return None
    with open_movie(output) as movie:
        track = movie.need("soun")
        verify.check_audio(track, seconds)
        starts = starts_at(track, every(cut_interval(source.facts, delivery.job.profile), seconds))
        return delivery.publish(name, track, movie.data, starts, language=stream.language, default=position == 0)


def _encode(delivery: Delivery, source: Input, stream: AudioFacts, into: tuple[str, float]) -> Path | None:
    """The encoded file, or None where not one sound frame could be decoded."""
    name, seconds = into
    targets = delivery.job.profile.audio
    output = delivery.workspace.scratch / name / "audio.mp4"
    output.parent.mkdir()
    arguments = audio_args(source, stream, targets, max(1, round(seconds * targets.sample_rate)), output)
    try:
        report = (seconds, delivery.workspace.progress)
        read_source(
            Door(delivery.workspace.tools), arguments, source, stream.index, writes=output.parent, report=report
        )
    except StepFailure as failure:
        if failure.blame is not Blame.PERMANENT:
            raise
        return None
    return output
