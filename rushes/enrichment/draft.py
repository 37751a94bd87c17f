"""An English draft by PocketSphinx, whose model comes with its package: keywords, tests and demos, never captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pocketsphinx import Decoder, Vad

from rushes.enrichment.speech import RATE, Speech
from rushes.enrichment.voice import FRAME, Sound, Span, frames, loudness, spans
from rushes.enrichment.words import Word

_STRICTNESS = 2
"""Of WebRTC's voice detector, 0..3."""
_FEWEST = 3
_PACE = 1.0
_SURE = 0.28


class Draft:
    """Hears English badly, and says so: `trusted` is false."""

    name = "pocketsphinx/en-us"
    trusted = False

    def hear(self, sound: Sound, progress: Callable[[float], None]) -> Speech:
        decoder = Decoder(samprate=RATE, loglevel="FATAL")
        found = list(_voiced(sound))
        words: list[Word] = []
        for number, span in enumerate(found, 1):
            guess = _decode(decoder, sound, span)
            words += guess if is_speech(guess, span.seconds) else []
            progress(number / len(found))
        return Speech("en" if words else None, tuple(words))


def is_speech(words: Sequence[Word], seconds: float) -> bool:
    """Whether these words can be what was said in a stretch of that many seconds, rather than music or noise.

    The posterior of one word says little (right words get 0.01 in reverberant speech), so a stretch is judged as a
    whole: noise gives few words for its length, or hardly any sure ones.
    """
    if len(words) < _FEWEST or len(words) / max(seconds, FRAME) < _PACE:
        return False
    return sum(word.probability for word in words) / len(words) >= _SURE


def _voiced(sound: Sound) -> list[Span]:
    detector = Vad(mode=_STRICTNESS, sample_rate=RATE, frame_length=FRAME)
    active = [bool(detector.is_speech(frame.tobytes())) for frame in frames(sound, RATE)]
    return spans(active, loudness(sound, RATE).tolist())


def _decode(decoder: Decoder, sound: Sound, span: Span) -> list[Word]:
    part = np.ascontiguousarray(sound[round(span.start * RATE) : round(span.end * RATE)])
    decoder.start_utt()
    decoder.process_raw(part.tobytes(), full_utt=True)  # whole, so that the cepstral mean is the stretch's own
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [word for one in decoder.seg() if (word := _word(one, span.start))]


def _word(segment: Any, offset: float) -> Word | None:  # noqa: ANN401 - pocketsphinx ships no types
    """None for markers such as `<sil>`, `</s>` and `[NOISE]`."""
    if segment.word[:1] in "<[+":
        return None
    return Word(
        text=re.sub(r"\(\d+\)$", "", segment.word),
        start=round(offset + segment.start_frame / 100, 3),
        end=round(offset + (segment.end_frame + 1) / 100, 3),
        probability=round(min(1.0, float(segment.prob)), 3),
        trusted=False,
    )
