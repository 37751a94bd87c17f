"""Step `transcript`: what is said, as WebVTT for players and as JSON for search."""

from __future__ import annotations

import json
from dataclasses import asdict

from rushes import keys
from rushes.engine.clip import shown
from rushes.engine.job import Job
from rushes.enrichment import vtt
from rushes.enrichment.cues import build, style
from rushes.enrichment.speech import RATE, Engine, Speech, select
from rushes.enrichment.voice import Sound, is_silent
from rushes.errors import Blame, StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.frames import read_pcm
from rushes.model import Cue, Skipped, TranscriptResult
from rushes.noun import Reason
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace

TEXT = "transcript.vtt"
DATA = "transcript.json"
_SILENCE = Speech(None, ())


def run(job: Job, workspace: Workspace) -> TranscriptResult | Skipped:
    """Skipped where there is no sound or no engine for it; no cues where nothing is said.

    Raises StepFailure where the sound cannot be decoded.
    """
    facts = job.facts
    if facts is None:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"{job.key} was started before the probe")
    stream = spoken(facts.audio)
    if stream is None:
        return Skipped(reason=Reason(code="no_audio", message="The source has no sound."))
    heard = shown(facts, job.options)
    engine = select(workspace.tools, stream, min(heard.duration, stream.duration or heard.duration))
    if isinstance(engine, Skipped):
        return engine
    speech = _hear(engine, _sound(job, workspace, facts, stream), workspace)
    return _publish(job, workspace, engine, speech)


def spoken(audio: tuple[AudioFacts, ...]) -> AudioFacts | None:
    """The stream that a player would choose: the default one, else the first."""
    return next((stream for stream in audio if stream.default), audio[0] if audio else None)


def document(engine: Engine, speech: Speech, cues: list[Cue]) -> bytes:
    """The transcript as JSON: language, engine, cues, and the words with times and probabilities."""
    content = {
        "language": speech.language,
        "engine": engine.name,
        "trusted": engine.trusted,
        "cues": [cue.model_dump() for cue in cues],
        "words": [asdict(word) for word in speech.words],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _sound(job: Job, workspace: Workspace, facts: SourceFacts, stream: AudioFacts) -> Sound:
    """Of a clip, only its own stretch."""
    source = workspace.source(job)
    sound = read_pcm(Door(workspace.tools), source, facts.demuxer, stream=stream.index, rate=RATE)
    clip = job.options.clip
    if clip is None:
        return sound
    return sound[round(clip.start * RATE) : None if clip.end is None else round(clip.end * RATE)]


def _hear(engine: Engine, sound: Sound, workspace: Workspace) -> Speech:
    """Silence is not given to an engine: it is where they invent most."""
    return _SILENCE if is_silent(sound, RATE) else engine.hear(sound, workspace.progress)


def _publish(job: Job, workspace: Workspace, engine: Engine, speech: Speech) -> TranscriptResult:
    facts = shown(job.facts, job.options) if job.facts else None
    video = facts.video if facts else None
    looks = style(video.display_size, float(video.fps)) if video else style(None)
    cues = build(speech.words, looks, facts.duration if facts else 0.0)
    prefix = keys.artifact_prefix(job.asset, job.recipe, job.fence)
    workspace.publish_bytes(prefix + TEXT, vtt.write(cues).encode(), content_type(TEXT))
    workspace.publish_bytes(prefix + DATA, document(engine, speech, cues), content_type(DATA))
    return TranscriptResult(
        language=speech.language,
        engine=engine.name,
        trusted=engine.trusted,
        cues=tuple(cues),
        vtt_key=prefix + TEXT,
        json_key=prefix + DATA,
    )
