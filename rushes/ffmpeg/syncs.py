"""Formats without a signature: a header that repeats at the distance it announces. Pure."""

from __future__ import annotations

from collections.abc import Callable

_BITRATES = {  # kbit/s by (MPEG-1?, layer), ISO/IEC 11172-3 section 2.4.2.3 and 13818-3
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
_PACKETS = 5
"""So many TS packets in a row have to begin with the sync byte; by chance one file in 10^12 does so."""


def after_id3(head: bytes) -> int:
    """Where the sound begins behind an ID3v2 tag (id3.org, ID3v2.4.0 section 3.1); 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10 or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def is_mp3(head: bytes, start: int, frames: int = 4) -> bool:
    """Whether `frames` MPEG audio frames follow each other from `start` (fewer if the file ends before)."""
    return _follow(head, start, frames, _mp3_frame)


def is_adts(head: bytes, start: int, frames: int = 4) -> bool:
    """Whether `frames` AAC frames with ADTS headers follow each other (ISO/IEC 13818-7 section 6.2)."""
    return _follow(head, start, frames, _adts_frame)


def is_mpegts(head: bytes) -> bool:
    """Whether sync bytes repeat every 188 bytes (192 with the M2TS prefix, 204 with parity), from any start."""
    return any(_ts_start(head, distance) for distance in (188, 192, 204))


def is_mpegps(head: bytes) -> bool:
    """A pack header and, behind it, another start code (ISO/IEC 13818-1 section 2.5.3.3)."""
    if head[:4] != b"\0\0\1\xba" or len(head) < 14:
        return False
    if head[4] & 0xC4 == 0x44:  # MPEG-2
        at = 14 + (head[13] & 7)
    elif head[4] & 0xF1 == 0x21:  # MPEG-1
        at = 12
    else:
        return False
    return head[at : at + 3] == b"\0\0\1" and len(head) > at + 3 and head[at + 3] >= 0xBA


def _follow(head: bytes, start: int, frames: int, size_of: Callable[[bytes], int]) -> bool:
    for _ in range(frames):
        size = size_of(head[start : start + 8])
        if size == 0:
            return False
        start += size
    return True


def _mp3_frame(header: bytes) -> int:
    """Size of the frame, 0 where this is no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sample_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index in (0, 15) or sample_index == 3:
        return 0
    bitrate = _BITRATES[version == 3, layer][rate_index - 1] * 1000
    rate = _RATES[sample_index] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 1:
        return (12 * bitrate // rate + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bitrate // rate + padding


def _adts_frame(header: bytes) -> int:
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size if size > 7 else 0


def _ts_start(head: bytes, distance: int) -> bool:
    return any(
        all(head[start + n * distance : start + n * distance + 1] == b"\x47" for n in range(_PACKETS))
        and len({head[start + n * distance + 1 : start + n * distance + 4] for n in range(_PACKETS)}) > 1
        for start in range(distance)
    )
