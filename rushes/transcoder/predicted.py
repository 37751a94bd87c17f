"""The CODECS of a rung that nobody has encoded yet, as its encoder will write them. Pure.

Players choose by this text before they have seen a byte, and it has to be the very one of the sample entry.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from rushes.plan import Rung
from rushes.transcoder.encoders import SLOWEST_REORDERED

_H264 = (
    (10, 1485, 99, 396, 64, 175),
    (11, 3000, 396, 900, 192, 500),
    (12, 6000, 396, 2376, 384, 1000),
    (13, 11880, 396, 2376, 768, 2000),
    (20, 11880, 396, 2376, 2000, 2000),
    (21, 19800, 792, 4752, 4000, 4000),
    (22, 20250, 1620, 8100, 4000, 4000),
    (30, 40500, 1620, 8100, 10000, 10000),
    (31, 108000, 3600, 18000, 14000, 14000),
    (32, 216000, 5120, 20480, 20000, 20000),
    (40, 245760, 8192, 32768, 20000, 25000),
    (41, 245760, 8192, 32768, 50000, 62500),
    (42, 522240, 8704, 34816, 50000, 62500),
    (50, 589824, 22080, 110400, 135000, 135000),
    (51, 983040, 36864, 184320, 240000, 240000),
    (52, 2073600, 36864, 184320, 240000, 240000),
    (60, 4177920, 139264, 696320, 240000, 240000),
)
"""ITU-T H.264 table A-1: level times ten, macroblocks a second, of a picture, of the picture buffer, kbit/s, kbit of the
encoder's buffer."""
_HIGH = Fraction(5, 4)
"""Times the table's rates in the High profile (table A-2)."""
_FEWEST = 4
"""Pictures that x264 keeps where B pictures refer to each other, whatever its preset asks for."""
_REFERENCES = {
    **{"superfast": 1, "veryfast": 1, "faster": 2, "fast": 2},
    **{"medium": 3, "slow": 5, "slower": 8, "veryslow": 16},
}
"""By preset, of those that write the High profile."""
_AV1 = (
    (0, 512, 288, 30, 4),
    (1, 704, 396, 30, 4),
    (4, 1088, 612, 30, 4),
    (5, 1376, 774, 30, 4),
    (8, 2048, 1152, 30, 3),
    (9, 2048, 1152, 60, 3),
    (12, 4096, 2176, 30, 2),
    (13, 4096, 2176, 60, 2),
    (14, 4096, 2176, 120, 2),
)
"""As SVT-AV1 takes them (AV1 specification, annex A.3): level index, width, height, pictures a second, and how many times its
width or height a picture may have."""


def codecs_of(rung: Rung, fps: Fraction) -> str | None:
    """None where we do not know what the encoder does: then it has to be seen first."""
    if rung.codec == "h264" and rung.preset in _REFERENCES:
        level = _h264_level(rung, fps)
        return f"avc1.6400{level:02x}" if level else None
    if rung.codec == "av1" and not rung.hdr:
        index = _av1_level(rung, fps)
        return None if index is None else f"av01.0.{index:02d}M.08"
    return None


def _h264_level(rung: Rung, fps: Fraction) -> int | None:
    """The lowest that allows all of it, as x264 takes it."""
    wide, high = ceil(rung.width / 16), ceil(rung.height / 16)
    blocks = wide * high
    fewest = _FEWEST if fps >= SLOWEST_REORDERED else 1
    pictures = max(_REFERENCES[rung.preset], fewest)
    for level, speed, size, buffer, rate, bits in _H264:
        fits = blocks <= size and max(wide, high) ** 2 <= 8 * size and blocks * pictures <= buffer
        fits = fits and int(blocks * fps) <= speed
        if fits and rung.max_bitrate // 1000 <= int(rate * _HIGH) and rung.buffer_bits // 1000 <= int(bits * _HIGH):
            return level
    return None


def _av1_level(rung: Rung, fps: Fraction) -> int | None:
    pixels = rung.width * rung.height
    for index, width, height, speed, times in _AV1:
        most = width * height
        fits = pixels <= most and rung.width <= times * width and rung.height <= times * height
        if fits and pixels * fps <= most * speed:
            return index
    return None
