"""What a step of this room works on: the source, its facts, and the streams of it that are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.storage.workspace import Workspace
from rushes.transcoder.languages import kept_audio

SHARED_ZERO = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats whose timestamps jump: ffmpeg takes the first stream *in use* for time zero. So all commands use the same."""


@dataclass(frozen=True)
class Input:
    """A source and the streams of it that together define its time zero."""

    path: Path
    facts: SourceFacts
    audio: tuple[AudioFacts, ...] = ()
    """The streams that are kept, the leading one first."""

    def companions(self, used: int) -> list[int]:
        """Streams that a command which uses stream `used` has to read too, so that its time zero is that of the others."""
        if self.facts.demuxer not in SHARED_ZERO or self.facts.video is None:
            return []
        streams = [self.facts.video.index, *(stream.index for stream in self.audio if stream.sample_rate > 0)]
        return [index for index in streams if index != used]


def input_of(job: Job, workspace: Workspace) -> Input:
    facts = facts_of(job)
    return Input(workspace.source(job), facts, kept_audio(facts.audio, job.profile.audio.tracks))


def facts_of(job: Job) -> SourceFacts:
    """The probe's facts, without which the graph starts no step of this room."""
    if job.facts is None:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"{job.key} was started before the probe")
    return job.facts
