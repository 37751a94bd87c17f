"""Which of a source's audio streams are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rushes.facts import AudioFacts


def kept_audio(streams: Sequence[AudioFacts], limit: int) -> tuple[AudioFacts, ...]:
    """One stream of each language, at most `limit`: the default one (else the first) leads, then in file order.

    A file that does not name languages has one sound with variants, such as camera microphones: one is kept.
    """
    kept: dict[str | None, AudioFacts] = {}
    for stream in sorted(streams, key=lambda stream: (not stream.default, stream.index)):
        kept.setdefault(stream.language, stream)
    return tuple(kept.values())[: max(0, limit)]


def track_name(position: int, stream: AudioFacts) -> str:
    """`audio` for the first, `audio-de` for the others; only letters, digits and dashes, since it becomes a path."""
    if position == 0:
        return "audio"
    tag = re.sub(r"[^a-z0-9]+", "-", (stream.language or "und").lower()).strip("-")[:20]
    return f"audio-{tag or 'und'}"
