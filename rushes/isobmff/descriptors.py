"""MPEG-4 descriptors: what an `esds` box says about AAC (ISO/IEC 14496-1 section 7.2.6, 14496-3 section 1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.fields import Fields

_ES, _DECODER_CONFIG, _SPECIFIC = 3, 4, 5
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}


@dataclass(frozen=True)
class AudioObject:
    """Object type indication (0x40 is AAC) and, for AAC, the audio object type, channels and rate (0: not said)."""

    indication: int
    object_type: int = 0
    channels: int = 0
    sample_rate: int = 0

    @property
    def codecs(self) -> str:
        """RFC 6381 section 3.3: `mp4a.40.2`, `mp4a.6b`."""
        suffix = f".{self.object_type}" if self.object_type else ""
        return f"mp4a.{self.indication:02x}{suffix}"


def read_esds(content: bytes) -> AudioObject:
    """`content` is the body of the box, version and flags first. Raises BoxError."""
    fields = Fields(content, 0, len(content)).skip(4)
    es = _descriptor(content, fields, _ES)
    _, flags = es.unpack("HB")
    es.skip(2 if flags & 0x80 else 0)
    if flags & 0x40:
        es.skip(es.one("B"))
    es.skip(2 if flags & 0x20 else 0)
    config = _descriptor(content, es, _DECODER_CONFIG)
    indication = config.one("B")
    config.skip(12)
    if indication != 0x40 or not config.left:
        return AudioObject(indication)
    specific = _descriptor(content, config, _SPECIFIC)
    return _audio_specific(indication, specific.raw(specific.left))


def _descriptor(content: bytes, fields: Fields, wanted: int) -> Fields:
    tag = fields.one("B")
    if tag != wanted:
        raise BoxError(f"descriptor {wanted} expected in 'esds', {tag} found")
    size = 0
    for _ in range(4):
        byte = fields.one("B")
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    start = fields.at
    fields.skip(size)
    return Fields(content, start, start + size)


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content)
        self._left = len(content) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise BoxError("the AudioSpecificConfig is too short")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1


def _audio_specific(indication: int, content: bytes) -> AudioObject:
    bits = _Bits(content[:16])
    object_type = bits.take(5)
    if object_type == 31:
        object_type = 32 + bits.take(6)
    index = bits.take(4)
    rate = bits.take(24) if index == 15 else (_RATES[index] if index < len(_RATES) else 0)
    return AudioObject(indication, object_type, _CHANNELS.get(bits.take(4), 0), rate)
