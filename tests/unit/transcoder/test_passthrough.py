from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from struct import pack

import pytest

from rushes.isobmff.boxes import box
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.transcoder.cuts import CutError
from rushes.transcoder.passthrough import check_end, check_sound, check_start, picture_of, shown_after_zero, turned


def sound(*frames: tuple[int, int]) -> MovieTrack:
    """A track from (duration, size) at 48 kHz."""
    samples = [Sample(0, 0, length, at, size, True) for at, (length, size) in enumerate(frames)]
    return MovieTrack(1, "soun", 48_000, b"", "mp4a.40.2", channels=2, samples=samples)


GOOD = (1024, 300)


def test_equal_frames_with_a_short_last_one_and_a_small_gap_are_sound():
    check_sound(sound(GOOD, GOOD, (1024 + 2816, 300), GOOD, (12, 300)))
    check_sound(sound(GOOD))
    check_sound(sound((1024, 8191)))


def test_frames_that_overlap_are_refused():
    # Given what a copy makes of an edit list that shows a part twice, or of an index with wrong times
    for frames in ([GOOD, (1, 300), (1, 300), GOOD, GOOD, GOOD, GOOD], [GOOD, GOOD, (400, 300), GOOD, GOOD]):
        with pytest.raises(CutError, match="do not follow"):
            check_sound(sound(*frames))


def test_frames_without_length_are_refused():
    with pytest.raises(CutError, match="too short"):
        check_sound(sound((1, 300), (1, 300), (1, 300)))


def test_a_long_gap_is_refused():
    with pytest.raises(CutError, match="do not follow"):
        check_sound(sound(GOOD, GOOD, (1024 + 9600, 300), GOOD, GOOD))


@pytest.mark.parametrize("size", [0, 8192, 16_000_000])
def test_frames_of_impossible_sizes_are_refused(size):
    with pytest.raises(CutError, match="sizes"):
        check_sound(sound(GOOD, (1024, size), GOOD))


def picture(frames: int = 100) -> MovieTrack:
    """Ten pictures a second, the first two of each ten in another order; the edit list takes the reordering off."""
    samples = [Sample(at * 100, 100, 100, at, 1, at % 10 == 0) for at in range(frames)]
    return MovieTrack(1, "vide", 1000, b"", "avc1.64001f", 64, 64, media_time=100, samples=samples, edits=1)


@pytest.mark.parametrize("shown", [None, Fraction(10), Fraction(99, 10)])
def test_pictures_that_end_where_the_edit_list_says_are_taken(shown):
    check_start(picture())
    check_end(replace(picture(), shown=shown))


@pytest.mark.parametrize(("shown", "says"), [(Fraction(5), "hides the last"), (Fraction(12), "missing")])
def test_pictures_that_end_elsewhere_are_refused(shown, says):
    with pytest.raises(CutError, match=says):
        check_end(replace(picture(), shown=shown))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"media_time": 300}, "hides the first"),
        ({"media_time": -200}, "comes late"),
        ({"edits": 2}, "several edits"),
        ({"delay": Fraction(1, 2)}, "late"),
    ],
)
def test_pictures_that_begin_elsewhere_are_refused(changes, says):
    with pytest.raises(CutError, match=says):
        check_start(replace(picture(), **changes))


def test_sound_that_is_cut_at_its_start_is_refused():
    frames = [Sample(at * 1024, 0, 1024, at, 1, True) for at in range(100)]
    check_start(MovieTrack(1, "soun", 48_000, b"", "mp4a.40.2", media_time=2112, samples=frames, edits=1))
    with pytest.raises(CutError, match="beginning of the sound"):
        check_start(MovieTrack(1, "soun", 48_000, b"", "mp4a.40.2", media_time=48_000, samples=frames, edits=1))


@pytest.mark.parametrize(
    ("corner", "turn"), [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 90), ((-1, 0, 0, -1), 180), ((0, -1, 1, 0), 270)]
)
def test_right_angles_are_read_from_the_matrix(corner, turn):
    a, b, c, d = (0x10000 * value for value in corner)
    assert turned(replace(picture(), matrix=(a, b, 0, c, d, 0, 0, 0, 0x40000000))) == turn


@pytest.mark.parametrize(
    ("first", "media_time", "delay", "expected"),
    [
        (0, 0, Fraction(0), 0),
        (0, 1024, Fraction(0), 0),  # priming
        (0, 1024, Fraction(1, 20), 2400),
        (2400, 0, Fraction(0), 2400),  # fragments whose first one says that it begins later
    ],
)
def test_sound_that_begins_late_stays_late(first, media_time, delay, expected):
    samples = [Sample(first + at * 1024, 0, 1024, at, 300, True) for at in range(9)]
    track = replace(sound(), media_time=media_time, delay=delay, samples=samples)
    check_start(track)
    assert shown_after_zero(track) == expected


def test_sound_that_begins_much_later_is_left_to_the_encode():
    with pytest.raises(CutError, match="first sound comes late"):
        check_start(replace(sound(), samples=[Sample(9600, 0, 1024, 0, 300, True)]))


def test_a_mirrored_picture_is_refused():
    with pytest.raises(CutError, match="mirrored"):
        turned(replace(picture(), matrix=(-0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)))


def test_other_matrices_are_left_to_the_encode():
    with pytest.raises(CutError):
        turned(replace(picture(), matrix=(46341, 46341, 0, -46341, 46341, 0, 0, 0, 0x40000000)))


def test_pictures_that_players_would_show_otherwise_than_they_are_meant_are_refused() -> None:
    """The probe takes an impossible shape of pixels for a mistake, and believes the pictures of their range."""
    colr = box("colr", b"nclx", pack(">HHHB", 9, 16, 9, 0))
    for wrong in ({"sar": (1, 45)}, {"sample_entry": box("avc1", bytes(78), colr)}):
        with pytest.raises(CutError, match=r"square|HDR"):
            picture_of([replace(picture(), **wrong)])
    assert picture_of([picture()]) == picture()
