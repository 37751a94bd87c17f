from rushes.engine.scaling import scale_cpu_seconds


def test_what_is_ready_and_what_is_left_of_running_work_counts() -> None:
    assert scale_cpu_seconds(300.0, 60.0, ready=5, running=2, paused=False) == 360.0
    assert scale_cpu_seconds(0.0, 0.0, ready=0, running=0, paused=False) == 0.0


def test_a_step_that_takes_longer_than_was_thought_keeps_its_machine() -> None:
    assert scale_cpu_seconds(0.0, 0.0, ready=0, running=3, paused=False) == 3.0


def test_the_smallest_step_wakes_a_pool() -> None:
    assert scale_cpu_seconds(0.001, 0.0, ready=1, running=0, paused=False) == 1.0


def test_a_paused_pool_is_given_nothing_for_what_it_does_not_begin() -> None:
    assert scale_cpu_seconds(300.0, 60.0, ready=5, running=1, paused=True) == 60.0
    assert scale_cpu_seconds(300.0, 0.0, ready=5, running=0, paused=True) == 0.0
