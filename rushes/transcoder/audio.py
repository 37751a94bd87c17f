"""Step `audio`: each kept language once and whole, in each codec, beginning and ending with the picture, at one loudness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from rushes.engine.clip import clip_start, shown
from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.ffmpeg.door import Door
from rushes.isobmff.segmenter import starts_at
from rushes.model import Skipped, TracksResult
from rushes.noun import Reason
from rushes.plan import Grid
from rushes.profiles import AudioCodec, AudioTargets
from rushes.storage.workspace import Workspace
from rushes.tracks import Loudness, Track
from rushes.transcoder import verify
from rushes.transcoder.cuts import every
from rushes.transcoder.delivery import Delivery, open_movie
from rushes.transcoder.grid import plan_grid
from rushes.transcoder.inputs import Input, input_of
from rushes.transcoder.languages import alternatives, track_name
from rushes.transcoder.loudness import Level, corrected, level_for, read_loudness
from rushes.transcoder.reading import read_source
from rushes.transcoder.sound import Samples, audio_args, measure_args, silence_args

NO_AUDIO = Reason(code="no_audio", message="The source has no sound.")
UNREADABLE = Reason(
    code="audio_unreadable", message="The sound of this video could not be decoded; it is published silent."
)
MEASURING = 0.3
"""Share of a track's progress that the measurement is."""


def run(job: Job, workspace: Workspace) -> TracksResult | Skipped:
    """Params: `grid`, whose segments the sound's follow (none: the one that the facts give); `duration`, seconds of picture
    that the sound is fitted to (docs/decisions/0002-duration-rule.md), not counting its held first frame where it begins
    late; none: what the source declares.

    A stream that cannot be decoded gives way to another one of its language; a language without any is left out; if
    none is left the step is skipped, since a picture without its sound is better than no video. Where the profile wants
    silence instead, a silent track is made.
    """
    source = input_of(job, workspace)
    facts = shown(source.facts, job.options)
    asked: float | None = job.params.get("duration")
    seconds = verify.lead_seconds(facts) + asked if asked else verify.declared_seconds(facts)
    mixing = _Mixing(Delivery(job, workspace), source, _grid(job, facts), seconds)
    tracks = list(mixing.tracks())
    if not tracks and job.profile.audio.silence:
        tracks = list(mixing.silence())
    if not tracks:
        return Skipped(reason=UNREADABLE if source.audio else NO_AUDIO)
    return TracksResult(tracks=tuple(tracks), decoded_seconds=seconds)


def _grid(job: Job, facts: SourceFacts) -> Grid:
    planned = job.params.get("grid")
    if planned is not None:
        return Grid.model_validate(planned)
    if facts.video is None:
        raise StepFailure("no_video_stream")
    return plan_grid(facts.video, job.profile.video)


@dataclass(frozen=True)
class _Mixing:
    """The sound of one source, and where it goes."""

    delivery: Delivery
    source: Input
    grid: Grid
    seconds: float
    """Of what is delivered: a clip's, where one is asked for."""

    codec: AudioCodec = "aac"

    @property
    def targets(self) -> AudioTargets:
        return self.delivery.job.profile.audio.only(self.codec)

    @property
    def samples(self) -> Samples:
        rate = self.targets.sample_rate
        first = clip_start(self.delivery.job.options, self.grid.fps)
        return Samples(max(1, round(self.seconds * rate)), first=round(first * rate))

    def tracks(self) -> Iterator[Track]:
        made = 0
        for kept in self.source.audio:
            for stream in alternatives(kept, self.source.facts.audio):
                tracks = list(self._tracks(made, stream))
                if tracks:
                    made += 1
                    yield from tracks
                    break

    def silence(self) -> Iterator[Track]:
        for twin in self._twins():
            name = twin._name("audio")
            output = self._output(name)
            arguments = silence_args(twin.targets, twin.samples, output)
            Door(self.delivery.workspace.tools).run(arguments, writes=output.parent)
            yield twin._publish(name, output, default=True)

    def _twins(self) -> list[_Mixing]:
        """The same in each codec of the profile."""
        return [replace(self, codec=codec) for codec in self.delivery.job.profile.audio.codecs]

    def _name(self, name: str) -> str:
        return name if self.codec == "aac" else f"{name}-{self.codec}"

    def _tracks(self, position: int, stream: AudioFacts) -> Iterator[Track]:
        """The stream in each codec, at one level; none where not one sound frame could be decoded."""
        loudness, level = self._level(stream)
        said = loudness and loudness.model_copy(update={"gain": level.gain, "limited": level.ceiling is not None})
        for twin in self._twins():
            name = twin._name(track_name(position, stream))
            output = twin._encode(name, stream, level)
            if output is None:
                return
            yield twin._publish(name, output, language=stream.language, default=position == 0, loudness=said)

    def _level(self, stream: AudioFacts) -> tuple[Loudness | None, Level]:
        """What was measured of the source, and what is done to it; a second look where a limiter takes loudness away."""
        if self.targets.loudness is None:
            return None, level_for(None, self.targets, stream.channels)
        found = self._measure(stream, Level())
        level = level_for(found, self.targets, stream.channels)
        if found is None or level.ceiling is None:
            return found, level
        return found, corrected(level, self._measure(stream, level), self.targets)

    def _measure(self, stream: AudioFacts, level: Level) -> Loudness | None:
        """None where nothing can be decoded: the encode then finds out why."""
        workspace = self.delivery.workspace
        finished = Door(workspace.tools).run(
            measure_args(self.source, stream, self.targets, self.samples, level),
            reads=[self.source.path],
            duration=self.seconds,
            progress=lambda done: workspace.progress(done * MEASURING),
            check=False,
        )
        return read_loudness(finished.stderr) if finished.returncode == 0 else None

    def _encode(self, name: str, stream: AudioFacts, level: Level) -> Path | None:
        output, workspace = self._output(name), self.delivery.workspace
        arguments = audio_args(self.source, stream, self.targets, self.samples, level, output)
        try:
            read_source(
                Door(workspace.tools),
                arguments,
                self.source,
                stream.index,
                writes=output.parent,
                report=(self.seconds, lambda done: workspace.progress(MEASURING + (1 - MEASURING) * done)),
            )
        except StepFailure as failure:
            if failure.blame is not Blame.PERMANENT:
                raise
            return None
        return output

    def _output(self, name: str) -> Path:
        folder = self.delivery.workspace.scratch / name
        folder.mkdir(exist_ok=True)
        return folder / "audio.mp4"

    def _publish(self, name: str, output: Path, **more: object) -> Track:
        with open_movie(output) as movie:
            track = movie.need("soun")
            verify.check_audio(track, self.seconds)
            return self.delivery.publish(name, track, movie.data, starts_at(track, self._cuts()), **more)

    def _cuts(self) -> list[Fraction]:
        """Seconds at which segments of the picture begin."""
        if not self.grid.starts:
            return every(self.grid.segment_seconds, self.seconds)
        times = [start / self.grid.fps for start in self.grid.starts]
        return [time for time in times if time < self.seconds] or [Fraction(0)]
