from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from struct import pack

import pytest

from rushes.isobmff import part as parts
from rushes.isobmff.boxes import BoxError, box, full_box
from rushes.isobmff.movie import read_movie
from rushes.isobmff.part import GAP, Window, merged, part, read_index

GROUPS = 20
FRAMES = 30
"""Of a group: a second of 30 frames."""


@pytest.fixture
def movie(make_pictures: Callable, make_plain: Callable) -> bytes:
    """Twenty seconds, a key picture every second, pictures in the order in which they are shown."""
    track, payload = make_pictures([list(range(FRAMES))] * GROUPS)
    return make_plain(track, payload)


@pytest.fixture(autouse=True)
def _small_margins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "HEAD", 20)
    monkeypatch.setattr(parts, "GAP", 0)
    monkeypatch.setattr(parts, "SAMPLES_AFTER", 30)
    monkeypatch.setattr(parts, "SECONDS_AFTER", 1)


def index(data: bytes) -> tuple[bytearray, parts.Box, list[range]]:
    """What is there after the index was read: all but the media."""
    seen, asked = bytearray(len(data)), []

    def fetch(span: range) -> None:
        asked.append(span)
        seen[span.start : span.stop] = data[span.start : span.stop]

    return seen, read_index(seen, len(data), fetch), asked


def seconds(data: bytes, spans: list[range]) -> list[float]:
    """The times of the samples that lie in the spans."""
    track = read_movie(data)[0]
    inside = [
        any(span.start <= s.position and s.position + s.size <= span.stop for span in spans) for s in track.samples
    ]
    zero = track.first_pts
    return [(s.pts - zero) / track.timescale for s, there in zip(track.samples, inside, strict=True) if there]


def test_the_index_is_all_that_is_read_at_first(movie: bytes) -> None:
    seen, moov, asked = index(movie)
    assert seen[moov.start :] == movie[moov.start :]
    media = movie.index(b"mdat") + 4
    assert sum(map(len, asked)) < len(movie) - moov.start + 200
    assert not any(seen[media + 8 : moov.start])


def window(start: float, stop: float | None, zero: float = 0.1) -> Window:
    """The first picture is at 0.1 s: 3 of 30 frames, by which they may be reordered."""
    return Window(Fraction(zero), Fraction(start), None if stop is None else Fraction(stop))


def test_a_window_needs_its_groups_one_before_and_what_is_read_ahead(movie: bytes) -> None:
    seen, moov, _ = index(movie)
    times = seconds(movie, part(bytes(seen), moov, 0, window(10.5, 12)))
    inside = [time for time in times if time > 1]  # and not the head
    assert (min(inside), max(inside)) == (pytest.approx(9), pytest.approx(13, abs=0.2))
    assert len(inside) == pytest.approx(4 * FRAMES, abs=6)
    assert min(times) == 0


def test_a_window_to_the_end_has_the_end(movie: bytes) -> None:
    seen, moov, _ = index(movie)
    times = seconds(movie, part(bytes(seen), moov, 0, window(18.5, None)))
    assert max(times) == pytest.approx(GROUPS - 1 / FRAMES)
    assert min(time for time in times if time > 1) == pytest.approx(17)


def test_a_window_at_the_beginning_has_the_beginning(movie: bytes) -> None:
    seen, moov, _ = index(movie)
    times = seconds(movie, part(bytes(seen), moov, 0, window(0, 2)))
    assert (times[0], len(times)) == (0, pytest.approx(3 * FRAMES, abs=6))


def test_what_has_no_single_index_is_refused(movie: bytes, make_pictures: Callable, make_plain: Callable) -> None:
    seen, moov, _ = index(movie)
    with pytest.raises(BoxError, match="tracks"):
        part(bytes(seen), moov, 3, window(0, 1))
    with pytest.raises(BoxError, match="fragmented"):
        index(box("ftyp", b"isom") + box("moof", bytes(8)) + movie)
    with pytest.raises(BoxError, match="no one index"):
        index(box("ftyp", b"isom") + box("mdat", bytes(80)))
    edits = box("edts", full_box("elst", 0, 0, pack(">I", 2), 2 * pack(">IiI", 1000, 0, 0x10000)))
    track, payload = make_pictures([list(range(FRAMES))])
    seen, moov, _ = index(make_plain(track, payload, elst=edits))
    with pytest.raises(BoxError, match="several edits"):
        part(bytes(seen), moov, 0, window(0, 1))


def test_an_endless_row_of_boxes_is_not_followed() -> None:
    with pytest.raises(BoxError):
        index(box("free") * 5000)


def test_near_spans_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GAP", GAP)
    assert merged([range(GAP * 3, GAP * 4), range(10), range(5, 20), range(GAP, GAP + 5), range(0)]) == [
        range(GAP + 5),
        range(GAP * 3, GAP * 4),
    ]
