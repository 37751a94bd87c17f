from __future__ import annotations

from struct import pack

import pytest

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.codecs import codecs_of
from rushes.isobmff.descriptors import read_esds

ESDS = bytes(4) + bytes([3, 22, 0, 1, 0, 4, 17, 0x40, 0x15]) + bytes(11) + bytes([5, 2])
# HEVC Main, compatible with Main and Main 10, main tier, level 3.1, progressive and frame-only
HVCC = bytes([1, 0x01, 0x60, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 93])


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("avc1", bytes([1, 0x64, 0x00, 0x1F, 0xFF]), "avc1.64001f"),
        ("avc1", bytes([1, 0x42, 0xC0, 0x0D, 0xFF]), "avc1.42c00d"),
        ("hvc1", HVCC, "hvc1.1.6.L93.B0"),
        ("av01", bytes([0x81, 0x08, 0x4C, 0]), "av01.0.08M.10"),
        ("av01", bytes([0x81, 0x04, 0x0C, 0]), "av01.0.04M.08"),
        ("vp09", bytes(4) + bytes([0, 31, 0x82]), "vp09.00.31.08"),
        ("mp4a", ESDS + bytes([0x11, 0x90]), "mp4a.40.2"),
        ("mp4a", ESDS + bytes([0x2B, 0x11]), "mp4a.40.5"),
        ("Opus", None, "opus"),
        ("tmcd", None, ""),
    ],
)
def test_codec_strings(kind: str, content: bytes | None, expected: str) -> None:
    assert codecs_of(kind, content) == expected


@pytest.mark.parametrize(
    ("colour", "end"),
    [
        (b"nclx" + pack(">3HB", 9, 16, 9, 0), ".0.111.09.16.09.0"),
        (b"nclx" + pack(">3HB", 9, 18, 9, 0x80), ".0.111.09.18.09.1"),
        (b"nclx" + pack(">3HB", 1, 1, 1, 0), ""),
        (b"prof" + bytes(7), ""),
        (None, ""),
    ],
)
def test_av1_says_its_colours_where_they_are_not_the_usual_ones(colour: bytes | None, end: str) -> None:
    assert codecs_of("av01", bytes([0x81, 0x08, 0x4D, 0]), colour) == f"av01.0.08M.10{end}"


@pytest.mark.parametrize(
    ("kind", "content"), [("avc1", None), ("avc1", b"\1\2"), ("mp4a", b"\0\0\0\0\3\7"), ("hvc1", b"")]
)
def test_broken_configurations_are_box_errors(kind: str, content: bytes | None) -> None:
    with pytest.raises(BoxError):
        codecs_of(kind, content)


def test_the_audio_specific_config_says_channels_and_rate() -> None:
    audio = read_esds(ESDS + bytes([0x12, 0x08]))
    assert (audio.object_type, audio.channels, audio.sample_rate) == (2, 1, 44100)


def test_long_form_descriptor_lengths() -> None:
    # ffmpeg writes each length in four bytes
    inner = bytes([5, 0x80, 0x80, 0x80, 2, 0x11, 0x90])
    config = bytes([4, 0x80, 0x80, 0x80, 13 + len(inner), 0x40]) + bytes(12) + inner
    es = bytes([3, 0x80, 0x80, 0x80, 3 + len(config), 0, 1, 0]) + config
    assert read_esds(bytes(4) + es).codecs == "mp4a.40.2"


def test_mp3_in_mp4_has_no_object_type() -> None:
    assert read_esds(ESDS.replace(b"\x40\x15", b"\x6b\x15") + bytes(2)).codecs == "mp4a.6b"
