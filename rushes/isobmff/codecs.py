"""Codec strings, read from the real sample entry (RFC 6381; ISO/IEC 14496-15 annex E; AV1-ISOBMFF section 5)."""

from __future__ import annotations

from collections.abc import Callable

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.descriptors import read_esds
from rushes.isobmff.fields import Fields


def _avc(kind: str, content: bytes) -> str:
    _, profile, constraints, level = Fields(content, 0, len(content)).unpack("4B")
    return f"{kind}.{profile:02x}{constraints:02x}{level:02x}"


def _hevc(kind: str, content: bytes) -> str:
    fields = Fields(content, 0, len(content)).skip(1)
    profile, compatibility = fields.unpack("BI")
    constraints, level = fields.raw(6).rstrip(b"\0"), fields.one("B")
    space = ("", "A", "B", "C")[profile >> 6]
    tier = "H" if profile & 0x20 else "L"
    reversed_bits = int(f"{compatibility:032b}"[::-1], 2)
    parts = [kind, f"{space}{profile & 0x1F}", f"{reversed_bits:X}", f"{tier}{level}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def _av1(kind: str, content: bytes) -> str:
    _, profile_level, depth = Fields(content, 0, len(content)).unpack("3B")
    tier = "H" if depth & 0x80 else "M"
    bits = (12 if depth & 0x20 else 10) if depth & 0x40 else 8
    return f"{kind}.{profile_level >> 5}.{profile_level & 0x1F:02d}{tier}.{bits:02d}"


def _vp9(kind: str, content: bytes) -> str:
    profile, level, depth = Fields(content, 0, len(content)).skip(4).unpack("3B")
    return f"{kind}.{profile:02d}.{level:02d}.{depth >> 4:02d}"


def _mp4a(kind: str, content: bytes) -> str:
    return read_esds(content).codecs


CONFIGURATION: dict[str, tuple[str, Callable[[str, bytes], str]]] = {
    "avc1": ("avcC", _avc),
    "avc3": ("avcC", _avc),
    "hvc1": ("hvcC", _hevc),
    "hev1": ("hvcC", _hevc),
    "av01": ("av1C", _av1),
    "vp09": ("vpcC", _vp9),
    "mp4a": ("esds", _mp4a),
}
"""Sample entry -> the box that configures its decoder, and how to read it."""

_USUAL_COLOURS = (1, 1, 1, 0)
"""Primaries, transfer, matrix (ITU-T H.273) and full range that a string without them stands for: BT.709, limited."""
_PLAIN = {"Opus": "opus", "fLaC": "fLaC", "ac-3": "ac-3", "ec-3": "ec-3", "wvtt": "wvtt"}


def codecs_of(kind: str, content: bytes | None, colour: bytes | None = None) -> str:
    """The codec string of a sample entry `kind`, given the content of its configuration box, and of its `colr` box.

    Empty for formats that have none (`tmcd`, `apac`). Raises BoxError when the configuration is missing or broken.
    """
    if kind not in CONFIGURATION:
        return _PLAIN.get(kind, "")
    name, reader = CONFIGURATION[kind]
    if content is None:
        raise BoxError(f"sample entry {kind!r} has no {name!r}")
    return reader(kind, content) + (_av1_colours(content, colour) if kind == "av01" else "")


def _av1_colours(content: bytes, colour: bytes | None) -> str:
    """The optional end of the string: all of it or nothing (AV1-ISOBMFF section 5). Without it HDR would be announced as BT.709."""
    if colour is None or colour[:4] != b"nclx":
        return ""
    primaries, transfer, matrix, full = Fields(colour, 4, len(colour)).unpack("3HB")
    if (primaries, transfer, matrix, full >> 7) == _USUAL_COLOURS:
        return ""
    depth = content[2]
    sampling = f"{depth >> 3 & 1}{depth >> 2 & 1}{depth & 3 if depth & 12 == 12 else 0}"
    return f".{depth >> 4 & 1}.{sampling}.{primaries:02d}.{transfer:02d}.{matrix:02d}.{full >> 7}"
