from __future__ import annotations

from struct import pack

import pytest

from rushes.isobmff.boxes import BoxError, box
from rushes.isobmff.nal import Configuration, configuration, is_idr, sifted
from rushes.isobmff.samples import Sample

SLICE, IDR, SEI, DELIMITER = b"\x41slice", b"\x65idr", b"\x06Lat 48.1 Lon 11.5", b"\x09\xf0"
SPS, PPS = b"\x67sequence", b"\x68picture"
KNOWN = Configuration(4, frozenset({SPS, PPS}))


def units(*contents: bytes) -> bytes:
    return b"".join(pack(">I", len(content)) + content for content in contents)


def samples(*contents: bytes) -> tuple[bytes, list[Sample]]:
    """Bytes with some of somebody else's before and between, and where the samples lie in them."""
    data, found = b"head", []
    for content in contents:
        found.append(Sample(len(found) * 10, 0, 10, len(data), len(content), not found))
        data += content + b"gap"
    return data, found


def test_supplements_go_and_the_pictures_stay_with_their_times() -> None:
    data, found = samples(units(DELIMITER, SEI, IDR), units(SLICE), units(SLICE, SEI))
    cleaned, moved = sifted(data, found, KNOWN)
    assert cleaned == units(DELIMITER, IDR) + units(SLICE) + units(SLICE)
    assert b"Lat" not in cleaned
    assert [(sample.dts, sample.position, sample.size) for sample in moved] == [(0, 0, 14), (10, 14, 10), (20, 24, 10)]


def test_a_sample_of_nothing_else_is_kept() -> None:
    data, found = samples(units(SEI))
    assert sifted(data, found, KNOWN)[0] == units(SEI)


@pytest.mark.parametrize("broken", [pack(">I", 99) + b"short", pack(">I", 0) + b"none", b"\0"])
def test_what_is_no_list_of_units_is_refused(broken: bytes) -> None:
    data, found = samples(broken)
    with pytest.raises(BoxError):
        sifted(data, found, KNOWN)


def test_only_idr_pictures_are_clean_starts() -> None:
    data, (clean, other, mixed) = samples(units(SEI, IDR, IDR), units(SEI, SLICE), units(IDR, SLICE))
    assert is_idr(data, clean, 4)
    assert not is_idr(data, other, 4)
    assert not is_idr(data, mixed, 4)


def test_parameter_sets_of_the_sample_entry_are_not_said_again() -> None:
    # Given what a copy of a transport stream has before each key picture
    data, found = samples(units(SPS, PPS, IDR), units(SLICE), units(SPS, PPS, IDR))
    assert sifted(data, found, KNOWN)[0] == units(IDR) + units(SLICE) + units(IDR)


@pytest.mark.parametrize("other", [SPS + b"!", PPS + b"!"])
def test_parameter_sets_that_change_are_refused(other: bytes) -> None:
    data, found = samples(units(SPS, PPS, IDR), units(SLICE), units(other, IDR))
    with pytest.raises(BoxError, match="change"):
        sifted(data, found, KNOWN)


def entry(*content: bytes) -> bytes:
    return box("avc1", bytes(78), box("avcC", b"".join(content)))


@pytest.mark.parametrize(("byte", "length"), [(0xFF, 4), (0xFC, 1), (0xFD, 2)])
def test_the_configuration_says_the_length_of_lengths_and_the_parameter_sets(byte: int, length: int) -> None:
    # Given one set of a sequence, two of pictures, and what High profiles have behind them
    sets = [
        b"\xe1",
        pack(">H", len(SPS)),
        SPS,
        b"\2",
        pack(">H", len(PPS)),
        PPS,
        pack(">H", 1),
        b"\x68",
        b"\xfd\xf8\xf8\0",
    ]
    found = configuration(entry(bytes([1, 100, 0, 31, byte]), *sets))
    assert found == Configuration(length, frozenset({SPS, PPS, b"\x68"}))


@pytest.mark.parametrize(
    "broken",
    [box("avc1", bytes(78)), entry(bytes([1, 100, 0])), entry(bytes([1, 100, 0, 31, 255, 0xE1, 0, 9]), SPS[:3])],
)
def test_a_picture_without_configuration_is_refused(broken: bytes) -> None:
    with pytest.raises(BoxError):
        configuration(broken)
