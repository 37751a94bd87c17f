"""Which of a source's audio streams are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rushes.facts import AudioFacts

MOST_TRIED = 3
"""Streams of one language that are tried before it is given up."""


def kept_audio(streams: Sequence[AudioFacts], limit: int) -> tuple[AudioFacts, ...]:
    """One stream of each language, at most `limit`: the default one (else the first) leads, then in file order.

    A file that does not name languages has one sound with variants, such as camera microphones: one is kept. Commentaries,
    descriptions for the blind and tracks without a single packet only where there is nothing else.
    """
    kept: dict[str | None, AudioFacts] = {}
    for stream in _by_worth(streams):
        kept.setdefault(stream.language, stream)
    if any(_is_main(stream) for stream in kept.values()):
        kept = {language: stream for language, stream in kept.items() if _is_main(stream)}
    return tuple(kept.values())[: max(0, limit)]


def alternatives(stream: AudioFacts, streams: Sequence[AudioFacts]) -> list[AudioFacts]:
    """The stream itself, then others of its language, in the order in which they are tried."""
    others = [
        other for other in _by_worth(streams) if other.language == stream.language and other.index != stream.index
    ]
    return [stream, *others][:MOST_TRIED]


def _by_worth(streams: Sequence[AudioFacts]) -> list[AudioFacts]:
    return sorted(streams, key=lambda stream: (not _is_main(stream), not stream.default, stream.index))


def _is_main(stream: AudioFacts) -> bool:
    return not stream.secondary and not stream.empty


def track_name(position: int, stream: AudioFacts) -> str:
    """`audio` for the first, `audio-de` for the others; only letters, digits and dashes, since it becomes a path."""
    if position == 0:
        return "audio"
    tag = re.sub(r"[^a-z0-9]+", "-", (stream.language or "und").lower()).strip("-")[:20]
    return f"audio-{tag or 'und'}"
