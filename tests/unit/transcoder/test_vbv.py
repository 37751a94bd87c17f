from __future__ import annotations

from rushes.transcoder.vbv import Buffering, buffering

SECOND = 1000
"""Bits that come in a second, into a buffer of two seconds."""


def of(*sizes: int, full: float = 1.0) -> Buffering:
    return buffering((size // 8 for size in sizes), 1.0, SECOND, 2 * SECOND, full)


def test_what_comes_in_may_go_out() -> None:
    assert of(*[SECOND] * 50) == Buffering(0, 0.5, 1.0)


def test_a_large_picture_is_paid_for_by_small_ones() -> None:
    assert of(1600, 400, 1600) == Buffering(0, 0.2, 0.7)
    # And where the next one comes too soon the buffer runs dry
    assert of(1600, 1200, 1600) == Buffering(1, 0.0, 0.5)


def test_a_full_buffer_does_not_fill_on() -> None:
    assert of(0, 0, 0, 0, 2000, 1000).underflows == 0
    assert of(0, 0, 0, 0, 2000, 2000).underflows == 1


def test_less_to_begin_with_is_less_to_spend() -> None:
    assert of(1600, full=0.9).underflows == 0
    assert of(1600, full=0.5).underflows == 1


def test_no_pictures_leave_it_as_it_was() -> None:
    assert of(full=0.5) == Buffering(0, 1.0, 0.5)
