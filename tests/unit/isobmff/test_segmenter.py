from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.samples import Sample
from rushes.isobmff.segmenter import closed_starts, cut, starts_at

Pictures = Callable[[list[list[int]]], tuple[MovieTrack, bytes]]
ROTATED = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def gops(draw: st.DrawFn) -> list[list[int]]:
    """Closed GOPs whose pictures after the first are decoded in any order."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=1, max_size=5))
    return [[0, *draw(st.permutations(range(1, size)))] for size in sizes]


@shared
@given(gops(), st.integers(0, 10**9))
def test_every_picture_comes_back_at_its_time(make_pictures: Pictures, orders: list[list[int]], first: int) -> None:
    # Given closed GOPs, cut at each of them
    track, payload = make_pictures(orders)
    starts = closed_starts(track)
    assert starts == [sum(map(len, orders[:count])) for count in range(len(orders))]
    # When what was cut is read again
    pieces = cut(track, payload, starts, first_ticks=first)
    data = pieces.init + b"".join(piece.data for piece in pieces.segments)
    (found,) = read_movie(data)
    # Then bytes and order are the same, and the presentation starts at `first`, edit list included
    assert [data[s.position : s.position + s.size] for s in found.samples] == [
        payload[s.position : s.position + s.size] for s in track.samples
    ]
    shown = [sample.pts - found.media_time for sample in found.samples]
    assert shown == [sample.pts - track.first_pts + first for sample in track.samples]
    assert all(sample.offset >= 0 for sample in found.samples)
    # And each segment's decode time is when its first picture is seen
    for start, ticks in zip(starts, _starts(first, [piece.ticks for piece in pieces.segments]), strict=True):
        assert found.samples[start].dts == ticks == shown[start]


def _starts(first: int, ticks: list[int]) -> list[int]:
    return [first + sum(ticks[:count]) for count in range(len(ticks))]


def test_ticks_follow_the_presentation_when_frames_vary_in_length(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0, 1, 2], [0, 1]])
    times = [0, 100, 500, 2000, 2100]
    samples = [s._replace(dts=t, offset=0, duration=100) for s, t in zip(track.samples, times, strict=True)]
    pieces = cut(MovieTrack(**{**vars(track), "samples": samples}), payload, [0, 3])
    assert [piece.ticks for piece in pieces.segments] == [2000, 200]


def test_pictures_in_order_need_no_edit_list(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0, 1, 2, 3]])
    init = cut(track, payload, [0]).init
    assert b"elst" not in init
    assert b"cmf2" in init


def test_a_given_reorder_makes_inits_alike(make_pictures: Pictures) -> None:
    flat, flat_payload = make_pictures([[0, 1, 2, 3]])
    deep, deep_payload = make_pictures([[0, 3, 2, 1]])
    assert cut(flat, flat_payload, [0]).init != cut(deep, deep_payload, [0]).init
    assert cut(flat, flat_payload, [0], reorder=1024).init == cut(deep, deep_payload, [0], reorder=1024).init
    with pytest.raises(BoxError, match="reordered over 1024 ticks; 512 were allowed"):
        cut(deep, deep_payload, [0], reorder=512)


def test_the_keyframe_ends_where_its_bytes_end(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0, 1, 2], [0, 2, 1]])
    for piece, start in zip(cut(track, payload, [0, 3]).segments, (0, 3), strict=True):
        first = track.samples[start]
        assert piece.data[: piece.keyframe_size].endswith(payload[first.position : first.position + first.size])
        assert piece.data.index(b"mdat") + 4 + first.size == piece.keyframe_size


def test_rotation_is_kept_when_asked_for(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0]])
    pieces = cut(track, payload, [0], matrix=ROTATED)
    assert read_movie(pieces.init + pieces.segments[0].data)[0].matrix == ROTATED


@pytest.mark.parametrize("starts", [[], [1], [0, 0], [0, 3, 2], [0, 99]])
def test_impossible_cuts(starts: list[int], make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0, 1, 2], [0, 1, 2]])
    with pytest.raises(BoxError):
        cut(track, payload, starts)


def test_a_cut_at_a_dependent_picture_is_refused(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0, 1, 2], [0, 1, 2]])
    with pytest.raises(BoxError, match="segment 2 is not a closed group"):
        cut(track, payload, [0, 2])


def test_open_gops_are_not_cut_points(make_pictures: Pictures) -> None:
    # Given a key picture followed by one that is seen before it
    track, payload = make_pictures([[0, 1, 2], [1, 0, 2]])
    assert closed_starts(track) == [0]
    with pytest.raises(BoxError):
        cut(track, payload, [0, 3])


def _sound(count: int, priming: int) -> tuple[MovieTrack, bytes]:
    samples = [Sample(n * 1024, 0, 1024, n, 1, sync=True) for n in range(count)]
    entry = b"\0\0\0\x10test" + bytes(8)
    return MovieTrack(
        1, "soun", 48000, entry, "mp4a.40.2", channels=2, sample_rate=48000, media_time=priming, samples=samples
    ), bytes(count)


def test_sound_is_cut_at_the_first_frame_heard_after_each_time() -> None:
    track, _ = _sound(200, 1024)
    starts = starts_at(track, [Fraction(0), Fraction(1), Fraction(2), Fraction(60)])
    assert starts == [0, 48, 95]  # (48 - 1) * 1024 >= 48000, (95 - 1) * 1024 >= 96000; the minute is past the end
    assert all(
        (start - 1) * 1024 >= time * 48000 > (start - 2) * 1024 for start, time in zip(starts[1:], (1, 2), strict=True)
    )


def test_sound_keeps_its_priming_as_an_edit_list() -> None:
    track, payload = _sound(100, 1024)
    pieces = cut(track, payload, [0, 50], first_ticks=96000)
    assert b"elst" in pieces.init
    assert [piece.ticks for piece in pieces.segments] == [51200, 51200]
    tfdt = pieces.segments[0].data.index(b"tfdt")
    assert int.from_bytes(pieces.segments[0].data[tfdt + 8 : tfdt + 16]) == 96000


def test_a_gap_in_the_sound_stays_a_gap() -> None:
    track, payload = _sound(4, 0)
    late = [sample._replace(dts=sample.dts + 5000) if n > 1 else sample for n, sample in enumerate(track.samples)]
    pieces = cut(MovieTrack(**{**vars(track), "samples": late}), payload, [0, 2])
    assert [piece.ticks for piece in pieces.segments] == [2048 + 5000, 2048]


def test_segments_are_a_sequence(make_pictures: Pictures) -> None:
    track, payload = make_pictures([[0], [0], [0]])
    segments = cut(track, payload, [0, 1, 2]).segments
    assert len(segments) == 3
    assert segments[-1] == segments[2]
    assert segments[1:] == [segments[1], segments[2]]
    with pytest.raises(IndexError):
        segments[3]
