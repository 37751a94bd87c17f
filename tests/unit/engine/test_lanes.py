"""Whose turn it is, in small stories. That the catalog chooses alike is `tests/contract/test_lanes_story.py`."""

from __future__ import annotations

from collections import Counter

from rushes.engine.classes import Class
from rushes.engine.fair import Share
from rushes.engine.lanes import Key, Lanes, Look

VIDEO = Look(("video",))


class Hall:
    """Lanes of one pool, with steps that are known by their tenants."""

    def __init__(self, **shares: Share) -> None:
        self.lanes = Lanes(lambda tenant: shares.get(tenant, Share()), age=100.0)
        self.now = 0.0
        self.count = 0

    def come(self, tenant: str, level: Class = Class.NORMAL, *, count: int = 1, pool: str = "video") -> None:
        for _ in range(count):
            self.count += 1
            self.lanes.enter(self.lanes.lane(Key(pool, int(level), tenant)), (0.0, self.count), self.now)

    def served(self, count: int, look: Look = VIDEO, *, chance: float = 1.0, cost: float = 1.0) -> list[str]:
        """Tenants of the next claims."""
        found = []
        for _ in range(count):
            self.now += 0.001
            lane = self.lanes.pick(look, self.now, chance)
            if lane is not None:
                self.lanes.claim(lane, self.now, lambda _: cost)
                found.append(lane.key.tenant)
        return found


def test_a_flood_leaves_every_second_turn_to_others():
    hall = Hall()
    hall.come("flood", count=100)
    hall.served(10)
    hall.come("small", count=3)
    assert hall.served(6).count("small") == 3


def test_a_weight_of_three_is_three_turns_of_four():
    hall = Hall(big=Share(weight=3.0))
    hall.come("big", count=100)
    hall.come("small", count=100)
    assert Counter(hall.served(40)) == {"big": 30, "small": 10}


def test_a_higher_class_goes_first_and_what_is_too_old_gets_its_turn_all_the_same():
    hall = Hall()
    hall.come("patient", Class.BULK)
    hall.now = 200.0
    hall.come("urgent", Class.FAST, count=3)
    assert hall.served(1) == ["urgent"]
    assert hall.served(1, chance=0.0) == ["patient"]
    assert hall.served(1, chance=0.0) == ["urgent"]


def test_who_has_as_many_running_as_it_may_is_passed_over_until_one_has_ended():
    hall = Hall(capped=Share(running=2))
    hall.come("capped", Class.FAST, count=3)
    hall.come("other")
    assert hall.served(3) == ["capped", "capped", "other"]
    hall.lanes.end(hall.lanes.lane(Key("video", int(Class.FAST), "capped")), 1.0, 1.0)
    assert hall.served(2) == ["capped"]


def test_who_comes_back_is_neither_owed_what_it_missed_nor_held_to_what_it_had():
    hall = Hall()
    hall.come("old", count=50)
    hall.served(50)
    hall.served(1)  # nothing is left: the lane is shut
    hall.come("new", count=5)
    hall.come("old", count=5)
    assert hall.served(4) in (["new", "old", "new", "old"], ["old", "new", "old", "new"])


def test_what_a_step_really_took_counts():
    hall = Hall()
    hall.come("dear", count=10)
    hall.come("cheap", count=10)
    assert hall.served(1) == ["cheap"]  # the name decides between equals
    hall.lanes.end(hall.lanes.lane(Key("video", int(Class.NORMAL), "cheap")), 1.0, 4.0)
    assert hall.served(4) == ["dear"] * 4


def test_a_worker_leaves_some_tenants_and_newer_graphs_to_others():
    hall = Hall()
    hall.come("a")
    hall.lanes.enter(hall.lanes.lane(Key("video", int(Class.FAST), "b", 99)), (0.0, 99), 0.0)
    assert hall.served(1, Look(("video",), frozenset("a"))) == []
    assert hall.served(2) == ["a"]


def test_of_several_pools_that_goes_first_which_was_served_longest_ago():
    hall = Hall()
    hall.come("a", count=2, pool="image")
    hall.now = 1.0
    hall.come("b", count=2)
    assert hall.served(4, Look(("video", "image"))) == ["a", "b", "a", "b"]


def test_what_was_cancelled_is_not_claimed():
    hall = Hall()
    hall.come("a", count=2)
    hall.lanes.leave(hall.lanes.lane(Key("video", int(Class.NORMAL), "a")), 1)
    assert hall.served(2) == ["a"]
