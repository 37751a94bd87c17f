from __future__ import annotations

import pytest

from rushes.ingest.pace import Bucket, Floor


def test_a_bucket_lets_a_second_through_at_once_and_the_rest_at_its_rate() -> None:
    bucket = Bucket(rate=1000.0, now=50.0)
    assert bucket.take(1000, 50.0) == 0.0
    assert bucket.take(500, 50.0) == pytest.approx(0.5)
    assert bucket.take(500, 50.5) == pytest.approx(0.5)


def test_over_a_long_time_a_bucket_gives_its_rate_however_it_is_asked() -> None:
    bucket, now, taken = Bucket(rate=1000.0, now=0.0), 0.0, 0
    for size in [1, 7000, 64, 3000, 64, 64, 900] * 20:
        now += bucket.take(size, now)
        taken += size
    assert now * 1000 == pytest.approx(taken - 1000)


def test_a_pause_is_not_saved_up() -> None:
    bucket = Bucket(rate=1000.0, now=0.0)
    bucket.take(1000, 0.0)
    assert bucket.take(1500, 3600.0) == pytest.approx(0.5)


def test_each_pays_for_what_it_took_itself() -> None:
    bucket = Bucket(rate=1000.0, now=0.0)
    bucket.take(1000, 0.0)
    assert bucket.take(2000, 0.0) == pytest.approx(2.0)
    assert bucket.take(100, 0.0) == pytest.approx(2.1)  # those who come later stand behind


def test_a_sender_below_the_floor_is_found_after_the_window() -> None:
    floor = Floor(rate=100.0, now=0.0, window=30.0)
    for second in range(1, 30):
        floor.got(10, float(second))
        floor.wait(float(second))
        assert floor.judge(float(second)) == pytest.approx(30.0 - second)
    assert floor.judge(30.0) == 0.0


def test_a_silent_sender_is_found_too() -> None:
    floor = Floor(rate=1.0, now=0.0, window=30.0)
    assert floor.judge(29.0) == pytest.approx(1.0)
    assert floor.judge(30.0) == 0.0


def test_a_tunnel_is_forgiven_where_the_average_is_enough() -> None:
    floor = Floor(rate=100.0, now=0.0, window=30.0)
    floor.got(3000, 1.0)
    floor.wait(1.0)
    assert floor.judge(30.0) == 30.0  # judged well, and from now on afresh
    assert floor.judge(59.0) == pytest.approx(1.0)
    assert floor.judge(60.0) == 0.0


def test_what_the_server_makes_a_sender_wait_does_not_count() -> None:
    floor = Floor(rate=100.0, now=0.0, window=30.0)
    floor.got(1000, 5.0)  # then the store takes its time
    assert floor.judge(500.0) == pytest.approx(25.0)
    floor.wait(500.0)
    assert floor.judge(524.0) == pytest.approx(1.0)
    assert floor.judge(525.0) == 0.0


def test_without_a_floor_nobody_is_too_slow() -> None:
    assert Floor(rate=0.0, now=0.0, window=30.0).judge(10_000.0) == 30.0
