import pytest

from rushes.catalog.connections import Connections
from rushes.catalog.database import DatabaseUnavailable
from rushes.clock import ManualClock


class Line:
    """A connection that knows whether it is open."""

    def __init__(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False


def make(size: int = 2, clock: ManualClock | None = None) -> tuple[Connections[Line], list[Line]]:
    made: list[Line] = []

    def connect() -> Line:
        made.append(Line())
        return made[-1]

    return Connections(connect, size=size, patience=0.01, idle=60.0, clock=clock), made


def test_one_that_came_back_goes_out_again() -> None:
    pool, made = make()
    first, fresh = pool.take()
    assert fresh
    pool.give_back(first)
    assert pool.take() == (first, False)
    assert len(made) == 1


def test_there_are_never_more_than_its_size_and_whoever_waits_is_told() -> None:
    pool, made = make(size=2)
    pool.take()
    pool.take()
    with pytest.raises(DatabaseUnavailable, match="all 2 connections"):
        pool.take()
    assert len(made) == 2


def test_a_broken_one_leaves_its_place_to_another() -> None:
    pool, made = make(size=1)
    first, _ = pool.take()
    pool.drop(first)
    second, fresh = pool.take()
    assert (first.open, fresh, second) == (False, True, made[1])


def test_one_that_could_not_be_made_takes_no_place() -> None:
    def refuse() -> Line:
        raise ConnectionRefusedError

    pool = Connections(refuse, size=1, patience=0.01, idle=60.0)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            pool.take()


def test_those_that_nobody_needed_for_a_while_are_closed() -> None:
    clock = ManualClock()
    pool, made = make(clock=clock)
    taken = [pool.take()[0] for _ in range(2)]
    for line in taken:
        pool.give_back(line)
    for _ in range(3):
        clock.advance(40)
        pool.give_back(pool.take()[0])
    assert [line.open for line in made] == [False, True]


def test_after_the_end_none_stays_open() -> None:
    pool, made = make()
    used, idle = pool.take()[0], pool.take()[0]
    pool.give_back(idle)
    pool.close()
    assert not idle.open
    pool.give_back(used)
    assert [line.open for line in made] == [False, False]
