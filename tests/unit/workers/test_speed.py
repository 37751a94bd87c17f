"""How fast a host is beside the others, and when that is too slow."""

from __future__ import annotations

import pytest

from rushes.workers.speed import ENOUGH, Peer, Speed, slowness


def speed(estimate: float, measured: float, steps: int = ENOUGH) -> Speed:
    found = Speed()
    for _ in range(steps):
        found = found.after(estimate, measured)
    return found


def peer(speed: float, *pools: str, works: bool = True) -> Peer:
    return Peer(frozenset(pools or ("video",)), speed, works)


def test_a_speed_is_known_after_a_few_steps() -> None:
    assert speed(10, 20, ENOUGH - 1).value == 0.0
    assert speed(10, 20).value == pytest.approx(0.5)


def test_it_forgets() -> None:
    found = speed(10, 40)
    for _ in range(40):
        found = found.after(10, 10)
    assert found.value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("estimate", "measured"), [(0.3, 5.0), (0.0, 5.0), (5.0, 0.0)])
def test_steps_that_say_nothing_of_the_host_are_left_out(estimate: float, measured: float) -> None:
    assert Speed().after(estimate, measured) == Speed()


@pytest.mark.parametrize(
    ("mine", "pools", "peers", "slow"),
    [
        (0.4, ["video"], [peer(1.0), peer(1.1)], True),
        (0.6, ["video"], [peer(1.0), peer(1.1)], False),
        (0.0, ["video"], [peer(1.0), peer(1.1)], False),  # not known
        (0.4, ["video"], [peer(1.0)], False),  # too few to say
        (0.4, ["video"], [peer(0.0), peer(1.0)], False),
        (0.4, ["video"], [peer(1.0, "speech"), peer(1.0, "speech")], False),  # they do other work
        (0.4, ["video", "speech"], [peer(1.0), peer(1.0)], False),  # the only one for speech
        (0.4, ["video", "speech"], [peer(1.0), peer(1.0, "video", "speech")], True),
        (0.4, ["video"], [peer(1.0, works=False), peer(1.0, works=False)], False),  # nobody else takes work
        (0.4, ["video"], [peer(0.3), peer(0.3), peer(0.4)], False),  # all are
    ],
)
def test_who_is_slow_beside_whom(mine: float, pools: list[str], peers: list[Peer], slow: bool) -> None:
    assert bool(slowness(mine, pools, peers, 0.5)) is slow
    assert slowness(mine, pools, peers, 0.0) == ""
