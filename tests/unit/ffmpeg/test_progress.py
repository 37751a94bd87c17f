"""ffmpeg's progress reports."""

from __future__ import annotations

from rushes.ffmpeg.progress import Progress

FIRST = b"frame=10\nfps=0.0\nout_time_us=400000\nprogress=continue\n"


def test_reads_frames_and_seconds() -> None:
    progress = Progress()
    progress.feed(FIRST)
    assert (progress.frames, progress.out_seconds) == (10, 0.4)


def test_a_line_may_come_in_pieces() -> None:
    progress = Progress()
    for byte in FIRST:
        progress.feed(bytes([byte]))
    assert (progress.frames, progress.out_seconds) == (10, 0.4)


def test_the_same_report_again_is_no_progress() -> None:
    progress = Progress()
    progress.feed(FIRST)
    before = progress.advanced
    progress.feed(FIRST)
    assert progress.advanced == before
    progress.feed(FIRST.replace(b"frame=10", b"frame=11"))
    assert progress.advanced > before


def test_the_last_report_says_so() -> None:
    progress = Progress()
    progress.feed(FIRST)
    assert not progress.ended
    progress.feed(FIRST.replace(b"continue", b"end"))
    assert progress.ended


def test_nothing_known_yet() -> None:
    progress = Progress()
    progress.feed(b"frame=0\nout_time_us=N/A\nprogress=continue\n")
    assert progress.out_seconds is None
    assert progress.fraction(10.0) is None


def test_the_fraction_stays_between_nought_and_one() -> None:
    progress = Progress()
    progress.feed(b"out_time_us=-50000\n")
    assert progress.fraction(10.0) == 0.0
    progress.feed(b"out_time_us=2500000\n")
    assert progress.fraction(10.0) == 0.25
    assert progress.fraction(1.0) == 1.0
    assert progress.fraction(None) is None
    assert progress.fraction(0.0) is None


def test_an_endless_line_does_not_fill_the_memory() -> None:
    progress = Progress()
    for _ in range(100):
        progress.feed(b"x" * 10_000)
    assert len(progress._rest) <= 4096
