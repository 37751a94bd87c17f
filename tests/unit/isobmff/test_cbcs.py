from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest

from rushes.isobmff.boxes import BoxError, box
from rushes.isobmff.cbcs import Protector, Secret, encrypting, entire, patterned
from rushes.isobmff.init_segment import init_segment
from rushes.isobmff.media_segment import media_segment
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.protected_init import original_format, protected_init, sample_entry_of
from rushes.isobmff.samples import Sample
from rushes.isobmff.subsamples import MOST_RANGES, ranges_of
from tests.services.cenc import Opener, found
from tests.unit.isobmff.conftest import mp4a

# NIST SP 800-38A, appendix F.2.1 (CBC-AES128.Encrypt)
KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes(range(16))
PLAIN = [
    bytes.fromhex(text)
    for text in (
        "6bc1bee22e409f96e93d7e117393172a",
        "ae2d8a571e03ac9c9eb76fac45af8e51",
        "30c81c46a35ce411e5fbc1191a0a52ef",
        "f69f2445df4f9b17ad2b417be66c3710",
    )
]
SECRET = [
    bytes.fromhex(text)
    for text in (
        "7649abac8119b246cee98e9b12e9197d",
        "5086cb9b507219ee95db113a917678b2",
        "73bed6b8e3c1743b7116e69e22229516",
        "3ff1caa1681fac09120eca307586e1a7",
    )
]
SKIPPED = bytes(range(100, 244))
CRYPT = encrypting(Secret(bytes(16), KEY, IV))


def test_one_block_in_ten_is_chained_by_the_known_answers() -> None:
    clear = b"".join(each + SKIPPED for each in PLAIN)
    assert patterned(clear, CRYPT) == b"".join(each + SKIPPED for each in SECRET)


def test_sound_is_encrypted_whole_by_the_known_answers() -> None:
    assert entire(b"".join(PLAIN), CRYPT) == b"".join(SECRET)


@pytest.mark.parametrize("rest", [1, 15])
def test_a_part_of_a_block_stays_clear(rest: int) -> None:
    assert patterned(PLAIN[0] + SKIPPED + PLAIN[1][:rest], CRYPT) == SECRET[0] + SKIPPED + PLAIN[1][:rest]
    assert entire(PLAIN[0] + PLAIN[1][:rest], CRYPT) == SECRET[0] + PLAIN[1][:rest]
    assert patterned(PLAIN[0][:rest], CRYPT) == PLAIN[0][:rest]
    assert entire(b"", CRYPT) == b""


def sound(sizes: list[int]) -> tuple[bytes, bytes, list[bytes]]:
    """Init segment, segment and samples of a track of sound."""
    contents = [bytes([number]) * size for number, size in enumerate(sizes, 1)]
    samples, at = [], 0
    for number, size in enumerate(sizes):
        samples.append(Sample(number * 1024, 0, 1024, at, size, True))
        at += size
    track = MovieTrack(1, "soun", 44100, mp4a(), "mp4a.40.2", channels=2, sample_rate=44100, samples=samples)
    segment, _ = media_segment(b"".join(contents), samples, 1)
    return init_segment(track), segment, contents


KID = bytes(range(200, 216))


def test_a_segment_of_sound_keeps_its_boxes_and_opens_again() -> None:
    init, segment, contents = sound([100, 16, 15, 333])
    secret = Secret(KID, KEY, IV)
    sealed, _ = Protector.of(init, secret, ranges_of(sample_entry_of(init))).segment(segment)
    assert len(sealed) == len(segment)
    assert found(sealed, b"senc") == []
    opener = Opener(protected_init(init, secret), KEY)
    assert (opener.format, opener.kid, opener.iv, opener.pattern) == (b"mp4a", KID, IV, (0, 0))
    assert opener.samples(sealed) == contents
    assert contents[0] not in sealed


def test_the_init_segment_says_what_it_stands_for_and_keeps_the_rest() -> None:
    init, _, _ = sound([100])
    sealed = protected_init(init, Secret(KID, KEY, IV))
    assert original_format(sample_entry_of(sealed)) == original_format(sample_entry_of(init)) == b"mp4a"
    assert sample_entry_of(sealed)[4:8] == b"enca"
    assert KEY not in sealed
    (start, end), esds = found(sealed, b"pssh")[0], sample_entry_of(init)[36:]
    assert sealed[start + 20 : end] == pack(">I", 1) + KID + pack(">I", 0)
    assert esds in sealed


def unit(kind: int, size: int) -> bytes:
    return pack(">IB", size, kind) + bytes(size - 1)


def avc1(*sets: bytes) -> bytes:
    """A sample entry with one sequence's and one picture's parameters."""
    sps, pps = sets
    content = bytes([1, 66, 0, 30, 255, 225]) + pack(">H", len(sps)) + sps + bytes([1]) + pack(">H", len(pps)) + pps
    return box("avc1", bytes(78), box("avcC", content))


# Of a Baseline stream: frames only, order of pictures type 2, no entropy coding by CABAC
SPS, PPS = bytes.fromhex("6742c01eda0280bfe5c044000003000400000300f03c58ba80"), bytes.fromhex("68ce0fc8")


def test_lengths_headers_and_what_is_no_picture_stay_clear() -> None:
    ranges = ranges_of(avc1(SPS, PPS))
    idr = pack(">I", 60) + bytes([0x65, 0x88, 0x84]) + b"\xff" * 57
    sample = unit(6, 20) + idr + unit(12, 9)
    spans = ranges(sample)
    assert spans is not None
    assert sum(clear + protected for clear, protected in spans) == len(sample)
    (clear, protected), (rest, nothing) = spans
    assert 24 + 4 + 2 < clear < 24 + 4 + 8
    assert (clear + protected, rest, nothing) == (24 + 64, 13, 0)


def test_more_slices_than_can_be_described_leave_the_smallest_clear() -> None:
    ranges = ranges_of(avc1(SPS, PPS))
    slices = [pack(">I", 60 + n) + bytes([0x65, 0x88, 0x84]) + b"\xff" * (57 + n) for n in range(60)]
    spans = ranges(b"".join(slices))
    assert spans is not None
    assert len(spans) <= MOST_RANGES
    assert sum(clear + protected for clear, protected in spans) == sum(map(len, slices))
    assert sum(protected > 0 for _, protected in spans) == MOST_RANGES // 2


def test_clear_bytes_of_more_than_a_field_holds_take_two() -> None:
    spans = ranges_of(avc1(SPS, PPS))(unit(6, 70_000) + pack(">I", 60) + bytes([0x65, 0x88, 0x84]) + b"\xff" * 57)
    assert spans is not None
    assert spans[0] == (0xFFFF, 0)
    assert sum(clear + protected for clear, protected in spans) == 70_004 + 64


@pytest.mark.parametrize("sample", [unit(1, 60)[:-1], unit(0x62, 30), unit(0x74, 30), pack(">I", 0)])
def test_what_cannot_be_read_is_not_guessed(sample: bytes) -> None:
    with pytest.raises(BoxError):
        ranges_of(avc1(SPS, PPS))(sample)


def test_unknown_codecs_are_refused() -> None:
    with pytest.raises(BoxError, match="av01"):
        ranges_of(box("av01", bytes(100)))


def broken(change: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    init, segment, _ = sound([100, 50])
    return init, change(segment)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + data,
        lambda data: data.replace(b"moof", b"free"),
        lambda data: data.replace(b"trun", b"free"),
    ],
    ids=["cut", "two", "no moof", "no trun"],
)
def test_a_segment_that_is_not_as_ours_is_refused(change: Callable[[bytes], bytes]) -> None:
    init, segment = broken(change)
    with pytest.raises(BoxError):
        Protector.of(init, Secret(KID, KEY, IV), ranges_of(sample_entry_of(init))).segment(segment)
