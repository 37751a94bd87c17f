"""What the first bytes of an upload say of it, and whether it is hopeless by them. Pure.

Only what is certain refuses: nothing is refused here that the probe of the whole file would take. That holds for the
first 64 KiB, which are all that the probe's own `sniff` looks at, for a movie's index that is there whole, and for kinds
of files that have no picture at all. Movies are known by their first 8 KiB, and so is that bytes are nothing that we know.
"""

from __future__ import annotations

import re

from rushes.errors import RushesError, StepFailure
from rushes.facts import EarlyFacts
from rushes.ffmpeg.refusals import is_text
from rushes.ffmpeg.sniff import HEAD_BYTES, sniff
from rushes.ingest.early_bytes import Look, View
from rushes.ingest.early_mp4 import look_mp4
from rushes.ingest.early_webm import look_webm
from rushes.profiles import Limits
from rushes.transcoder.limits import check_type

FIRST = 8192
"""Bytes of the first look: enough for what begins with a name of its own, or for what has no name that we know."""
SMALLEST = HEAD_BYTES
"""Bytes; an upload up to this size is complete before anything could be said of it."""
_SOUND_ONLY = frozenset({"mp3", "flac", "aac"})
_STATUS = {
    **dict.fromkeys(("not_media", "playlist_refused", "still_image", "no_video_stream"), 415),
    **dict.fromkeys(("codec_unsupported", "type_refused"), 415),
    **dict.fromkeys(("over_limit_bytes", "over_limit_duration", "over_limit_pixels", "over_limit_work"), 413),
}
_OTHERS = (b"%PDF-", b"PK\x03\x04", b"\x7fELF", b"MZ\x90\0", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08")
"""Documents, programs, archives."""
_WORDS = re.compile(rb"\w\s+\w")
"""Text that somebody wrote has more than one word."""
_HUGE = 2**62


class Hopeless(RushesError):
    """The upload is refused before its last byte, with the reason that the probe would give. Clients do not try again:
    415 for what is not the kind of file, 413 for what is too much of it, else 422."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code, message, status=_STATUS.get(code, 422))


def look(view: View, limits: Limits) -> Look:
    """What can be said by now. Takes a few milliseconds at the most, whatever the bytes are. Raises Hopeless."""
    try:
        return _look(view, limits)
    except StepFailure as failure:
        raise Hopeless(failure.code, failure.message) from failure


def _is_known(head: bytes) -> bool:
    """Whether it is something, and no video. What is nothing that we know is left to the probe: people try servers with
    whatever bytes they have."""
    return head.startswith(_OTHERS) or (is_text(head) and bool(_WORDS.search(head[:4096])))


def _look(view: View, limits: Limits) -> Look:
    size = _HUGE if view.length is None else view.length
    enough = min(HEAD_BYTES, size)
    if len(view.head) < min(FIRST, size):
        return Look(wants=min(FIRST, size))
    head = view.head[:HEAD_BYTES]
    try:
        container = sniff(head, size).name
    except StepFailure as failure:
        if failure.code == "not_media" and not _is_known(head):
            return Look()
        if len(head) < enough:
            return Look(wants=enough)  # then the reason is the probe's own
        raise
    if container in _SOUND_ONLY and len(head) < enough:
        return Look(wants=enough)
    return _inside(container, view, limits)


def _inside(container: str, view: View, limits: Limits) -> Look:
    check_type(container, limits.types)
    if container in _SOUND_ONLY:
        raise StepFailure("no_video_stream", detail=container)
    if container == "mp4":
        return look_mp4(view, limits)
    if container == "webm":
        return look_webm(view)
    return Look(EarlyFacts(container=container))
