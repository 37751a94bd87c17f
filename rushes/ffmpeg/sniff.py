"""Which container a file is, from its first bytes alone. Names and declared types of uploads are never believed.

Pure. A wrong "yes" hands a file to a demuxer that was not meant for it, so every rule asks for structure, not for
one magic number; what is not recognised is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from rushes.errors import StepFailure
from rushes.ffmpeg.refusals import is_script, is_still, is_text
from rushes.ffmpeg.syncs import after_id3, is_adts, is_mp3, is_mpegps, is_mpegts

HEAD_BYTES = 65536
"""How much of a file `sniff` wants to see."""


@dataclass(frozen=True)
class Container:
    """Our name of the container and the one demuxer that ffmpeg may use on it."""

    name: str
    demuxer: str


_BY_NAME = {
    "mp4": "mov",
    "webm": "matroska",
    "mpegts": "mpegts",
    "avi": "avi",
    "flv": "flv",
    "ogg": "ogg",
    "gif": "gif",
    "mp3": "mp3",
    "wav": "wav",
    "flac": "flac",
    "aac": "aac",
    "mpegps": "mpeg",
    "asf": "asf",
}
_MP4_FIRST = frozenset(
    (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"sidx", b"moof", b"uuid")
)
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # the header object of the ASF specification, section 3.1


def sniff(head: bytes, size: int) -> Container:
    """Name the container of a file of `size` bytes that begins with `head` (HEAD_BYTES of it, or all).

    Raises StepFailure `empty_file`, `playlist_refused`, `still_image` or `not_media`.
    """
    if size == 0:
        raise StepFailure("empty_file")
    if is_script(head):
        raise StepFailure("playlist_refused")
    if is_still(head):
        raise StepFailure("still_image")
    if is_text(head):
        raise StepFailure("not_media")
    name = _signed(head) or _mp4(head, size) or _synced(head)
    if name is None:
        raise StepFailure("not_media")
    return Container(name, _BY_NAME[name])


def _signed(head: bytes) -> str | None:
    """Containers that begin with a signature of their own."""
    if head[:4] == b"\x1aE\xdf\xa3" and len(head) >= 8:
        return "webm"
    if head[:4] == b"RIFF" or head[:4] == b"RF64":
        return {b"AVI ": "avi", b"WAVE": "wav", b"AVIX": "avi"}.get(head[8:12])
    if head[:3] == b"FLV" and head[3:4] in (b"\1", b"\2") and head[5:9] == b"\0\0\0\x09":
        return "flv"
    if head[:5] == b"OggS\0" and len(head) >= 27:
        return "ogg"
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 13:
        return "gif"
    if head[:4] == b"fLaC" and head[4:8] in (b"\0\0\0\x22", b"\x80\0\0\x22"):
        return "flac"
    if head[:16] == _ASF:
        return "asf"
    return None


def _mp4(head: bytes, size: int) -> str | None:
    """Boxes from the first byte on (ISO/IEC 14496-12 section 4.2): a known kind and a size that can be."""
    at = 0
    for _ in range(4):
        box = int.from_bytes(head[at : at + 4])
        kind = head[at + 4 : at + 8]
        if kind not in _MP4_FIRST:
            return None
        if kind in (b"ftyp", b"moov", b"mdat", b"moof", b"styp"):
            return "mp4" if box in (0, 1) or (box >= 8 and not (box > size and is_text(head[at : at + 4]))) else None
        if box < 8 or at + box >= size:
            return None
        at += box
        if at + 8 > len(head):
            return "mp4"  # a long `free` or `uuid` first: its kind and size are right, the demuxer will tell
    return "mp4"


def _synced(head: bytes) -> str | None:
    """Containers that are a chain of equal headers."""
    if is_mpegts(head):
        return "mpegts"
    if is_mpegps(head):
        return "mpegps"
    start = after_id3(head)
    if start > len(head) - 16384 and start:
        return "mp3"  # the tag (a cover picture, as a rule) fills what we see; players agree that ID3 means MP3
    if is_adts(head, start):
        return "aac"
    if is_mp3(head, start):
        return "mp3"
    return "flac" if start and head[start : start + 4] == b"fLaC" else None
