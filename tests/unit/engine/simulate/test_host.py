"""Steps share the cores of a machine exactly as the arithmetic says."""

from __future__ import annotations

import pytest

from rushes.engine.simulate.host import Host, Part
from rushes.engine.simulate.household import BRISK, PATIENT


def part(step: int, wall: float, *, cpu: float | None = None, rank: int = BRISK) -> Part:
    return Part(step, wall if cpu is None else cpu, wall, rank, wall if cpu is None else cpu)


def ends(host: Host) -> dict[int, float]:
    """When each ends, if nothing more begins."""
    found = {}
    while (at := host.next_end()) is not None:
        found |= {one.step: at for one in host.ended(at)}
    return found


def test_alone_a_step_takes_what_it_takes():
    host = Host(4, 0.0)
    host.start(part(1, 3.0), 0.0)
    assert ends(host) == {1: pytest.approx(3.0)}
    assert host.busy == pytest.approx(3.0)


def test_two_on_one_core_take_twice_as_long_until_one_is_done():
    host = Host(1, 0.0)
    host.start(part(1, 1.0), 0.0)
    host.start(part(2, 3.0), 0.0)
    assert ends(host) == {1: pytest.approx(2.0), 2: pytest.approx(4.0)}


def test_one_that_waits_for_a_disk_leaves_the_core_to_others():
    host = Host(1, 0.0)
    host.start(part(1, 10.0, cpu=1.0), 0.0)
    host.start(part(2, 9.0, cpu=8.1), 0.0)
    assert ends(host) == {2: pytest.approx(9.0), 1: pytest.approx(10.0)}


def test_what_gives_way_gets_what_is_left_and_never_nothing():
    host = Host(1, 0.0)
    host.start(part(1, 10.0), 0.0)
    host.start(part(2, 1.0, rank=PATIENT), 0.0)
    found = ends(host)
    assert found[2] == pytest.approx(1.107 / 0.107)  # a tenth of the core, by the weights 1 and 0.107
    assert found[1] == pytest.approx(11.0)


def test_a_step_that_is_stopped_has_used_what_it_has_used():
    host = Host(2, 0.0)
    host.start(part(1, 10.0, cpu=20.0), 0.0)
    host.start(part(2, 10.0, cpu=20.0), 0.0)
    assert host.drop(1, 5.0) == pytest.approx(5.0)  # half of what it could have used
    assert ends(host) == {2: pytest.approx(12.5)}
