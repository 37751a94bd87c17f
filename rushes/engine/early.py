"""The probe of an upload that is not complete yet: what it is shown, and what may be concluded from it. Pure.

It is shown the boxes of an MP4 file and its first samples; the rest, samples all of it, reads as zeros. Nothing that a
probe says depends on the later samples, so its facts are those of the whole file, unless other bytes come in the end:
they count only for a source in which the same bytes lie at the same places.
"""

from __future__ import annotations

import hashlib

from rushes.facts import EarlyFacts, SourceFacts
from rushes.noun import Noun

EARLY_PROBE = "probe.early"
"""Key of the step."""
_OF_THE_TOOL = frozenset(f"over_limit_{what}" for what in ("memory", "time", "cpu", "processes"))
_CERTAIN = frozenset({"encrypted", "codec_unsupported", "no_video_stream", "type_refused", "dolby_vision_unsupported"})


class Pieces(Noun):
    """The first `head` and the last `tail` bytes of a file of `length`; both together have the hash."""

    length: int
    head: int
    tail: int = 0
    sha256: str

    @classmethod
    def of(cls, head: bytes, tail: bytes, length: int) -> Pieces:
        return cls(length=length, head=len(head), tail=len(tail), sha256=digest(head, tail))


def digest(head: bytes, tail: bytes) -> str:
    """Hexadecimal SHA-256 of one after the other."""
    value = hashlib.sha256(head)
    value.update(tail)
    return value.hexdigest()


def is_certain(code: str) -> bool:
    """Whether a probe that fails so with most samples missing fails so with all of them there.

    That it is broken, or that no picture can be decoded, does not follow: what is missing may be to blame.
    """
    limits = code.startswith("over_limit_") and code not in _OF_THE_TOOL
    return limits or code in _CERTAIN


def early_facts(facts: SourceFacts) -> EarlyFacts:
    """What is shown of a probe's facts before the upload is complete."""
    video = facts.video
    audio = next((stream for stream in facts.audio if stream.default), facts.audio[0] if facts.audio else None)
    shown = EarlyFacts(container=facts.container, duration=facts.duration, audio_codec=audio.codec if audio else None)
    if video is None:
        return shown
    picture = {"width": video.width, "height": video.height, "rotation": video.rotation, "video_codec": video.codec}
    return shown.model_copy(update=picture)
