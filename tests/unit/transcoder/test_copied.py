from __future__ import annotations

from struct import pack

import pytest

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.transcoder.copied import check
from tests.unit.isobmff.test_cbcs import PPS, SPS, avc1, unit

PICTURE = pack(">I", 60) + bytes([0x65, 0x88, 0x84]) + b"\xff" * 57


def track(data: bytes) -> MovieTrack:
    samples = [Sample(0, 0, 1000, 0, len(data), True)]
    return MovieTrack(1, "vide", 25_000, avc1(SPS, PPS), "avc1.42001e", 64, 64, samples=samples)


def test_what_cannot_be_encrypted_is_no_rung_of_a_protected_ladder() -> None:
    """A stereo camera puts the other eye's picture beside: players pass over it, but nobody of ours reads its headers."""
    check(track(PICTURE), PICTURE, (0,), sealed=True)
    stereo = PICTURE + unit(0x74, 30)
    check(track(stereo), stereo, (0,), sealed=False)
    with pytest.raises(BoxError, match="type 20"):
        check(track(stereo), stereo, (0,), sealed=True)
