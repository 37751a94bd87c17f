"""What a step of this room works on: the source, its facts, and the streams of it that are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.ffmpeg.argv import input_args
from rushes.states import StepKind
from rushes.storage.workspace import Workspace
from rushes.transcoder.languages import kept_audio
from rushes.transcoder.watermark import Mark

SHARED_ZERO = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats whose timestamps jump: ffmpeg takes the first stream *in use* for time zero. So all commands use the same."""

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True)
class Input:
    """A source and the streams of it that together define its time zero."""

    path: Path
    facts: SourceFacts
    audio: tuple[AudioFacts, ...] = ()
    """The streams that are kept, the leading one first."""
    mark: Mark | None = None
    """What is laid on the picture."""

    @property
    def opened(self) -> list[str]:
        """ffmpeg's arguments that open it to decode its picture. Its own decoders of VP8 and VP9 leave transparency out."""
        video = self.facts.video
        seen = _WITH_ALPHA.get(video.codec) if video is not None and video.pix_fmt.startswith("yuva") else None
        return [*(["-c:v", seen] if seen else []), *input_args(self.path, self.facts.demuxer)]

    @property
    def files(self) -> list[Path]:
        """What a command that makes pictures of it reads."""
        return [self.path, *([self.mark.path] if self.mark else [])]

    def companions(self, used: int) -> list[int]:
        """Streams that a command which uses stream `used` has to read too, so that its time zero is that of the others."""
        if self.facts.demuxer not in SHARED_ZERO or self.facts.video is None:
            return []
        streams = [self.facts.video.index, *(stream.index for stream in self.audio if stream.sample_rate > 0)]
        return [index for index in streams if index != used]


def input_of(job: Job, workspace: Workspace, path: Path | None = None) -> Input:
    """`path`: a file that stands in for the source."""
    facts = facts_of(job)
    audio = kept_audio(facts.audio, job.profile.audio.tracks)
    return Input(path or workspace.source(job), facts, audio, _mark(job, workspace))


def _mark(job: Job, workspace: Workspace) -> Mark | None:
    """Only encodes lay it on."""
    wanted = job.options.watermark
    if wanted is None or job.kind not in (StepKind.ENCODE, StepKind.CORRECT):
        return None
    return Mark(workspace.store.localize(wanted.key, workspace.scratch), wanted)


def facts_of(job: Job) -> SourceFacts:
    """The probe's facts, without which the graph starts no step of this room."""
    if job.facts is None:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"{job.key} was started before the probe")
    return job.facts
