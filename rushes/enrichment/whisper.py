"""Speech recognition by Whisper through faster-whisper (CTranslate2), from a local model only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2 import get_cuda_device_count, set_random_seed  # type: ignore[import-untyped]  # ships no types
from faster_whisper import WhisperModel
from faster_whisper.vad import get_speech_timestamps

from rushes.engine.gpu import Wish, device
from rushes.enrichment.doubt import Heard, credible
from rushes.enrichment.speech import RATE, Speech
from rushes.enrichment.voice import Sound
from rushes.enrichment.words import Word, spread
from rushes.errors import Blame, StepFailure

THREADS = 4
"""Fixed: sums in another order give other bits, and a result must not depend on what else the machine does."""
SEED = 1
"""Whisper samples where its first guess is a loop; fixed, so that the same sound gives the same words."""
_UNSURE = 0.4
"""A word that the model gives less than this is not trusted when its neighbours are."""


class Whisper:
    """A loaded model. Raises ValueError or RuntimeError (from CTranslate2) when the directory holds no usable model."""

    trusted = True

    def __init__(self, model: Path, language: str | None = None, gpu: Wish = "off") -> None:
        self.name = f"faster-whisper/{model.name}"
        set_random_seed(SEED)  # taken by the model's threads when they start, never again
        self._model = _loaded(model, gpu)
        self._language = _known(self._model, language)

    def hear(self, sound: Sound, progress: Callable[[float], None]) -> Speech:
        # The order of defences: voice activity first (silence is where phrases are invented), no carried-over text
        # (loops feed on it), silence inside words, then our own judgement on what is left.
        samples = sound.astype(np.float32) / 32768
        if not get_speech_timestamps(samples):  # the library finds no language in nothing
            return Speech(None, ())
        segments, info = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=5,
            temperature=[0.0, 0.4, 0.8],
            vad_filter=True,
            condition_on_previous_text=False,
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
            no_speech_threshold=0.6,
            log_prob_threshold=-1.0,
        )
        seconds = len(sound) / RATE
        heard = _watched(segments, seconds, progress)
        words = _inside((word for segment, sure in _credible(heard) for word in _words(segment, sure)), seconds)
        return Speech(info.language if words else None, tuple(words))


def _loaded(model: Path, gpu: Wish) -> WhisperModel:
    """Where a GPU is there and its libraries are not, a wish falls back to the processor and a demand fails. Raises StepFailure
    `gpu_missing`."""
    if device(gpu, usable=get_cuda_device_count() > 0) == "cuda":
        try:
            return _tried(WhisperModel(str(model), device="cuda", compute_type="float16", local_files_only=True))
        except RuntimeError as error:
            if gpu == "required":
                raise StepFailure("gpu_missing", Blame.RESOURCE, detail=str(error)) from error
    return WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=THREADS, local_files_only=True)


def _tried(model: WhisperModel) -> WhisperModel:
    """Half a minute of silence: CUDA's libraries are looked for when they are first used. Raises RuntimeError."""
    made = model.feature_extractor
    model.encode(np.zeros((made.mel_filters.shape[0], made.nb_max_frames), np.float32))
    return model


def _known(model: WhisperModel, language: str | None) -> str | None:
    """The language as the model calls it; none lets it find out."""
    short = (language or "").split("-")[0].lower()
    return short if short in model.supported_languages else None


def _watched(segments: Iterable[Any], seconds: float, progress: Callable[[float], None]) -> list[Any]:
    """The generator does the work as it is read."""
    heard = []
    for segment in segments:
        heard.append(segment)
        progress(min(1.0, segment.end / seconds) if seconds else 1.0)
    return heard


def _credible(segments: list[Any]) -> list[tuple[Any, bool]]:
    heard = [Heard(one.text, one.start, one.end, one.no_speech_prob, one.avg_logprob) for one in segments]
    verdicts = zip(segments, credible(heard), strict=True)
    return [(segment, sure) for segment, sure in verdicts if sure is not None]


def _inside(words: Iterable[Word], seconds: float) -> list[Word]:
    """Words within the sound: a window is padded to 30 s, and a model that is lost hears words in the padding."""
    return [replace(word, end=min(word.end, seconds)) for word in words if word.start < seconds]


def _words(segment: Any, sure: bool) -> list[Word]:  # noqa: ANN401 - faster-whisper ships no types
    if not segment.words:
        return spread(segment.text, segment.start, segment.end, trusted=sure)
    weak = sum(word.probability < _UNSURE for word in segment.words) > len(segment.words) / 2
    trusted = sure and not weak
    return [
        Word(
            text,
            float(one.start),
            float(one.end),
            round(float(one.probability), 3),
            trusted,
            not one.word[:1].isspace(),
        )
        for one in segment.words
        if (text := _printable(one.word))
    ]


def _printable(text: str) -> str:
    """Without the control characters and halves of characters that a lost model writes."""
    return "".join(letter for letter in text if letter.isprintable() and letter != "\ufffd").strip()
