"""Which engine hears what is said, and what an engine gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from rushes.engine.gpu import Wish
from rushes.engine.job import ToolSettings
from rushes.enrichment.voice import Sound
from rushes.enrichment.words import Word
from rushes.facts import AudioFacts
from rushes.model import Skipped
from rushes.noun import Reason

RATE = 16_000
"""Samples a second that every engine takes."""
DRAFT_LIMIT = 600.0
"""Seconds of sound up to which a draft is made: it costs up to half of real time on one core."""
MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")
"""What a directory needs to be a model that faster-whisper can load offline."""


@dataclass(frozen=True)
class Speech:
    """What was heard. Times are seconds from the start of the sound; words in order."""

    language: str | None
    """BCP-47, or none where nothing was said."""
    words: tuple[Word, ...]


class Engine(Protocol):
    """Hears speech. `name` goes to the record; words of an engine that is not `trusted` are a draft."""

    name: str
    trusted: bool

    def hear(self, sound: Sound, progress: Callable[[float], None]) -> Speech:
        """Words of mono sound at RATE. Calls `progress` with 0..1 at least every few seconds of work."""
        ...


def select(tools: ToolSettings, audio: AudioFacts, seconds: float) -> Engine | Skipped:
    """The best engine that is configured and fits; else the reason why there is none. Nothing is ever downloaded."""
    if tools.whisper_model:
        return _whisper(Path(tools.whisper_model), audio.language, tools.gpu)
    if not tools.speech_draft:
        return _skipped("no_model", "No speech model is configured and drafts are switched off.")
    return _draft(audio.language, seconds)


def _whisper(model: Path, language: str | None, gpu: Wish) -> Engine | Skipped:
    # A directory without its tokenizer would make the library fetch one from the network.
    missing = [name for name in MODEL_FILES if not (model / name).is_file()]
    if missing:
        return _skipped("no_model", f"The configured speech model {model.name!r} lacks {', '.join(missing)}.")
    if find_spec("faster_whisper") is None:
        return _skipped("no_engine", "The package faster-whisper is not installed (extra `speech`).")
    from rushes.enrichment.whisper import Whisper

    return Whisper(model, language, gpu)


def _draft(language: str | None, seconds: float) -> Engine | Skipped:
    if language and language.split("-")[0].lower() not in ("en", "und"):
        return _skipped("no_model", f"No speech model is configured, and the draft engine does not know {language!r}.")
    if seconds > DRAFT_LIMIT:
        return _skipped("no_model", "No speech model is configured, and the sound is too long for the draft engine.")
    if find_spec("pocketsphinx") is None:
        return _skipped("no_model", "No speech model is configured, and the draft engine is not installed.")
    from rushes.enrichment.draft import Draft

    return Draft()


def _skipped(code: str, message: str) -> Skipped:
    return Skipped(reason=Reason(code=code, message=message))
